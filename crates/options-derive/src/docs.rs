//! Doc comments: the first paragraph is the short text, the rest the long one.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The two texts of a doc comment; each paragraph on one line, paragraphs separated by an empty
/// line.
pub(crate) fn texts(attributes: &[Attribute]) -> (String, String) {
    let lines: Vec<String> = attributes.iter().filter_map(line).collect();
    let mut paragraphs = lines
        .split(|line| line.trim().is_empty())
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| paragraph.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "));
    let short = paragraphs.next().unwrap_or_default();
    (short, paragraphs.collect::<Vec<_>>().join("\n\n"))
}

fn line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    if !pair.path.is_ident("doc") {
        return None;
    }
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
