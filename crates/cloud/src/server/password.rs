//! `core.trust_password`: kept as a hash, shown as `true`, as LXD does both. Clients that know no tokens bring it.

use options::Raw;
use wire::ConfigMap;

use crate::{Error, Result, World, blocking::blocking, db::server as rows};

/// The option.
pub(crate) const KEY: &str = "core.trust_password";
/// What stands for one that is set.
const SET: &str = "true";

/// The options as clients are shown them.
pub(super) fn shown(config: &Raw) -> ConfigMap {
    let mut shown = config.0.clone();
    if let Some(hash) = shown.get_mut(KEY) {
        *hash = SET.to_owned();
    }
    shown
}

/// Puts in place of a password what is kept of it: what is kept already where it is as it was shown, else the hash
/// that `hash` gives.
pub(super) fn keep(
    before: &Raw,
    after: &mut ConfigMap,
    hash: impl FnOnce(&str) -> Result<String>,
) -> Result<()> {
    let Some(password) = after.get_mut(KEY).filter(|password| !password.is_empty()) else {
        return Ok(());
    };
    *password = match before.0.get(KEY) {
        Some(kept) if password == SET => kept.clone(),
        None if password == SET => {
            // As in what was read from another server.
            let why = format!("\"{SET}\" stands for one that is set, and none is");
            return Err(Error::invalid(KEY, why));
        }
        _ => hash(password)?,
    };
    Ok(())
}

/// One guess after the other, each wrong one a second long: a password can be guessed from afar.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const WRONG: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether the server has a password, and this is it.
pub(crate) async fn is(world: &World, password: &str) -> Result<bool> {
    let config = world.store.read(|db| Ok::<_, Error>(rows::get(db)?))?;
    let Some(hash) = config.0.get(KEY).cloned() else { return Ok(false) };
    let _turn = TURN.lock().await;
    let password = password.to_owned();
    let right = blocking("compare a password", move || {
        Ok::<_, Error>(tls::password::is_of(&hash, &password))
    });
    let right = right.await?;
    if !right {
        tokio::time::sleep(WRONG).await;
    }
    Ok(right)
}
