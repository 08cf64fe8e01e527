//! A file that no module declares is not compiled, and a test in it never runs.

use std::path::Path;

use super::Problem;
use super::source::{Source, module_name};

const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "mod.rs"];

pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let roots = || sources.iter().filter(|source| is_root(&source.path));
    let declared = |source: &Source| {
        let folder = source.path.parent();
        let mut beside = roots().filter(|root| root.path.parent() == folder).peekable();
        beside.peek().is_none() || beside.any(|root| declares(root, &source.path))
    };
    let lost = sources.iter().filter(|source| !is_root(&source.path) && !declared(source));
    lost.map(|source| Problem::at(&source.path, 1, "no module declares it: it is not compiled"))
        .collect()
}

fn is_root(path: &Path) -> bool {
    ROOTS.iter().any(|root| path.ends_with(root))
}

fn declares(root: &Source, path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default();
    root.text.lines().filter_map(|line| module_name(line.trim())).any(|module| name == module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let file = |path: &str, text: &str| Source {
            path: path.into(),
            text: text.into(),
            ..Source::default()
        };
        let sources = [
            file("a/src/lib.rs", "mod b;\npub(crate) mod c;\n"),
            file("a/src/b.rs", ""),
            file("a/src/c/mod.rs", ""),
            file("a/src/c/d.rs", ""),
            file("a/tests/alone.rs", ""),
        ];
        let problems: Vec<String> = check(&sources).into_iter().map(|problem| problem.0).collect();
        assert_eq!(problems, ["a/src/c/d.rs:1: no module declares it: it is not compiled"]);
    }
}
