//! The environment of a login: what login(1) and sshd would give the account's shell. Pure, apart
//! from reading the machine's locale setting once.

use std::path::Path;

/// The terminal type of the protocol's user ends.
const TERM: &str = "xterm-256color";
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
/// The locale that exists on every current system and knows UTF-8.
const FALLBACK_LANG: &str = "C.UTF-8";
/// Where Debian and systemd keep the machine's locale.
const LOCALE_FILES: [&str; 2] = ["/etc/default/locale", "/etc/locale.conf"];

/// Returns the variables of a login shell of the account.
pub(crate) fn login(
    name: &str,
    uid: u32,
    home: &Path,
    shell: &Path,
    lang: &str,
) -> Vec<(String, String)> {
    let path = if uid == 0 { ROOT_PATH } else { USER_PATH };
    [
        ("HOME", home.to_string_lossy().as_ref()),
        ("SHELL", shell.to_string_lossy().as_ref()),
        ("USER", name),
        ("LOGNAME", name),
        ("PATH", path),
        ("TERM", TERM),
        ("LANG", lang),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

/// Returns the machine's `LANG`: the agent's own, else the configured one, else `C.UTF-8`.
pub(crate) fn machine_lang() -> String {
    let own = std::env::var("LANG").ok();
    let files = LOCALE_FILES
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    choose_lang(own, files)
}

fn choose_lang(own: Option<String>, mut files: impl Iterator<Item = String>) -> String {
    own.filter(|lang| is_locale(lang))
        .or_else(|| files.find_map(|text| lang_of(&text)))
        .unwrap_or_else(|| FALLBACK_LANG.to_owned())
}

fn lang_of(text: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("LANG="))?;
    let value = value.trim_matches(['"', '\'', ' ']);
    is_locale(value).then(|| value.to_owned())
}

/// Accepts names of locales that can show what a terminal shows today.
fn is_locale(lang: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-@".contains(c);
    let lower = lang.to_ascii_lowercase();
    lang.chars().all(known) && (lower.contains("utf-8") || lower.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_48_a_login_has_all_variables() {
        let vars = login(
            "op",
            1000,
            Path::new("/home/op"),
            Path::new("/bin/bash"),
            "C.UTF-8",
        );
        let get = |key| &vars.iter().find(|(name, _)| name == key).unwrap().1;
        assert_eq!(get("HOME"), "/home/op");
        assert_eq!(get("SHELL"), "/bin/bash");
        assert_eq!(
            (get("USER").as_str(), get("LOGNAME").as_str()),
            ("op", "op")
        );
        assert_eq!(get("TERM"), "xterm-256color");
        assert_eq!(get("LANG"), "C.UTF-8");
        assert!(!get("PATH").contains("sbin"));
        let root = login(
            "root",
            0,
            Path::new("/root"),
            Path::new("/bin/sh"),
            "C.UTF-8",
        );
        assert!(
            root.iter()
                .any(|(key, value)| key == "PATH" && value.contains("/usr/sbin"))
        );
    }

    #[test]
    fn the_locale_comes_from_the_nearest_source_that_knows_utf8() {
        let file = |text: &str| vec![text.to_owned()].into_iter();
        assert_eq!(
            choose_lang(Some("de_DE.UTF-8".into()), file("LANG=x")),
            "de_DE.UTF-8"
        );
        assert_eq!(
            choose_lang(Some("C".into()), file("# a\n LANG=\"fr_FR.utf8\"\n")),
            "fr_FR.utf8"
        );
        assert_eq!(choose_lang(None, file("LANG=POSIX")), "C.UTF-8");
        assert_eq!(choose_lang(Some("x;rm.UTF-8".into()), file("")), "C.UTF-8");
    }
}
