//! Renames a backup.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Operation, Step, Task, step};

use crate::{Caller, Error, Result, World, db::instance_backups as rows};

/// What is done to rename a backup.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    caller: Caller,
    project: String,
    instance: String,
    /// The row's key: undos touch no other backup of these names.
    id: i64,
    from: String,
    to: String,
}

impl Task for Rename {
    const KIND: &'static str = "instance-backup-rename";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename>> {
        vec![
            step("rename row", row).undo(row_back),
            step("rename file", file).undo(file_back),
            step("tell", tell),
        ]
    }
}

impl Rename {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        instance: &str,
        from: &str,
        to: &str,
    ) -> Result<Rename> {
        options::names::check_snapshot(to).map_err(|why| Error::invalid("backup name", why))?;
        world.store.read(|db| {
            let (there, backup) = super::find(db, project, instance, from)?;
            if rows::get(db, there.id, to)?.is_some() {
                return Err(Error::exists("backup", &format!("{instance}/{to}")));
            }
            Ok(Rename {
                caller: caller.clone(),
                project: project.to_owned(),
                instance: instance.to_owned(),
                id: backup.id,
                from: from.to_owned(),
                to: to.to_owned(),
            })
        })
    }

    /// The name that the row has now.
    fn named(&self, world: &World) -> Result<Option<String>> {
        let all = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
        Ok(all.into_iter().find(|row| row.id == self.id).map(|row| row.name))
    }
}

/// Renames a backup.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    from: &str,
    to: &str,
) -> Result<Operation> {
    let task = Rename::new(world, caller, project, instance, from, to)?;
    let request = super::request(world, "Renaming backup", caller, project, instance, from);
    world.submit(task, request)
}

async fn name_row(cx: &Cx<Rename>, to: &str) -> Result<()> {
    let (instance, id) = (&cx.input.instance, cx.input.id);
    let renamed = cx.world.store.write(|db| {
        let all = rows::all(db)?;
        let own = all.iter().find(|row| row.id == id);
        let own = own.ok_or_else(|| Error::not_found("backup", &format!("{instance}/{to}")))?;
        match rows::get(db, own.instance_id, to)? {
            Some(row) if row.id != id => Err(Error::exists("backup", &format!("{instance}/{to}"))),
            _ => Ok(rows::rename(db, id, to)?),
        }
    });
    renamed.await
}

async fn row(cx: &mut Cx<Rename>) -> Result<()> {
    name_row(cx, &cx.input.to).await
}

async fn row_back(cx: &mut Cx<Rename>) -> Result<()> {
    name_row(cx, &cx.input.from).await
}

async fn name_file(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let Rename { project, instance, .. } = &*cx.input;
    let path = |name: &str| super::path(&cx.world, project, instance, name);
    let (from, to) = (path(from), path(to));
    match tokio::fs::rename(&from, &to).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("rename", &from)(error))
        }
        _ => Ok(()),
    }
}

async fn file(cx: &mut Cx<Rename>) -> Result<()> {
    name_file(cx, &cx.input.from, &cx.input.to).await
}

async fn file_back(cx: &mut Cx<Rename>) -> Result<()> {
    match cx.input.named(&cx.world)?.as_deref() == Some(&*cx.input.to) {
        true => name_file(cx, &cx.input.to, &cx.input.from).await,
        false => Ok(()),
    }
}

async fn tell(cx: &mut Cx<Rename>) -> Result<()> {
    let Rename { caller, project, instance, from, to, .. } = &*cx.input;
    let source = super::address(project, instance, to);
    let context = Map::from_iter([("old_name".to_owned(), Value::from(from.as_str()))]);
    cx.world.tell_with(caller, project, "instance-backup-renamed", source, context);
    Ok(())
}
