//! Makes an instance of a backup: one that this server wrote, or LXD.

use std::path::{Path, PathBuf};

use exec::Control;
use images::backup::Index;
use serde::{Deserialize, Serialize};
use storage::{FillError, VolumeId};
use tasks::{Cx, Operation, Step, Task, step};

use super::draft::{Draft, draft};
use crate::{
    Caller, Error, Result, World,
    backups::{self, Unpack, Upload},
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance, Made},
        volumes,
    },
    expand,
    instances::{copy, delete, machine, options::Typed, root::NewRoot},
    projects::rules,
    url,
};

/// What is done to make an instance of a backup.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Import {
    caller: Caller,
    file: PathBuf,
    instance: Instance,
    snapshots: Vec<Snapshot>,
    #[serde(flatten)]
    root: NewRoot,
    /// Whether streams of the driver are in it.
    #[serde(default)]
    optimized: bool,
}

impl Task for Import {
    const KIND: &'static str = "instance-import";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Import>> {
        vec![
            step("write rows", write_rows).undo(delete_rows),
            step("unpack root", root).undo(delete_root),
            step("unpack snapshots", kept).undo(delete_side),
            step("mark rows as whole", whole),
        ]
    }
}

impl Import {
    pub(crate) async fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        upload: &Upload,
    ) -> Result<Import> {
        let index = backups::index(&upload.file).await?;
        let wanted = (upload.name.as_deref(), upload.pool.as_deref());
        Import::of_index(world, caller, project, &index, &upload.file, wanted)
    }

    /// Of a file whose index says so, under `name` and in `pool` if they are given.
    pub(crate) fn of_index(
        world: &World,
        caller: &Caller,
        project: &str,
        index: &Index,
        file: &Path,
        (name, pool): (Option<&str>, Option<&str>),
    ) -> Result<Import> {
        let drafted = world.store.read(|db| draft(db, world, project, index, (name, pool)))?;
        let Draft { instance, snapshots, root } = drafted;
        let (caller, file) = (caller.clone(), file.to_owned());
        let optimized = index.optimized;
        Ok(Import { caller, file, instance, snapshots, root, optimized })
    }

    /// The row this task wrote, if it is there.
    pub(crate) fn own(&self, db: &store::Read<'_>) -> Result<Option<Instance>> {
        let found = rows::get(db, &self.instance.project, &self.instance.name)?;
        Ok(found.filter(|row| row.created_at == self.instance.created_at))
    }

    /// The project and the name that it gets.
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.instance.project, &self.instance.name)
    }

    /// Who asked for it.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The device that is the disk of a machine that comes while it runs.
    pub(crate) fn only_disk(&self, world: &World) -> Result<String> {
        let expanded = world.store.read(|db| expand::expand(db, &self.instance))?;
        machine::only_disk(&Typed::parse_whole(&expanded)?)
    }

    /// What the instance as it is now and the folder of its snapshots are called in the file.
    fn names(&self) -> [&'static str; 2] {
        super::contents::names(self.instance.kind())
    }

    fn volume(&self) -> Result<VolumeId> {
        self.instance.root()
    }

    /// A volume on its way to become a snapshot. No instance can be called so.
    fn side(&self) -> Result<VolumeId> {
        let root = self.volume()?;
        Ok(VolumeId::new(root.kind, format!("{}@new", root.name))?)
    }
}

/// Makes an instance of a backup. The file is the operation's once this returns without an error.
pub async fn import(
    world: &World,
    caller: &Caller,
    project: &str,
    upload: &Upload,
) -> Result<Operation> {
    let task = Import::new(world, caller, project, upload).await?;
    let (words, name) = ("Restoring backup", &task.instance.name);
    let request = crate::instances::request(world, words, caller, project, name);
    world.submit(task, request)
}

/// The steps, which a machine that comes with its memory shares.
impl Import {
    pub(crate) async fn write_rows(&self, world: &World) -> Result<()> {
        let input = self.clone();
        let host = world.host.clone();
        let written = world.store.write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            let new = &input.instance;
            if rows::get(db, &new.project, &new.name)?.is_some() {
                return Err(Error::exists("instance", &new.name));
            }
            let new = copy::draft::completed(db, &host, new)?;
            rules::admit(db, &new)?;
            rows::insert(db, &new, &crate::profiles::home(db, &new.project)?)?;
            volumes::insert(db, &input.root.row(&new))?;
            let id = input.own(db)?.map(|row| row.id).unwrap_or_default();
            for snapshot in &input.snapshots {
                let made = Made::Ready;
                let snapshot = Snapshot { instance_id: id, made, ..snapshot.clone() };
                snapshots::insert(db, &snapshot)?;
            }
            Ok(())
        });
        written.await
    }

    pub(crate) async fn delete_rows(&self, world: &World) -> Result<()> {
        let deleted = world.store.write(|db| {
            if let Some(row) = self.own(db)? {
                volumes::delete(db, &row.project, &row.kind, &row.name)?;
                rows::delete(db, &row.project, &row.name)?;
            }
            Ok::<_, Error>(())
        });
        deleted.await?;
        backups::remove(&self.file).await
    }

    async fn unpacking(&self, world: &World, control: &Control) -> Result<Unpack> {
        Ok(Unpack {
            file: self.file.clone(),
            pool: world.pools.open(world, &self.root.pool).await?,
            volume: self.volume()?,
            side: self.side()?,
            shape: self.root.shape(self.instance.kind())?.plain(),
            control: control.clone(),
        })
    }

    pub(crate) async fn unpack_root(&self, world: &World, control: &Control) -> Result<()> {
        let (unpack, [name, _]) = (self.unpacking(world, control).await?, self.names());
        match self.optimized {
            true => unpack.bare(Some(name)).await,
            false => unpack.whole(name, write).await,
        }
    }

    pub(crate) async fn delete_root(&self, world: &World) -> Result<()> {
        match world.store.read(|db| self.own(db))? {
            Some(row) => delete::delete_volume(world, &self.root.pool, &row).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn unpack_snapshots(&self, world: &World, control: &Control) -> Result<()> {
        let names = self.snapshots.iter().map(|one| &one.name);
        let [now, folder] = self.names();
        let parts = names.map(|name| (name.clone(), format!("{folder}/{name}"))).collect();
        let mut unpack = self.unpacking(world, control).await?;
        if unpack.shape.content.is_disk() {
            // It may have been smaller then.
            unpack.shape.size = None;
        }
        match self.optimized {
            true => unpack.streams(parts, now).await,
            false => unpack.snapshots(parts, write).await,
        }
    }

    pub(crate) async fn delete_side(&self, world: &World) -> Result<()> {
        match world.store.read(|db| self.own(db))? {
            Some(_) => self.unpacking(world, &Control::none()).await?.delete_side().await,
            None => Ok(()),
        }
    }

    pub(crate) async fn mark_whole(&self, world: &World) -> Result<()> {
        let (project, name) = (&self.instance.project, &self.instance.name);
        let marked = world.store.write(|db| match self.own(db)? {
            Some(_) => Ok(rows::set_made(db, project, name, Made::Ready)?),
            None => Err(Error::not_found("instance", name)),
        });
        marked.await?;
        backups::remove(&self.file).await?;
        world.tell(&self.caller, project, "instance-created", url::instance(project, name));
        Ok(())
    }
}

async fn write_rows(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.write_rows(&cx.world).await
}

async fn delete_rows(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.delete_rows(&cx.world).await
}

async fn root(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.unpack_root(&cx.world, &cx.control).await
}

async fn delete_root(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.delete_root(&cx.world).await
}

async fn kept(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.unpack_snapshots(&cx.world, &cx.control).await
}

async fn delete_side(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.delete_side(&cx.world).await
}

async fn whole(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.mark_whole(&cx.world).await
}

/// Makes an instance's files or its disk of a part of the file.
fn write(unpack: &Unpack, part: &str, into: &Path) -> Result<(), FillError> {
    let (limits, part) = (backups::limits(&unpack.pool)?, Path::new(part));
    let unpacked = match unpack.shape.content.is_disk() {
        true => images::unpack_machine,
        false => images::unpack_instance,
    };
    unpacked(&unpack.file, part, into, &limits, &unpack.control)?;
    Ok(())
}
