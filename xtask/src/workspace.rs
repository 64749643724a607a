//! What `cargo metadata` knows about this workspace and everything it depends on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The platforms the programs are built for; what only other platforms need is not looked at.
const PLATFORMS: [&str; 3] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
];

/// The workspace: its own crates and the packages they are resolved to.
#[derive(Debug)]
pub struct Workspace {
    /// The repository's top folder.
    pub root: PathBuf,
    /// Every package in use, ours and others', by package id.
    pub packages: BTreeMap<String, Package>,
}

/// One package at one version.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Name as on the registry.
    pub name: String,
    /// Version as resolved.
    pub version: String,
    /// SPDX expression, empty when the package names none.
    pub licence: String,
    /// Whether it is a crate of this workspace.
    pub ours: bool,
    /// Names of the packages it depends on directly, in any way (normal, dev, build).
    pub depends_on: Vec<String>,
    /// Root source files by kind of target (`lib`, `bin`, `test`, …).
    pub targets: Vec<(String, PathBuf)>,
}

/// The top folder of the repository this xtask was built from.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

impl Workspace {
    /// Asks cargo, with the lock file as it stands.
    ///
    /// # Errors
    /// When cargo cannot be run or refuses, for example because the lock file is out of date.
    pub fn load(root: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root);
        for platform in PLATFORMS {
            command.args(["--filter-platform", platform]);
        }
        let output = command.output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        Ok(Self {
            root: root.to_path_buf(),
            packages: packages(&metadata),
        })
    }

    /// The crates of this workspace, by name.
    pub fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.ours)
    }
}

fn packages(metadata: &Value) -> BTreeMap<String, Package> {
    let members: Vec<&str> = array(metadata, "workspace_members")
        .filter_map(Value::as_str)
        .collect();
    let mut packages = BTreeMap::new();
    for package in array(metadata, "packages") {
        let id = text(package, "id");
        packages.insert(
            id.clone(),
            Package {
                name: text(package, "name"),
                version: text(package, "version"),
                licence: text(package, "license"),
                ours: members.contains(&id.as_str()),
                depends_on: Vec::new(),
                targets: array(package, "targets")
                    .flat_map(|target| {
                        let path = PathBuf::from(text(target, "src_path"));
                        let kinds: Vec<_> =
                            array(target, "kind").filter_map(Value::as_str).collect();
                        kinds
                            .into_iter()
                            .map(move |kind| (kind.to_owned(), path.clone()))
                    })
                    .collect(),
            },
        );
    }
    let nodes = metadata.pointer("/resolve/nodes").and_then(Value::as_array);
    let mut used = BTreeMap::new();
    for node in nodes.into_iter().flatten() {
        let Some(package) = packages.get(&text(node, "id")) else {
            continue;
        };
        let mut package = package.clone();
        package.depends_on = array(node, "deps")
            .filter_map(|dependency| packages.get(&text(dependency, "pkg")))
            .map(|dependency| dependency.name.clone())
            .collect();
        used.insert(text(node, "id"), package);
    }
    used
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
