//! The Rust files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

const FOLDERS: [&str; 3] = ["crates", "lab", "xtask"];

/// One Rust file; the path is relative to the root.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Its module, or one above it, is declared under `#[cfg(test)]`.
    pub(crate) for_tests: bool,
}

impl Source {
    /// The crate's name; "xtask" and "lab" for those.
    pub(crate) fn package(&self) -> String {
        let mut parts = self.path.iter().map(|part| part.to_string_lossy().into_owned());
        let first = parts.next().unwrap_or_default();
        if first == "crates" { parts.next().unwrap_or_default() } else { first }
    }

    /// Whether it holds tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        let folder = |part: &std::ffi::OsStr| part == "tests" || part == "benches";
        self.for_tests || self.path.ends_with("tests.rs") || self.path.iter().any(folder)
    }

    /// Where the modules are that it declares under `#[cfg(test)]`: without extension.
    fn test_modules(&self) -> Vec<PathBuf> {
        let name = self.path.file_stem().unwrap_or_default();
        let own = ["lib", "main", "mod"].iter().any(|root| name == *root);
        let folder = if own { self.path.with_file_name("") } else { self.path.with_extension("") };
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
        let names = pairs.filter_map(|pair| module_name(pair[1]));
        names.map(|name| folder.join(name)).collect()
    }

    /// Its lines of code: number, text without comment, and whether they are in a test module.
    pub(crate) fn code(&self) -> impl Iterator<Item = Line<'_>> {
        let mut in_tests = self.is_test();
        self.text.lines().enumerate().filter_map(move |(index, text)| {
            in_tests |= text.trim_start().starts_with("#[cfg(test)]");
            let code = strip_comment(text);
            (!code.trim().is_empty()).then_some(Line { number: index + 1, code, in_tests })
        })
    }
}

/// A line with code.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) code: &'a str,
    pub(crate) in_tests: bool,
}

/// All Rust files, in order of their paths.
pub(crate) fn all() -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&shell::root().join(folder), &mut paths)?;
    }
    paths.sort();
    let mut sources: Vec<Source> = paths.into_iter().map(read).collect::<Result<_>>()?;
    let modules: Vec<PathBuf> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let path = source.path.with_extension("");
        source.for_tests = modules.iter().any(|module| path.starts_with(module));
    }
    Ok(sources)
}

pub(crate) fn module_name(line: &str) -> Option<&str> {
    let line = ["pub(crate) ", "pub(super) ", "pub "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
        .unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read(path: PathBuf) -> Result<Source> {
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let path = path.strip_prefix(shell::root()).map(Path::to_owned).unwrap_or(path);
    Ok(Source { path, text, for_tests: false })
}

/// Good enough for bans: a `//` inside a string cuts the line short.
fn strip_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}
