//! Changes a custom volume: its options, its size too while it is in use.

use options::{AnyVolumeOptions, Options, Raw};
use serde::{Deserialize, Serialize};
use store::Read;
use tasks::{Cx, Step, Task, step};
use wire::StorageVolumePut;

use super::{Key, config, users};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::volumes::{self as rows, Volume},
    etag::{self, IfMatch},
    projects::rules,
    storage::resize,
};

/// What is done to change a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Update {
    before: Volume,
    after: Volume,
}

impl Task for Update {
    const KIND: &'static str = "volume-update";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Update>> {
        vec![
            step("write row", write).undo(write_back),
            step("resize", resize).undo(resize_back),
            step("tune", tune).undo(tune_back),
        ]
    }
}

impl Update {
    pub(crate) fn new(
        db: &Read<'_>,
        key: &Key,
        seen: &IfMatch,
        change: &impl Fn(StorageVolumePut) -> Result<StorageVolumePut>,
    ) -> Result<Update> {
        let before = key.find(db)?;
        let old = writable(&before);
        etag::check(seen, &old, "storage volume", &key.name)?;
        let new = change(old)?;
        let mut options: Raw = new.config.into();
        keep_volatile(&before.config, &mut options);
        config::check(&options, &before.content, &crate::storage::find(db, &key.pool)?)?;
        let changes = AnyVolumeOptions::changes(&before.config, &options);
        if let Some(fixed) = changes.forbidden().next() {
            let why = format!("{} only counts when a volume is made", fixed.key);
            return Err(Error::invalid("configuration", why));
        }
        let description = new.description;
        let after = Volume { description, config: options, ..before.clone() };
        Ok(Update { before, after })
    }

    fn remounts(&self) -> bool {
        let differs = |key| self.before.config.get(key) != self.after.config.get(key);
        differs("security.shifted") || differs("security.unmapped")
    }
}

/// What the server remembers is not a client's to change.
fn keep_volatile(old: &Raw, new: &mut Raw) {
    new.retain(|key, _| !key.starts_with("volatile."));
    for (key, value) in old.iter().filter(|(key, _)| key.starts_with("volatile.")) {
        new.set(key, value);
    }
}

/// What a client may edit of a volume.
pub(super) fn writable(row: &Volume) -> StorageVolumePut {
    StorageVolumePut {
        config: row.config.0.clone(),
        description: row.description.clone(),
        restore: String::new(),
    }
}

/// Changes a volume to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    (pool, project, kind, name): (&str, &str, &str, &str),
    seen: IfMatch,
    change: impl Fn(StorageVolumePut) -> Result<StorageVolumePut> + Send + Sync,
) -> Result<()> {
    super::custom(kind)?;
    let key = world.store.read(|db| Key::of(db, pool, project, name))?;
    let task = world.store.read(|db| Update::new(db, &key, &seen, &change))?;
    if task.remounts() {
        users::check_not_mounted(world, &task.before).await?;
    }
    let sizes = (config::bytes(&task.before)?, config::bytes(&task.after)?);
    resize::check_room(world, (&key.pool, &key.on_disk()?), sizes).await?;
    let request = key.request("Updating storage volume", caller).uncancellable();
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    key.tell(world, caller, "storage-volume-updated");
    Ok(())
}

async fn write(cx: &mut Cx<Update>) -> Result<()> {
    put(cx, &cx.input.before, &cx.input.after).await
}

async fn write_back(cx: &mut Cx<Update>) -> Result<()> {
    let Update { before, after } = &*cx.input;
    let key = super::key_of(after);
    match cx.world.store.read(|db| key.row(db))? {
        Some(row) if is_same(&row, after) => put(cx, after, before).await,
        _ => Ok(()),
    }
}

fn is_same(one: &Volume, other: &Volume) -> bool {
    (one.id, &one.config, &one.description) == (other.id, &other.config, &other.description)
}

/// Writes a row over the one that was there; run again it finds its own.
async fn put(cx: &Cx<Update>, old: &Volume, new: &Volume) -> Result<()> {
    let key = super::key_of(new);
    let written = cx.world.store.write(|db| match key.row(db)? {
        Some(row) if is_same(&row, new) => Ok(()),
        Some(row) if is_same(&row, old) => {
            rows::update(db, row.id, &new.description, &new.config)?;
            rules::keep(db, &new.project)
        }
        Some(_) => Err(Error::Changed { what: "storage volume", name: key.name.clone() }),
        None => Err(Error::not_found("storage volume", &key.name)),
    });
    written.await
}

async fn resize(cx: &mut Cx<Update>) -> Result<()> {
    let Update { before, after } = &*cx.input;
    if config::bytes(before)? == config::bytes(after)? {
        return Ok(());
    }
    let key = super::key_of(after);
    resize::resize(&cx.world, &key.pool, key.on_disk()?, config::bytes(after)?).await
}

async fn resize_back(cx: &mut Cx<Update>) -> Result<()> {
    let Update { before, after } = &*cx.input;
    if config::bytes(before)? == config::bytes(after)? {
        return Ok(());
    }
    let key = super::key_of(before);
    resize::undo(&cx.world, &key.pool, key.on_disk()?, config::bytes(before)?).await
}

async fn tune(cx: &mut Cx<Update>) -> Result<()> {
    let Update { before, after } = &*cx.input;
    make_like(cx, before, after).await
}

async fn tune_back(cx: &mut Cx<Update>) -> Result<()> {
    let Update { before, after } = &*cx.input;
    make_like(cx, after, before).await
}

/// Lets a volume have what can change of how it is kept.
async fn make_like(cx: &Cx<Update>, now: &Volume, then: &Volume) -> Result<()> {
    let making = |row: &Volume| config::shape(&row.config, config::kept_as(&row.content));
    let (now, wanted) = (making(now)?.making, making(then)?.making);
    if now == wanted {
        return Ok(());
    }
    let key = super::key_of(then);
    let (pool, id) = (cx.world.pools.open(&cx.world, &key.pool).await?, key.on_disk()?);
    blocking("tune volume", move || pool.tune(&id, &wanted)).await
}
