//! One line of a user's list.

use super::Error;
use super::names::known;
use super::rule::Action;

/// A call's name and what shall happen to it, if that is said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) action: Option<Action>,
}

/// Reads `NAME [allow|kill|errno NUMBER]`; `None` for empty lines and comments.
pub(super) fn parse(line: &str) -> Result<Option<Line<'_>>, Error> {
    let words: Vec<&str> = line.split_whitespace().take_while(|w| !w.starts_with('#')).collect();
    let Some((name, action)) = words.split_first() else { return Ok(None) };
    let action = match action {
        [] => None,
        ["allow"] => Some(Action::Allow),
        ["kill"] => Some(Action::Kill),
        ["errno", number] => Some(Action::Errno(errno(number).ok_or_else(|| bad(line))?)),
        _ => return Err(bad(line)),
    };
    if !known(name) {
        return Err(Error::UnknownCall { name: (*name).to_owned(), line: line.to_owned() });
    }
    Ok(Some(Line { name, action }))
}

/// The kernel's error numbers end at 4095.
fn errno(word: &str) -> Option<u16> {
    word.parse().ok().filter(|number| *number <= 4095)
}

fn bad(line: &str) -> Error {
    Error::BadLine { line: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_action() {
        let read = |line| parse(line).unwrap().unwrap();
        assert_eq!(read("keyctl"), Line { name: "keyctl", action: None });
        assert_eq!(read(" keyctl  errno 38 ").action, Some(Action::Errno(38)));
        assert_eq!(read("mount kill # never").action, Some(Action::Kill));
        assert_eq!(read("bpf allow").action, Some(Action::Allow));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("# mount"), Ok(None));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |line| parse(line).unwrap_err().to_string();
        let unknown = r#"there is no system call "mounty" (in the rule "mounty kill")"#;
        assert_eq!(error("mounty kill"), unknown);
        for line in ["mount errno", "mount errno 5000", "mount errno x", "mount 1", "mount a b c"] {
            assert!(error(line).contains(&format!("{line:?} is not of the form")), "{line}");
        }
        assert!(error("mount errno 1 [0,1,SCMP_CMP_EQ]").contains("not of the form"));
    }
}
