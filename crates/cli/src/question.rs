//! Questions to whoever sits at the terminal.

use std::io::{Write, stdin, stdout};

use crate::error::{Error, Result};

/// Asks; who only presses Enter means the default.
pub(crate) fn ask(question: &str, default: &str) -> Result<String> {
    match default {
        "" => out!("{question}: "),
        default => out!("{question} [{default}]: "),
    }
    stdout().flush().map_err(Error::Stdio)?;
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(Error::Stdio)?;
    let line = line.trim();
    Ok(if line.is_empty() { default.to_owned() } else { line.to_owned() })
}

/// Asks until it is yes or no.
pub(crate) fn is_so(question: &str, default: bool) -> Result<bool> {
    loop {
        let word = if default { "yes" } else { "no" };
        match ask(&format!("{question} (yes/no)"), word)?.to_lowercase().as_str() {
            "yes" | "y" => return Ok(true),
            "no" | "n" => return Ok(false),
            _ => outln!("yes or no?"),
        }
    }
}
