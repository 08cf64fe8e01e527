//! Files stay small.

use super::Problem;
use super::source::Source;

/// No file is longer.
const MOST: usize = 600;
/// Nine of ten files are not longer.
const USUAL: usize = 350;
/// Marks a file that is one uniform table and may be as long as it must.
const TABLE: &str = "// tidy: table";

pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let written = sources.iter().filter(|source| !source.text.contains(&format!("{TABLE}\n")));
    let sizes: Vec<(&Source, usize)> =
        written.map(|source| (source, source.text.lines().count())).collect();
    let long = sizes.iter().filter(|(_, lines)| *lines > MOST);
    let mut problems: Vec<Problem> = long
        .map(|(source, lines)| {
            let text = format!("{lines} lines, at most {MOST}; split it by verb or by type");
            Problem::at(&source.path, 1, text)
        })
        .collect();
    let mut lines: Vec<usize> = sizes.iter().map(|(_, lines)| *lines).collect();
    lines.sort_unstable();
    let ninth = lines.get(lines.len() * 9 / 10).copied().unwrap_or(0);
    if ninth > USUAL {
        problems.push(Problem(format!("a tenth of the files has {ninth} lines or more")));
    }
    problems
}
