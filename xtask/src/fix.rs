//! `fix`: mends what a machine can.

use anyhow::Result;

use crate::{shell, stale};

pub(crate) fn run() -> Result<bool> {
    let formatted = shell::cargo(&["fmt", "--all"], &[])?;
    let written = stale::write()?;
    Ok(formatted && written)
}
