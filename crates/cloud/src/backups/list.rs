//! What clients see of backups.

use std::path::PathBuf;

use store::Read;

use super::Owner;
use crate::{
    Caller, Error, Result, World,
    db::{backups::Backup, instances::Made},
    depots::Held,
};

/// Every backup of an owner, the oldest first.
pub fn list<O: Owner>(world: &World, owner: &O) -> Result<Vec<O::Shown>> {
    world.store.read(|db| rendered::<O>(db, owner.id(db)?))
}

/// One backup.
pub fn get<O: Owner>(world: &World, owner: &O, name: &str) -> Result<O::Shown> {
    world.store.read(|db| Ok(O::render(super::find(db, owner, name)?)))
}

/// The file of a backup, for a client that fetches it, and what keeps it there until it is open.
pub async fn file<O: Owner>(
    world: &World,
    caller: &Caller,
    owner: &O,
    name: &str,
) -> Result<(PathBuf, Held)> {
    let backup = world.store.read(|db| super::find(db, owner, name))?;
    let held = super::hold(world).await?;
    let [.., event] = O::WORDS.events;
    world.tell(caller, owner.project(), event, owner.url(name));
    Ok((held.folder().join(super::path(owner, backup.owner_id, name)), held))
}

/// The backups of an owner, by the key of its row, as clients see them.
pub(crate) fn rendered<O: Owner>(db: &Read<'_>, id: i64) -> Result<Vec<O::Shown>> {
    Ok::<_, Error>(render_all::<O>(O::ROWS.of(db, id)?))
}

/// The same of rows that were read before.
pub(crate) fn render_all<O: Owner>(found: Vec<Backup>) -> Vec<O::Shown> {
    found.into_iter().filter(|row| row.made == Made::Ready).map(O::render).collect()
}
