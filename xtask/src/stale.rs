//! Generated files that are committed: API documents, lists of gaps, golden plans.
//!
//! A test makes each of them anew and compares, with the rest of the suite; with `UPDATE_EXPECT=1` it writes
//! instead. Those tests are found by that word: the tests beneath the module that has it, or the whole crate where
//! it stands in a helper.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell;
use crate::tidy::source::{self, Source};

const VARIABLE: &str = "UPDATE_EXPECT";

/// Writes all of them.
pub(crate) fn write() -> Result<bool> {
    let sources = source::all()?;
    let found = sources.iter().filter(|source| source.text.contains(VARIABLE));
    let filters: BTreeSet<(String, String)> = found.filter_map(filter).collect();
    let mut well = true;
    for (package, module) in &filters {
        let args = ["test", "--quiet", "--package", package, "--lib", "--", module];
        well &= shell::cargo(&args, &[(VARIABLE, "1")])
            .with_context(|| format!("generated files of {package}"))?;
    }
    Ok(well)
}

/// The crate and the module whose tests compare.
fn filter(source: &Source) -> Option<(String, String)> {
    let path = source.path.strip_prefix("crates").ok()?;
    let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let package = parts.next()?;
    let has_tests = source.text.contains("#[test]") || source.text.contains("::test]");
    let module: Vec<String> = parts.skip(1).collect();
    let module = if has_tests { module_name(&module) } else { String::new() };
    Some((package, module))
}

fn module_name(parts: &[String]) -> String {
    let stem = |part: &String| Path::new(part).with_extension("").to_string_lossy().into_owned();
    let names: Vec<String> =
        parts.iter().map(stem).filter(|name| name != "mod" && name != "lib").collect();
    if names.is_empty() { String::new() } else { names.join("::") + "::" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_filter_of_its_tests() {
        let source = |path: &str, text: &str| Source {
            path: path.into(),
            text: text.to_owned(),
            ..Source::default()
        };
        let tests = "#[test] fn a() { UPDATE_EXPECT }";
        let filter = |path, text| filter(&source(path, text)).unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(filter("crates/wire/src/surface.rs", tests), pair("wire", "surface::"));
        assert_eq!(filter("crates/a/src/b/mod.rs", tests), pair("a", "b::"));
        assert_eq!(filter("crates/a/src/lib.rs", tests), pair("a", ""));
        assert_eq!(filter("crates/a/src/golden.rs", "fn compare()"), pair("a", ""));
    }
}
