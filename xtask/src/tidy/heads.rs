//! Every module opens with what it is for.

use super::Problem;
use super::source::Source;

pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let code = sources.iter().filter(|source| !source.is_test());
    code.filter(|source| !has_head(&source.text))
        .map(|source| Problem::at(&source.path, 1, "no `//!` head that says what it is for"))
        .collect()
}

/// Attributes of the file may come first.
fn has_head(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.is_some_and(|line| line.starts_with("//!") && line.len() > "//!".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_comment_with_words_before_any_code() {
        assert!(has_head("//! Words.\nuse a;\n"));
        assert!(has_head("#![allow(unsafe_code)]\n\n//! Words.\n"));
        assert!(!has_head("//!\nuse a;\n"));
        assert!(!has_head("// Words.\nuse a;\n"));
        assert!(!has_head("use a;\n//! Too late.\n"));
    }
}
