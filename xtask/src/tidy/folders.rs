//! A module with parts is a folder with a `mod.rs`, so that all of it is in one place.

use std::collections::BTreeSet;
use std::path::Path;

use super::Problem;
use super::source::Source;

pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let folders: BTreeSet<&Path> =
        sources.iter().filter_map(|source| source.path.parent()).collect();
    let beside = sources.iter().filter(|source| {
        let folder = source.path.with_extension("");
        folders.iter().any(|other| other.starts_with(&folder))
    });
    beside
        .map(|source| {
            let folder = source.path.with_extension("");
            Problem::at(&source.path, 1, format!("belongs into {}/mod.rs", folder.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_its_folder_is_found() {
        let paths =
            ["a/src/lib.rs", "a/src/b.rs", "a/src/b/c.rs", "a/src/d/mod.rs", "a/src/d/e.rs"];
        let sources = paths.map(|path| Source { path: path.into(), ..Source::default() });
        let problems: Vec<String> = check(&sources).into_iter().map(|problem| problem.0).collect();
        assert_eq!(problems, ["a/src/b.rs:1: belongs into a/src/b/mod.rs"]);
    }
}
