//! Rust sources as the compiler sees them: only files that a target's module tree reaches.
//!
//! Tokens are enough for what the structure tests ask (paths, test functions), and unlike a syntax
//! tree they also show what stands inside macro calls.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One module, from a file of its own or written inline.
#[derive(Debug, Clone)]
pub struct Module {
    /// Names from the crate root down; empty for the root.
    pub path: Vec<String>,
    /// Where it is written.
    pub file: PathBuf,
    /// Whether it exists only under `cfg(test)`.
    pub test_only: bool,
    /// Its tokens without those of the modules inside it.
    pub tokens: Vec<TokenTree>,
}

/// A function that the test harness would run, or would skip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestFunction {
    /// The function's name.
    pub name: String,
    /// Whether it carries `#[ignore]`.
    pub ignored: bool,
}

/// Reads a target's root file and every module it declares.
///
/// # Errors
/// When a file is missing or is not Rust.
pub fn modules(root: &Path) -> Result<Vec<Module>> {
    let folder = root.parent().context("a source file has a folder")?;
    let mut found = Vec::new();
    let place = Place {
        file: root.to_path_buf(),
        folder: folder.to_path_buf(),
    };
    read_file(&place, Vec::new(), false, &mut found)?;
    Ok(found)
}

/// A file and the folder where the modules it declares are looked for.
struct Place {
    file: PathBuf,
    folder: PathBuf,
}

fn read_file(
    place: &Place,
    path: Vec<String>,
    test_only: bool,
    found: &mut Vec<Module>,
) -> Result<()> {
    let source = fs::read_to_string(&place.file)
        .with_context(|| format!("cannot read {}", place.file.display()))?;
    let tokens: TokenStream = source
        .parse()
        .map_err(|error| anyhow!("{}: {error}", place.file.display()))?;
    let inner: Vec<TokenTree> = tokens.into_iter().collect();
    let test_only = test_only || has_inner_cfg_test(&inner);
    read_tokens(place, inner, path, test_only, found)
}

fn read_tokens(
    place: &Place,
    tokens: Vec<TokenTree>,
    path: Vec<String>,
    test_only: bool,
    found: &mut Vec<Module>,
) -> Result<()> {
    let mut own = Vec::new();
    let mut attributes: Vec<String> = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if let TokenTree::Group(group) = &token
            && group.delimiter() == Delimiter::Bracket
            && own.last().is_some_and(is_hash)
        {
            attributes.push(group.stream().to_string());
        }
        let declares = matches!(&token, TokenTree::Ident(ident) if ident == "mod");
        if !declares {
            if ends_item(&token) {
                attributes.clear();
            }
            own.push(token);
            continue;
        }
        let Some(TokenTree::Ident(name)) = rest.next() else {
            continue;
        };
        let name = name.to_string();
        let mut inner_path = path.clone();
        inner_path.push(name.clone());
        let inner_test = test_only || attributes.iter().any(|text| is_cfg_test(text));
        match rest.next() {
            Some(TokenTree::Group(body)) => {
                let place = Place {
                    file: place.file.clone(),
                    folder: place.folder.join(&name),
                };
                let body = body.stream().into_iter().collect();
                read_tokens(&place, body, inner_path, inner_test, found)?;
            }
            _ => {
                let place = declared(place, &name, &attributes);
                read_file(&place, inner_path, inner_test, found)?;
            }
        }
        attributes.clear();
    }
    found.push(Module {
        path,
        file: place.file.clone(),
        test_only,
        tokens: own,
    });
    Ok(())
}

fn declared(place: &Place, name: &str, attributes: &[String]) -> Place {
    let named = attributes.iter().find_map(|text| {
        let value = text.strip_prefix("path")?.trim_start().strip_prefix('=')?;
        Some(value.trim().trim_matches('"').to_owned())
    });
    if let Some(named) = named {
        let file = place.file.parent().unwrap_or(&place.folder).join(named);
        let folder = file.parent().unwrap_or(&place.folder).to_path_buf();
        return Place { file, folder };
    }
    let folder = place.folder.join(name);
    let flat = place.folder.join(format!("{name}.rs"));
    let file = if flat.is_file() {
        flat
    } else {
        folder.join("mod.rs")
    };
    Place { file, folder }
}

fn is_hash(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#')
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    }
}

fn is_cfg_test(attribute: &str) -> bool {
    let text: String = attribute
        .chars()
        .filter(|char| !char.is_whitespace())
        .collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

fn has_inner_cfg_test(tokens: &[TokenTree]) -> bool {
    tokens.windows(3).any(|three| match three {
        [hash, TokenTree::Punct(bang), TokenTree::Group(group)] => {
            is_hash(hash) && bang.as_char() == '!' && is_cfg_test(&group.stream().to_string())
        }
        _ => false,
    })
}

/// Every path of two or more names written in `tokens`, groups of `use` expanded:
/// `use a::{b, c::d}` gives `a::b` and `a::c::d`. Code under `#[cfg(test)]` inside the module
/// counts like any other.
#[must_use]
pub fn paths(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(_) => {
                at = read_path(tokens, at, &[], &mut found);
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                found.extend(paths(&inner));
                at += 1;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
        }
    }
    found
}

/// Reads one path that starts at `at` and returns where the text goes on.
fn read_path(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = before.to_vec();
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        path.push(ident.to_string());
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
        if let Some(TokenTree::Group(group)) = tokens.get(at)
            && group.delimiter() == Delimiter::Brace
        {
            read_group(group.stream(), &path, found);
            return at + 1;
        }
    }
    if path.len() > 1 {
        found.push(path);
    }
    at
}

fn read_group(stream: TokenStream, before: &[String], found: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if matches!(tokens.get(at), Some(TokenTree::Ident(_))) {
            at = read_path(&tokens, at, before, found);
            // `name as other`: the other name is no path.
            while at < tokens.len() && !is_comma(tokens.get(at)) {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
}

fn is_comma(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ',')
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(tokens.get(at)) && colon(tokens.get(at + 1))
}

/// The functions with a test attribute (`#[test]`, `#[tokio::test]`, also inside `proptest!`).
#[must_use]
pub fn test_functions(tokens: &[TokenTree]) -> Vec<TestFunction> {
    let mut found = Vec::new();
    let mut attributes: Vec<String> = Vec::new();
    let mut before: Option<&TokenTree> = None;
    let mut rest = tokens.iter();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket && before.is_some_and(is_hash) =>
            {
                attributes.push(attribute_name(group.stream()));
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                found.extend(test_functions(&inner));
                if ends_item(token) {
                    attributes.clear();
                }
            }
            TokenTree::Ident(ident) if ident == "fn" => {
                if let Some(TokenTree::Ident(name)) = rest.next()
                    && attributes.iter().any(|attribute| attribute == "test")
                {
                    let ignored = attributes.iter().any(|attribute| attribute == "ignore");
                    found.push(TestFunction {
                        name: name.to_string(),
                        ignored,
                    });
                }
                attributes.clear();
            }
            TokenTree::Punct(_) if ends_item(token) => attributes.clear(),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        before = Some(token);
    }
    found
}

/// The last name of an attribute's path: `test` for `tokio::test(flavor = …)`.
fn attribute_name(stream: TokenStream) -> String {
    let mut name = String::new();
    for token in stream {
        match token {
            TokenTree::Ident(ident) => name = ident.to_string(),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Punct(_) | TokenTree::Group(_) | TokenTree::Literal(_) => break,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<TokenTree> {
        source.parse::<TokenStream>().unwrap().into_iter().collect()
    }

    fn joined(source: &str) -> Vec<String> {
        paths(&tokens(source))
            .iter()
            .map(|path| path.join("::"))
            .collect()
    }

    #[test]
    fn paths_are_found_in_uses_expressions_and_macro_calls() {
        assert_eq!(
            joined(
                "use crate::{store::{self, Store as S}, auth::Principal}; fn f() { super::g(); }"
            ),
            [
                "crate::store::self",
                "crate::store::Store",
                "crate::auth::Principal",
                "super::g"
            ]
        );
        assert_eq!(
            joined("select! { x = crate::bus::next() => {} }"),
            ["crate::bus::next"]
        );
    }

    #[test]
    fn only_functions_with_a_test_attribute_count() {
        let source = "
            #[test] fn item_01_a() {}
            #[tokio::test(start_paused = true)] async fn item_02_b() {}
            #[test] #[ignore] fn item_03_c() {}
            fn item_04_helper() {}
            proptest! { #[test] fn item_05_d(x in 0..3) {} }
            // #[test] fn item_06_comment() {}
            const NAME: &str = \"#[test] fn item_07_text() {}\";
        ";
        let found = test_functions(&tokens(source));
        let names: Vec<_> = found
            .iter()
            .map(|test| (test.name.as_str(), test.ignored))
            .collect();
        assert_eq!(
            names,
            [
                ("item_01_a", false),
                ("item_02_b", false),
                ("item_03_c", true),
                ("item_05_d", false)
            ]
        );
    }

    #[test]
    fn modules_are_followed_through_files_and_inline_bodies() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "lib.rs",
            "mod a; #[cfg(test)] mod tests { fn t() {} } mod inline { mod deep; }",
        );
        write("a/mod.rs", "#[path = \"other.rs\"] mod b;");
        write("a/other.rs", "");
        write("inline/deep.rs", "");
        write("orphan.rs", "not reached");
        let mut found: Vec<_> = modules(&folder.path().join("lib.rs"))
            .unwrap()
            .into_iter()
            .map(|module| (module.path.join("::"), module.test_only))
            .collect();
        found.sort();
        let expected = [
            ("", false),
            ("a", false),
            ("a::b", false),
            ("inline", false),
            ("inline::deep", false),
            ("tests", true),
        ];
        assert_eq!(found, expected.map(|(path, test)| (path.to_owned(), test)));
    }
}
