//! Which modules of a crate may call which, and which may know a given outside crate.

use std::collections::BTreeSet;

use crate::architecture::Allowed;
use crate::sources::{Module, paths};

/// Parts of the standard library that do input or output, or read a clock.
const IO: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];

/// Holds the modules of one crate to a table: a module may name itself and what its row lists.
///
/// Only the first name below the crate root counts. Test code is free. The crate root (`main.rs`,
/// `lib.rs`) puts everything together and may name anything.
#[must_use]
pub fn calls(modules: &[Module], allowed: &Allowed) -> Vec<String> {
    let mut findings = BTreeSet::new();
    let mut present = BTreeSet::new();
    for module in modules.iter().filter(|module| !module.test_only) {
        let Some(from) = module.path.first() else {
            continue;
        };
        present.insert(from.clone());
        let Some(may) = allowed.get(from) else {
            findings.insert(format!("{from} is not in the table"));
            continue;
        };
        for path in paths(&module.tokens) {
            let Some(to) = top(&module.path, &path) else {
                continue;
            };
            if to != *from && !may.contains(&to) && allowed.contains_key(&to) {
                findings.insert(format!("{from} calls {to}: {}", path.join("::")));
            }
        }
    }
    let stale = allowed.keys().filter(|name| !present.contains(*name));
    findings.extend(stale.map(|name| format!("the table names {name}, which does not exist")));
    findings.into_iter().collect()
}

/// Finds outside crates named by modules that must not know them.
///
/// `only` lists a crate's name as written in paths (`sqlx`) and the modules that may name it.
#[must_use]
pub fn outside(modules: &[Module], only: &[(&str, &[&str])]) -> Vec<String> {
    let mut findings = BTreeSet::new();
    for module in modules.iter().filter(|module| !module.test_only) {
        let from = module.path.first().map_or("the crate root", String::as_str);
        for path in paths(&module.tokens) {
            for (name, may) in only {
                if path.first().is_some_and(|first| first == name) && !may.contains(&from) {
                    findings.insert(format!("{from} names {}", path.join("::")));
                }
            }
        }
    }
    findings.into_iter().collect()
}

/// Finds input, output and clocks of the standard library.
#[must_use]
pub fn input_and_output(modules: &[Module]) -> Vec<String> {
    let mut findings = BTreeSet::new();
    for module in modules.iter().filter(|module| !module.test_only) {
        for path in paths(&module.tokens) {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let found = match names.as_slice() {
                ["std", part, ..] if IO.contains(part) => true,
                ["std", "time", kind, ..] => ["Instant", "SystemTime"].contains(kind),
                ["Instant" | "SystemTime", "now", ..] => true,
                _ => false,
            };
            if found {
                findings.insert(format!("{}: {}", module.file.display(), names.join("::")));
            }
        }
    }
    findings.into_iter().collect()
}

/// The first name below the crate root that `path`, written in module `from`, leads to.
fn top(from: &[String], path: &[String]) -> Option<String> {
    match path.first()?.as_str() {
        "crate" => path.get(1).cloned(),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            let base = from.get(..from.len().checked_sub(ups)?)?;
            base.iter().chain(path.get(ups..)?).next().cloned()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn module(path: &[&str], source: &str) -> Module {
        Module {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            file: "x.rs".into(),
            test_only: false,
            tokens: source
                .parse::<proc_macro2::TokenStream>()
                .unwrap()
                .into_iter()
                .collect(),
        }
    }

    fn table(rows: &[(&str, &[&str])]) -> Allowed {
        rows.iter()
            .map(|(name, may)| {
                (
                    (*name).to_owned(),
                    may.iter()
                        .map(|may| (*may).to_owned())
                        .collect::<BTreeSet<_>>(),
                )
            })
            .collect()
    }

    #[test]
    fn a_call_past_the_table_is_found_however_it_is_written() {
        let modules = [
            module(&[], "use crate::gateway::serve;"),
            module(
                &["session", "core"],
                "use crate::gateway::Link; use super::viewers::Viewer;",
            ),
            module(
                &["session"],
                "fn f() { super::api::list(); crate::bus::send(); }",
            ),
            module(&["gateway"], "use crate::{session::Session, bus::Bus};"),
            module(&["bus"], ""),
            module(&["api"], ""),
            module(&["extra"], ""),
        ];
        let allowed = table(&[
            ("session", &["bus"]),
            ("gateway", &["session", "bus"]),
            ("bus", &[]),
            ("api", &[]),
            ("old", &[]),
        ]);
        assert_eq!(
            calls(&modules, &allowed),
            [
                "extra is not in the table",
                "session calls api: super::api::list",
                "session calls gateway: crate::gateway::Link",
                "the table names old, which does not exist",
            ]
        );
    }

    #[test]
    fn a_database_outside_the_store_is_found() {
        let modules = [
            module(&["store"], "use sqlx::Row;"),
            module(&["api"], "fn f() { sqlx::query(\"\"); }"),
        ];
        assert_eq!(
            outside(&modules, &[("sqlx", &["store"])]),
            ["api names sqlx::query"]
        );
    }

    #[test]
    fn clocks_and_files_are_found() {
        let modules = [module(
            &[],
            "use std::{fs, fmt}; fn f(now: Instant) { Instant::now(); }",
        )];
        assert_eq!(
            input_and_output(&modules),
            ["x.rs: Instant::now", "x.rs: std::fs"]
        );
    }
}
