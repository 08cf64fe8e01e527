//! The user's editor, on his terminal: the one program here that a person talks to.
//!
//! It has our own terminal, environment and process group, no time limit, and nothing it says is
//! caught. So it does not go through [`crate::run`].

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::find::find;

/// Tried in this order where no variable names one; the first is Debian's choice for the user.
const USUAL: [&str; 3] = ["editor", "nano", "vi"];

/// Opens a file in the editor that `VISUAL` or `EDITOR` names, else in a usual one, and waits until
/// the user leaves it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
pub fn edit(file: &Path) -> Result<()> {
    let wish = ["VISUAL", "EDITOR"].into_iter().find_map(|name| words(std::env::var_os(name)?));
    let usual =
        || USUAL.into_iter().find(|name| find(name).is_some()).map(|name| vec![name.into()]);
    let words = wish.or_else(usual).ok_or(Error::NoEditor)?;
    let command = words.join(" ");
    let status = Command::new(&words[0])
        .args(&words[1..])
        .arg(file)
        .status()
        .map_err(|source| Error::Start { command: command.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command, status, stderr: String::new() })
}

/// A program and its arguments, parted by spaces, such as `code --wait`; `None` where there is
/// nothing.
fn words(text: OsString) -> Option<Vec<String>> {
    let text = text.to_string_lossy();
    let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_may_have_arguments() {
        assert_eq!(words("code --wait".into()).unwrap(), ["code", "--wait"]);
        assert_eq!(words(" ".into()), None);
    }
}
