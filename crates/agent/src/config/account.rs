//! Passwd entries.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, getgrouplist};

/// A user of this machine, with everything a shell of theirs needs.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, the primary one among them.
    pub groups: Vec<u32>,
    /// Home directory as passwd names it; it need not exist.
    pub home: PathBuf,
    /// Shell as passwd names it, `/bin/sh` where it names none.
    pub shell: PathBuf,
}

/// The passwd entry of `name`, or None. A failing lookup (LDAP away, say) counts as none.
pub(super) fn by_name(name: &str) -> Option<User> {
    complete(nix::unistd::User::from_name(name).ok()??)
}

/// The passwd entry of the user this process runs as.
pub(super) fn own() -> Option<User> {
    complete(nix::unistd::User::from_uid(Uid::effective()).ok()??)
}

fn complete(entry: nix::unistd::User) -> Option<User> {
    let name = CString::new(entry.name.as_str()).ok()?;
    // A user whose groups cannot be listed would get shells with too few rights, not too many.
    let groups = getgrouplist(&name, entry.gid).unwrap_or_else(|_| vec![entry.gid]);
    let shell = entry.shell;
    Some(User {
        name: entry.name,
        uid: entry.uid.as_raw(),
        gid: entry.gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        home: entry.dir,
        shell: if shell.as_os_str().is_empty() {
            "/bin/sh".into()
        } else {
            shell
        },
    })
}
