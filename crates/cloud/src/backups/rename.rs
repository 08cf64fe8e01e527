//! Renames a backup.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Operation, Step, Task, step};

use super::Owner;
use crate::{Caller, Error, Result, World, depots::Depot};

/// What is done to rename a backup.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Rename<O: Owner> {
    caller: Caller,
    #[serde(flatten)]
    owner: O,
    /// The row's key: undos touch no other backup of these names.
    id: i64,
    from: String,
    to: String,
}

impl<O: Owner> Task for Rename<O> {
    const KIND: &'static str = O::WORDS.rename;
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename<O>>> {
        vec![
            step("rename row", row::<O>).undo(row_back::<O>),
            step("rename file", file::<O>).undo(file_back::<O>),
            step("tell", tell::<O>),
        ]
    }
}

impl<O: Owner> Rename<O> {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        owner: &O,
        from: &str,
        to: &str,
    ) -> Result<Rename<O>> {
        options::names::check_snapshot(to).map_err(|why| Error::invalid("backup name", why))?;
        world.depots.path(Depot::Backups)?;
        world.store.read(|db| {
            let backup = super::find(db, owner, from)?;
            if O::ROWS.get(db, backup.owner_id, to)?.is_some() {
                return Err(Error::exists("backup", &format!("{}/{to}", owner.name())));
            }
            let (caller, owner) = (caller.clone(), owner.clone());
            let (from, to) = (from.to_owned(), to.to_owned());
            Ok(Rename { caller, owner, id: backup.id, from, to })
        })
    }

    /// The name that the row has now.
    fn named(&self, world: &World) -> Result<Option<String>> {
        let all = world.store.read(|db| Ok::<_, Error>(O::ROWS.all(db)?))?;
        Ok(all.into_iter().find(|row| row.id == self.id).map(|row| row.name))
    }
}

/// Renames a backup.
pub async fn rename<O: Owner>(
    world: &World,
    caller: &Caller,
    owner: &O,
    from: &str,
    to: &str,
) -> Result<Operation> {
    let task = Rename::new(world, caller, owner, from, to)?;
    world.submit(task, super::request(world, "Renaming backup", caller, owner, from))
}

async fn name_row<O: Owner>(cx: &Cx<Rename<O>>, to: &str) -> Result<()> {
    let Rename { owner, id, .. } = &*cx.input;
    let named = || format!("{}/{to}", owner.name());
    let renamed = cx.world.store.write(|db| {
        let all = O::ROWS.all(db)?;
        let own = all.iter().find(|row| row.id == *id);
        let own = own.ok_or_else(|| Error::not_found("backup", &named()))?;
        match O::ROWS.get(db, own.owner_id, to)? {
            Some(row) if row.id != *id => Err(Error::exists("backup", &named())),
            _ => Ok(O::ROWS.rename(db, *id, to)?),
        }
    });
    renamed.await
}

async fn row<O: Owner>(cx: &mut Cx<Rename<O>>) -> Result<()> {
    name_row(cx, &cx.input.to).await
}

async fn row_back<O: Owner>(cx: &mut Cx<Rename<O>>) -> Result<()> {
    name_row(cx, &cx.input.from).await
}

async fn name_file<O: Owner>(cx: &Cx<Rename<O>>, from: &str, to: &str) -> Result<()> {
    let owner = &cx.input.owner;
    let id = cx.world.store.read(|db| owner.id(db))?;
    let path = |name: &str| super::path(owner, id, name);
    super::follow(&cx.world, &path(from), &path(to)).await
}

async fn file<O: Owner>(cx: &mut Cx<Rename<O>>) -> Result<()> {
    name_file(cx, &cx.input.from, &cx.input.to).await
}

async fn file_back<O: Owner>(cx: &mut Cx<Rename<O>>) -> Result<()> {
    match cx.input.named(&cx.world)?.as_deref() == Some(&*cx.input.to) {
        true => name_file(cx, &cx.input.to, &cx.input.from).await,
        false => Ok(()),
    }
}

async fn tell<O: Owner>(cx: &mut Cx<Rename<O>>) -> Result<()> {
    let Rename { caller, owner, from, to, .. } = &*cx.input;
    let context = Map::from_iter([("old_name".to_owned(), Value::from(from.as_str()))]);
    let [_, _, event, _] = O::WORDS.events;
    cx.world.tell_with(caller, owner.project(), event, owner.url(to), context);
    Ok(())
}
