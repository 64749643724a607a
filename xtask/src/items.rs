//! The numbered promises to real peers, each held by tests that carry its number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::sources::{modules, test_functions};
use crate::workspace::Workspace;

/// The numbers that need a test today: terminal, login, device list and what they stand on.
#[must_use]
pub fn required() -> Vec<u8> {
    [1..=16, 26..=34, 36..=36, 41..=52, 55..=59]
        .into_iter()
        .flatten()
        .collect()
}

/// Tests by item number, each as `file: name`, and the tests that would be skipped.
#[derive(Debug, Default)]
pub struct Tests {
    /// Where each number is tested.
    pub by_item: BTreeMap<u8, Vec<String>>,
    /// Tests that are there but would not run.
    pub skipped: Vec<String>,
}

impl Tests {
    /// Collects the test functions that the harnesses run: those that a Rust target's module tree
    /// reaches, and the titles of the UI's tests.
    ///
    /// # Errors
    /// When a source file cannot be read.
    pub fn collect(workspace: &Workspace) -> Result<Self> {
        let mut tests = Self::default();
        for package in workspace.ours() {
            for (_, root) in package
                .targets
                .iter()
                .filter(|(kind, _)| kind != "custom-build")
            {
                for module in modules(root)? {
                    let file = module
                        .file
                        .strip_prefix(&workspace.root)
                        .unwrap_or(&module.file);
                    for test in test_functions(&module.tokens) {
                        tests.add(&file.display().to_string(), &test.name, test.ignored);
                    }
                }
            }
        }
        let web = workspace.root.join("web");
        tests.collect_web(&workspace.root, &web)?;
        Ok(tests)
    }

    fn collect_web(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !["node_modules", "dist"].contains(&name.as_str()) {
                    self.collect_web(root, &path)?;
                }
            } else if [".test.ts", ".test.tsx", ".walk.ts"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                let text = fs::read_to_string(&path)?;
                let file = path
                    .strip_prefix(root)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                for (title, skipped) in titles(&text) {
                    self.add(&file, &title, skipped);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, file: &str, name: &str, skipped: bool) {
        let place = format!("{file}: {name}");
        if skipped {
            self.skipped.push(place);
            return;
        }
        for item in numbers(name) {
            self.by_item.entry(item).or_default().push(place.clone());
        }
    }

    /// The required numbers that no test carries.
    #[must_use]
    pub fn missing(&self) -> Vec<u8> {
        required()
            .into_iter()
            .filter(|item| !self.by_item.contains_key(item))
            .collect()
    }
}

/// The titles of `test("…")` and `it("…")` calls, and whether the call would be skipped.
fn titles(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let Some(rest) = line
            .strip_prefix("test")
            .or_else(|| line.strip_prefix("it"))
        else {
            continue;
        };
        let Some((modifiers, rest)) = rest.split_once('(') else {
            continue;
        };
        if !(modifiers.is_empty() || modifiers.starts_with('.')) {
            continue;
        }
        let skipped = [".skip", ".todo", ".fixme"]
            .iter()
            .any(|word| modifiers.contains(word));
        let Some(quote) = rest.chars().next().filter(|char| "\"'`".contains(*char)) else {
            continue;
        };
        let title: String = rest
            .chars()
            .skip(1)
            .take_while(|char| *char != quote)
            .collect();
        found.push((title, skipped));
    }
    found
}

/// Every `item_NN` in a name; a name may carry several.
fn numbers(name: &str) -> Vec<u8> {
    name.match_indices("item_")
        .filter_map(|(at, found)| {
            let digits: String = name
                .get(at + found.len()..)?
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            (digits.len() == 2).then(|| digits.parse().ok()).flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_two_digits_and_may_be_several() {
        assert_eq!(numbers("item_06_paste_and_item_13_stop"), [6, 13]);
        assert_eq!(numbers("item_6_no item_123_no items"), [0_u8; 0]);
    }

    #[test]
    fn titles_of_web_tests_are_read_and_skipped_ones_told_apart() {
        let text = "  test(\"item_15 a body as text\", () => {\n  it.skip('item_16', f);\n// test(\"no\")\n\
                    expect(\"item_17\");\ntestify(\"item_18\")";
        assert_eq!(
            titles(text),
            [
                ("item_15 a body as text".to_owned(), false),
                ("item_16".to_owned(), true)
            ]
        );
    }

    #[test]
    fn what_no_test_carries_is_missing() {
        let mut tests = Tests::default();
        for item in required().into_iter().filter(|item| *item != 33) {
            tests.add("a.rs", &format!("item_{item:02}_x"), false);
        }
        tests.add("a.rs", "item_33_later", true);
        assert_eq!(tests.missing(), [33]);
        assert_eq!(tests.skipped, ["a.rs: item_33_later"]);
    }
}
