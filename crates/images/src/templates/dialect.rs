//! From the dialect of images' templates (pongo2, which is Django's) to minijinja's.
//!
//! What differs is written anew: `x|default:"y"` as `x|default("y")`, `&&`, `||` and `!` as words, `for k, v in map`.
//! And what could make much of little is refused by its name: whoever may edit a template is not to be able to fill
//! the server's memory.

/// The tags there are.
const TAGS: &str = "if, elif, else, endif, for, empty, endfor, autoescape, endautoescape";

/// The template in minijinja's dialect.
///
/// # Errors
/// What of it cannot be.
pub(super) fn translate(text: &str) -> Result<String, String> {
    let mut to = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        to.push_str(before);
        let (ending, of_text) = match from.as_bytes().get(1) {
            Some(b'{') => ("}}", false),
            Some(b'%') => ("%}", true),
            Some(b'#') => {
                let end = from.find("#}").ok_or("a comment has no end")?;
                rest = &from[end + 2..];
                continue;
            }
            _ => {
                to.push('{');
                rest = &from[1..];
                continue;
            }
        };
        let end = end_of(&from[2..], ending).ok_or_else(|| format!("\"{ending}\" is missing"))?;
        let (open, inner, close) = trimmed(&from[2..2 + end]);
        if of_text {
            if let Some(inner) = tag(inner)? {
                to.push_str(&format!("{{%{open} {inner} {close}%}}"));
            }
        } else {
            to.push_str(&format!("{{{{{open} {} {close}}}}}", expression(inner)?));
        }
        rest = &from[2 + end + 2..];
    }
    to.push_str(rest);
    Ok(to)
}

/// Where a tag ends, past the strings in it.
fn end_of(text: &str, ending: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(ending) {
            return Some(at);
        }
        let letter = text[at..].chars().next()?;
        at += match letter {
            '"' | '\'' => string(&text[at..])?.len(),
            letter => letter.len_utf8(),
        };
    }
    None
}

/// A tag's signs that space around it goes, and what is between.
fn trimmed(inner: &str) -> (&str, &str, &str) {
    let (open, inner) = inner.strip_prefix('-').map_or(("", inner), |inner| ("-", inner));
    let (close, inner) = inner.strip_suffix('-').map_or(("", inner), |inner| ("-", inner));
    (open, inner.trim(), close)
}

/// A tag; none where it means nothing here: nothing is escaped.
fn tag(inner: &str) -> Result<Option<String>, String> {
    let (word, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    let rest = rest.trim();
    Ok(Some(match word {
        "if" | "elif" => format!("{word} {}", expression(rest)?),
        "else" | "empty" => String::from("else"),
        "endif" | "endfor" => word.to_owned(),
        "autoescape" | "endautoescape" => return Ok(None),
        "for" => {
            let (names, of) = rest.split_once(" in ").ok_or("\"for\" without \"in\"")?;
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | ',' | ' ');
            if !names.chars().all(plain) {
                return Err(format!("\"for {names}\": names stand there"));
            }
            let pairs = if names.contains(',') { "|pairs" } else { "" };
            format!("for {names} in ({}){pairs}", expression(of)?)
        }
        other => return Err(format!("\"{other}\" is no tag: {TAGS}")),
    }))
}

/// An expression.
fn expression(text: &str) -> Result<String, String> {
    let mut to = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '"' | '\'' => {
                let found = string(rest).ok_or("a string has no end")?;
                to.push_str(found);
                found.len()
            }
            '&' if rest.starts_with("&&") => push(&mut to, " and ", 2),
            '|' if rest.starts_with("||") => push(&mut to, " or ", 2),
            '!' if !rest.starts_with("!=") => push(&mut to, " not ", 1),
            '|' => filter(&mut to, rest)?,
            '~' | '*' | '+' | '{' => return Err(format!("\"{letter}\" is not taken here")),
            letter => {
                to.push(letter);
                letter.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    if words(text).any(|word| word == "recursive") {
        return Err(String::from("\"recursive\" is not taken here"));
    }
    Ok(to)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn push(to: &mut String, word: &str, taken: usize) -> usize {
    to.push_str(word);
    taken
}

/// A filter with its argument behind a colon; what of the text it is.
fn filter(to: &mut String, text: &str) -> Result<usize, String> {
    let spaces = |text: &str| text.len() - text.trim_start().len();
    let name_at = 1 + spaces(&text[1..]);
    let name = word(&text[name_at..]);
    to.push('|');
    to.push_str(name);
    let after = name_at + name.len();
    let Some(argument) = text[after..].trim_start().strip_prefix(':') else { return Ok(after) };
    let argument_at = text.len() - argument.trim_start().len();
    let argument = match text[argument_at..].chars().next() {
        Some('"' | '\'') => string(&text[argument_at..]).ok_or("a string has no end")?,
        _ => word(&text[argument_at..]),
    };
    if argument.is_empty() {
        return Err(format!("the filter \"{name}\" has nothing behind its colon"));
    }
    to.push_str(&format!("({argument})"));
    Ok(argument_at + argument.len())
}

/// A name, a path of names, or a number at the beginning.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
    &text[..end.unwrap_or(text.len())]
}

/// A string in quotes at the beginning, with them.
fn string(text: &str) -> Option<&str> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return Some(&text[..=at]),
            _ => {}
        }
    }
    None
}
