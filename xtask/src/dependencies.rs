//! Which crates may depend on which, and what may come from outside at all.
//!
//! The outside rules are those of deny.toml; whoever has cargo-deny gets the same answers from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::architecture::Allowed;
use crate::workspace::{Package, Workspace};

const PREFIX: &str = "longwire-";

/// Crates that must stay free of input, output and clocks.
pub const PURE: [&str; 3] = ["protocol", "link", "asciicast"];

/// What would bring sockets, files or a runtime into a pure crate.
const IMPURE: [&str; 8] = [
    "tokio",
    "mio",
    "axum",
    "hyper",
    "reqwest",
    "sqlx",
    "tokio-tungstenite",
    "async-std",
];

/// Holds our crates to the table of ARCHITECTURE.md.
#[must_use]
pub fn between_ours(workspace: &Workspace, allowed: &Allowed) -> Vec<String> {
    let mut findings = Vec::new();
    for package in workspace.ours() {
        // xtask looks at the others from outside and is no part of any program.
        let Some(name) = package.name.strip_prefix(PREFIX) else {
            continue;
        };
        let Some(may) = allowed.get(name) else {
            findings.push(format!("{name} is not in the table"));
            continue;
        };
        for used in package
            .depends_on
            .iter()
            .filter_map(|used| used.strip_prefix(PREFIX))
        {
            if !may.contains(used) {
                findings.push(format!("{name} uses {used}"));
            }
        }
    }
    let names: BTreeSet<_> = workspace
        .ours()
        .filter_map(|package| package.name.strip_prefix(PREFIX))
        .collect();
    findings.extend(
        allowed
            .keys()
            .filter(|name| !names.contains(name.as_str()))
            .map(|name| format!("the table names {name}, which does not exist")),
    );
    findings
}

/// Looks for a runtime or sockets among everything the pure crates depend on.
#[must_use]
pub fn in_pure_crates(workspace: &Workspace) -> Vec<String> {
    let by_name: BTreeMap<&str, &Package> = workspace
        .packages
        .values()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let mut findings = Vec::new();
    for pure in PURE {
        let name = format!("{PREFIX}{pure}");
        let mut seen = BTreeSet::new();
        let mut open = vec![name.as_str()];
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            if IMPURE.contains(&name) {
                findings.push(format!("{pure} depends on {name}"));
            }
            let uses = by_name
                .get(name)
                .into_iter()
                .flat_map(|package| &package.depends_on);
            open.extend(uses.map(String::as_str));
        }
    }
    findings
}

/// Holds everything from outside to deny.toml: licences, banned crates, one version of each.
///
/// # Errors
/// When deny.toml cannot be read.
pub fn from_outside(workspace: &Workspace) -> Result<Vec<String>> {
    let rules = Rules::read(&workspace.root.join("deny.toml"))?;
    Ok(rules.findings(workspace.packages.values()))
}

/// The part of deny.toml that is checked without cargo-deny.
#[derive(Debug, Default)]
struct Rules {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
    /// `name@version` of those that may stand beside another version of the same crate; the
    /// version may be cut short, `syn@2` is any 2.x.
    skipped: BTreeSet<String>,
}

impl Rules {
    fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let deny: Table = text.parse()?;
        let list = |section: &str, key: &str| -> BTreeSet<String> {
            let entries = deny.get(section).and_then(|section| section.get(key));
            let entries = entries.and_then(Value::as_array).into_iter().flatten();
            entries
                .filter_map(|entry| entry.as_str().or_else(|| entry.get("crate")?.as_str()))
                .map(str::to_owned)
                .collect()
        };
        Ok(Self {
            licences: list("licenses", "allow"),
            banned: list("bans", "deny"),
            skipped: list("bans", "skip"),
        })
    }

    fn findings<'a>(&self, packages: impl Iterator<Item = &'a Package> + Clone) -> Vec<String> {
        let mut findings = Vec::new();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in packages {
            let exact = format!("{}@{}", package.name, package.version);
            if !allows(&package.licence, &self.licences) {
                findings.push(format!(
                    "{exact}: licence “{}” is not on the list",
                    package.licence
                ));
            }
            if self.banned.contains(&package.name) {
                findings.push(format!("{exact} is banned"));
            }
            versions
                .entry(&package.name)
                .or_default()
                .insert(&package.version);
        }
        let mut needless = self.skipped.clone();
        for (name, versions) in versions
            .into_iter()
            .filter(|(_, versions)| versions.len() > 1)
        {
            let skip_of =
                |version: &str| self.skipped.iter().find(|skip| covers(skip, name, version));
            needless.retain(|skip| !versions.iter().any(|version| covers(skip, name, version)));
            let left: Vec<&str> = versions
                .into_iter()
                .filter(|version| skip_of(version).is_none())
                .collect();
            if left.len() > 1 {
                findings.push(format!(
                    "{name} is there in versions {}",
                    left.join(" and ")
                ));
            }
        }
        findings.extend(
            needless
                .iter()
                .map(|skip| format!("deny.toml skips {skip} needlessly")),
        );
        findings
    }
}

/// Whether `skip` (`syn@2`) covers this version of this crate (`syn` at `2.0.1`).
fn covers(skip: &str, name: &str, version: &str) -> bool {
    let rest = skip
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('@'));
    rest.and_then(|start| version.strip_prefix(start))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether one of the ways an SPDX expression can be taken is wholly on the list.
fn allows(expression: &str, list: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let allowed = any(&words, &mut at, list);
    allowed && at == words.len()
}

fn any(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let mut allowed = all(words, at, list);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= all(words, at, list);
    }
    allowed
}

fn all(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let mut allowed = one(words, at, list);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= one(words, at, list);
    }
    allowed
}

fn one(words: &[&str], at: &mut usize, list: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if *word == "(" {
        let allowed = any(words, at, list);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return allowed && closed;
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    list.contains(&licence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.to_owned(),
            ..Package::default()
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn licence_expressions_are_read_with_their_precedence() {
        let list = set(&["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"]);
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
        ] {
            assert!(allows(good, &list), "{good}");
        }
        assert!(allows("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &list));
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "GPL-3.0 OR Apache-2.0",
            "(MIT",
        ] {
            assert!(!allows(bad, &list), "{bad}");
        }
    }

    #[test]
    fn banned_doubled_and_stale_entries_are_found() {
        let rules = Rules {
            licences: set(&["MIT"]),
            banned: set(&["openssl"]),
            skipped: set(&["syn@1", "copyleft@1", "gone@1.0.0"]),
        };
        let packages = [
            package("openssl", "0.1.0", "MIT"),
            package("syn", "1.0.9", "MIT"),
            package("syn", "2.0.0", "MIT"),
            package("rand", "0.8.0", "MIT"),
            package("rand", "0.9.0", "MIT"),
            package("copyleft", "1.0.0", "GPL-3.0"),
        ];
        assert_eq!(
            rules.findings(packages.iter()),
            [
                "openssl@0.1.0 is banned",
                "copyleft@1.0.0: licence “GPL-3.0” is not on the list",
                "rand is there in versions 0.8.0 and 0.9.0",
                "deny.toml skips copyleft@1 needlessly",
                "deny.toml skips gone@1.0.0 needlessly",
            ]
        );
    }

    #[test]
    fn a_crate_that_reaches_past_the_table_is_found() {
        let mut cli = package("longwire-cli", "0.1.0", "");
        cli.ours = true;
        cli.depends_on = vec![
            "longwire-client".into(),
            "longwire-server".into(),
            "clap".into(),
        ];
        let mut stray = package("longwire-stray", "0.1.0", "");
        stray.ours = true;
        let packages = [("cli".to_owned(), cli), ("stray".to_owned(), stray)];
        let workspace = Workspace {
            root: ".".into(),
            packages: packages.into_iter().collect(),
        };
        let allowed = [
            ("cli".to_owned(), set(&["client"])),
            ("old".to_owned(), set(&[])),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            between_ours(&workspace, &allowed),
            [
                "cli uses server",
                "stray is not in the table",
                "the table names old, which does not exist"
            ]
        );
    }

    #[test]
    fn a_runtime_deep_below_a_pure_crate_is_found() {
        let mut protocol = package("longwire-protocol", "0.1.0", "");
        protocol.depends_on = vec!["middle".into()];
        let mut middle = package("middle", "1.0.0", "");
        middle.depends_on = vec!["tokio".into()];
        let packages = [("a".to_owned(), protocol), ("b".to_owned(), middle)];
        let workspace = Workspace {
            root: ".".into(),
            packages: packages.into_iter().collect(),
        };
        assert_eq!(in_pure_crates(&workspace), ["protocol depends on tokio"]);
    }
}
