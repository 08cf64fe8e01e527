//! Asks for what nobody is to see: on a terminal it is not shown, elsewhere a line is read.

use std::io::{IsTerminal, Write, stderr, stdin};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::error::{Error, Result};

/// Asks once.
pub(crate) fn ask(what: &str) -> Result<String> {
    if !stdin().is_terminal() {
        return line();
    }
    write!(stderr(), "{what}: ").map_err(Error::Stdio)?;
    let shown = tcgetattr(stdin()).map_err(|error| Error::Stdio(error.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let set = |how| tcsetattr(stdin(), OptionalActions::Flush, how);
    set(&hidden).map_err(|error| Error::Stdio(error.into()))?;
    let read = line();
    set(&shown).map_err(|error| Error::Stdio(error.into()))?;
    writeln!(stderr()).map_err(Error::Stdio)?;
    read
}

/// Asks twice, as nobody sees what is typed.
pub(crate) fn ask_new(what: &str) -> Result<String> {
    loop {
        let first = ask(what)?;
        if !stdin().is_terminal() || ask("Again")? == first {
            return Ok(first);
        }
        writeln!(stderr(), "They differ.").map_err(Error::Stdio)?;
    }
}

fn line() -> Result<String> {
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(Error::Stdio)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
