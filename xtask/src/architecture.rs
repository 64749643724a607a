//! The tables of ARCHITECTURE.md that tests hold the code to, so that each rule is written once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Who may use whom: a name and the names it may use.
pub type Allowed = BTreeMap<String, BTreeSet<String>>;

/// Reads the two-column table whose first heading is `heading`, say `crate` or `module`.
///
/// A cell holds names in backticks; other words in it are for people.
///
/// # Errors
/// When ARCHITECTURE.md cannot be read or holds no such table.
pub fn table(root: &Path, heading: &str) -> Result<Allowed> {
    let file = root.join("ARCHITECTURE.md");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let allowed = parse(&text, heading);
    ensure!(
        !allowed.is_empty(),
        "ARCHITECTURE.md has no table that starts with “{heading}”"
    );
    Ok(allowed)
}

fn parse(text: &str, heading: &str) -> Allowed {
    let mut lines = text
        .lines()
        .skip_while(|line| cells(line).next() != Some(heading));
    lines.next();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| {
            let mut cells = cells(line);
            let name = names(cells.next()?).next()?;
            Some((
                name,
                cells.next().map(names).into_iter().flatten().collect(),
            ))
        })
        .collect()
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.strip_prefix('|')
        .into_iter()
        .flat_map(|rest| rest.split('|'))
        .map(str::trim)
}

fn names(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_its_heading() {
        let text = "| x | y |\n|---|---|\n| `no` | `no` |\n\n\
                    | crate | may use |\n|---|---|\n| `a` | nothing |\n| `b` | `a`, and `c` |\n\nend";
        let read = parse(text, "crate");
        let expected = [("a", vec![]), ("b", vec!["a", "c"])];
        assert_eq!(
            read,
            expected
                .into_iter()
                .map(|(name, may)| (
                    name.to_owned(),
                    may.into_iter().map(str::to_owned).collect()
                ))
                .collect()
        );
    }
}
