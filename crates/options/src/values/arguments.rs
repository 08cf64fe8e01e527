//! Arguments of a program in one text, quoted as a shell has it.

use std::fmt;

use crate::{Kind, Value};

/// Arguments parted by spaces. What is between quotes is taken word for word, and so is what follows a backslash;
/// between double quotes that is so for `"` and `\` only. Nothing is expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    text: String,
    words: Vec<String>,
}

impl Arguments {
    /// One by one.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl Value for Arguments {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('\0') {
            return Err("text without a zero byte".to_owned());
        }
        let words = split(text).ok_or("arguments in which each quote is closed")?;
        Ok(Self { text: text.to_owned(), words })
    }
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The words of a text; `None` if a quote or a backslash has no end.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\'' | '"' => quoted(&mut rest, next, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next()?),
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

/// Takes what stands before the closing quote.
fn quoted(rest: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            end if end == quote => return Some(()),
            '\\' if quote == '"' => match rest.next()? {
                meant @ ('"' | '\\') => word.push(meant),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_those_of_a_shell() {
        let words = |text: &str| Arguments::parse(text).unwrap().words().to_vec();
        assert_eq!(words(" -device  pvpanic\n-S"), ["-device", "pvpanic", "-S"]);
        assert_eq!(
            words(r#"-append "a 'b' \"c\" \d" e'f g'h"#),
            ["-append", r#"a 'b' "c" \d"#, "ef gh"]
        );
        assert_eq!(words(r"a\ b '' $HOME"), ["a b", "", "$HOME"]);
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            let error = Arguments::parse(open).unwrap_err();
            assert!(error.contains("quote is closed"), "{open}: {error}");
        }
    }
}
