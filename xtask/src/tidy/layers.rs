//! Dependencies point down: a crate may only use crates of lower layers.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Problem;
use crate::shell;

/// Crates that belong together within one layer: the first may use the second.
const PAIRS: [(&str, &str); 1] = [("options", "options-derive")];

/// A crate of ours.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) layer: Option<u64>,
    uses: Vec<String>,
}

/// All crates of ours.
pub(crate) fn read() -> Result<Vec<Package>> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let text = shell::output(&shell::cargo_path(), &args)?;
    let metadata: Value = serde_json::from_str(&text).context("read cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    // A crate may name itself for its own tests, with other features.
    let ours = |used: &&Value| used["path"].is_string() && used["name"] != value["name"];
    let dependencies = value["dependencies"].as_array();
    Package {
        name: name(value),
        layer: value["metadata"]["layer"].as_u64(),
        uses: dependencies.into_iter().flatten().filter(ours).map(name).collect(),
    }
}

pub(super) fn check(packages: &[Package]) -> Vec<Problem> {
    packages.iter().flat_map(|package| check_one(package, packages)).collect()
}

fn check_one(package: &Package, all: &[Package]) -> Vec<Problem> {
    let Some(layer) = package.layer else {
        let text = "Cargo.toml lacks `metadata.layer`";
        return vec![Problem(format!("crate {}: {text}", package.name))];
    };
    let upward = package.uses.iter().filter(|used| {
        let used_layer = all.iter().find(|other| other.name == **used).and_then(|p| p.layer);
        let pair = PAIRS.contains(&(package.name.as_str(), used.as_str()));
        !pair && used_layer.is_none_or(|used_layer| used_layer >= layer)
    });
    upward
        .map(|used| {
            let text = format!("layer {layer} may not use {used}, which is not below it");
            Problem(format!("crate {}: {text}", package.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, layer: Option<u64>, uses: &[&str]) -> Package {
        Package { name: name.to_owned(), layer, uses: uses.iter().map(|u| u.to_string()).collect() }
    }

    #[test]
    fn only_downward_uses_are_well() {
        let packages = [
            package("wire", Some(0), &[]),
            package("store", Some(1), &["wire"]),
            package("client", Some(1), &["store"]),
            package("options", Some(0), &["options-derive"]),
            package("options-derive", Some(0), &[]),
            package("stray", None, &[]),
        ];
        let problems: Vec<String> = check(&packages).into_iter().map(|p| p.0).collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("crate client: layer 1 may not use store"));
        assert!(problems[1].starts_with("crate stray"));
    }
}
