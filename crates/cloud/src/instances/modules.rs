//! Modules of the server's kernel that a container needs: loaded before it starts, as it may not do that itself.

use exec::{Control, modprobe};

use super::options::Typed;
use crate::{Error, Result, blocking::blocking};

/// Loads them; those that are there are fine.
pub(super) async fn load(typed: &Typed) -> Result<()> {
    let Some(wanted) = &typed.options.kernel_modules else { return Ok(()) };
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    blocking("load modules", move || {
        wanted.iter().try_for_each(|module| {
            let loaded = modprobe::load(module, &Control::default());
            loaded.map_err(|source| Error::Module { module: module.clone(), source })
        })
    })
    .await
}
