//! Versions and features of dependencies stand in one place, the root's Cargo.toml.

use std::fs;

use anyhow::{Context, Result};

use super::Problem;
use crate::shell;

pub(super) fn check() -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let folder = shell::root().join("crates");
    let entries = fs::read_dir(&folder).context("list crates")?;
    for entry in entries {
        let manifest = entry.context("list crates")?.path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        let shown = manifest.strip_prefix(shell::root()).unwrap_or(&manifest);
        let own = own_versions(&text).into_iter();
        problems.extend(own.map(|(line, name)| {
            Problem::at(shown, line, format!("{name}: write `{name}.workspace = true`"))
        }));
    }
    Ok(problems)
}

/// Dependencies that do not say `workspace = true`, with their lines.
fn own_versions(manifest: &str) -> Vec<(usize, &str)> {
    let mut in_dependencies = false;
    let mut own = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
            let inherited = line.contains("workspace = true");
            let name = line.split(['.', '=', ' ']).next().unwrap_or(line);
            own.extend((!inherited).then_some((index + 1, name)));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_a_crate_is_found() {
        let text = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\nb = \"1\"\n";
        assert_eq!(own_versions(text), [(5, "b")]);
    }
}
