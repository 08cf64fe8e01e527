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
    instances::{copy, delete, machine, migrate::Moving, options::Typed, root::NewRoot},
    networks::hosts,
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
    /// The move by which it comes from another member: its rows are there already, and become this member's.
    #[serde(default)]
    moving: Option<Moving>,
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
            step("mark rows as whole", whole).undo(end_move),
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
        Ok(Import { caller, file, instance, snapshots, root, optimized, moving: None })
    }

    /// Of a file that another member sends, whose instance comes here: as `instance`, whose key is that of its row.
    pub(crate) fn of_move(
        world: &World,
        caller: &Caller,
        (moving, instance, pool): (Moving, Instance, &str),
        (file, optimized): (&Path, bool),
    ) -> Result<Import> {
        let (snapshots, instance, root) = world.store.read(|db| {
            let old = rows::by_id(db, moving.instance)?;
            let old = old.ok_or_else(|| Error::not_found("instance", &instance.name))?;
            let devices = copy::draft::in_pool(db, &instance, pool)?;
            let instance = Instance { devices, ..instance.clone() };
            let typed = Typed::parse_whole(&expand::expand(db, &instance)?)?;
            let (kind, of) = (instance.kind(), (&*instance.project, &*instance.name));
            crate::instances::check_devices(db, kind, of, &typed)?;
            let mut root = NewRoot::filled(db, kind, &typed)?;
            if pool == crate::instances::snapshots::pool_of(db, &old.project, &old.name)? {
                root.config = crate::instances::root::options_of(db, &old)?;
            }
            let snapshots = copy::draft::kept(db, &old, &instance.project, pool)?;
            Ok::<_, Error>((snapshots, instance, root))
        })?;
        let (caller, file, moving) = (caller.clone(), file.to_owned(), Some(moving));
        Ok(Import { caller, file, instance, snapshots, root, optimized, moving })
    }

    /// The row this task wrote, if it is there; of a move the instance's, as it becomes.
    pub(crate) fn own(&self, db: &store::Read<'_>) -> Result<Option<Instance>> {
        let Instance { project, name, devices, .. } = self.instance.clone();
        if let Some(moving) = &self.moving {
            let row = rows::by_id(db, moving.instance)?;
            return Ok(row.map(|row| Instance { project, name, devices, ..row }));
        }
        let found = rows::get(db, &project, &name)?;
        Ok(found.filter(|row| row.created_at == self.instance.created_at))
    }

    /// The row whose files are half made, and may be deleted.
    pub(crate) fn half(&self, db: &store::Read<'_>) -> Result<Option<Instance>> {
        let (own, me) = (self.own(db)?, crate::cluster::own(db)?.name);
        if own.is_none() && self.moves() {
            // It was deleted where it stayed: what lies here is nobody's, unless another one has the name here.
            let other = rows::get(db, &self.instance.project, &self.instance.name)?;
            return Ok(other.is_none_or(|row| row.member != me).then(|| self.instance.clone()));
        }
        Ok(own.filter(|row| !self.moves() || row.member != me))
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
        if self.moving.is_some() {
            return self.clear_place(world).await;
        }
        let input = self.clone();
        let written = world.store.write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            let new = &input.instance;
            if rows::get(db, &new.project, &new.name)?.is_some() {
                return Err(Error::exists("instance", &new.name));
            }
            let new = copy::draft::completed(db, world, new)?;
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
        if self.moving.is_some() {
            self.clear_place(world).await?;
            if let Some(row) = world.store.read(|db| self.half(db))? {
                let kept = super::folder(&row.project, &row.name);
                backups::remove_all(world, &kept).await?;
            }
            return backups::remove(&self.file).await;
        }
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

    /// Deletes what an earlier move that came to nothing may have left where it is to be.
    async fn clear_place(&self, world: &World) -> Result<()> {
        self.delete_side(world).await?;
        self.delete_root(world).await
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
        match world.store.read(|db| self.half(db))? {
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
        match world.store.read(|db| self.half(db))? {
            Some(_) => self.unpacking(world, &Control::none()).await?.delete_side().await,
            None => Ok(()),
        }
    }

    pub(crate) async fn mark_whole(&self, world: &World) -> Result<()> {
        let (project, name) = (&self.instance.project, &self.instance.name);
        if self.moving.is_some() {
            self.take(world).await?;
            backups::remove(&self.file).await?;
            hosts::tell_of(world, project, name)?;
            world.tell(&self.caller, project, "instance-updated", url::instance(project, name));
            return Ok(());
        }
        let marked = world.store.write(|db| match self.own(db)? {
            Some(_) => Ok(rows::set_made(db, project, name, Made::Ready)?),
            None => Err(Error::not_found("instance", name)),
        });
        marked.await?;
        backups::remove(&self.file).await?;
        world.tell(&self.caller, project, "instance-created", url::instance(project, name));
        Ok(())
    }

    /// Whether it comes from another member.
    pub(crate) fn moves(&self) -> bool {
        self.moving.is_some()
    }

    /// Whether it came from another member, and is this one's now.
    pub(crate) fn is_here(&self, world: &World) -> Result<bool> {
        world.store.read(|db| Ok(self.moves() && self.half(db)?.is_none()))
    }

    /// Makes the rows of a move this member's. From then on the source deletes what it has.
    pub(crate) async fn take(&self, world: &World) -> Result<()> {
        match &self.moving {
            Some(moving) => moving.take(world, &self.instance, &self.snapshots, &self.root).await,
            None => Ok(()),
        }
    }

    /// Ends the move; whether the instance is this member's then.
    pub(crate) async fn end_move(&self, world: &World) -> Result<bool> {
        match &self.moving {
            Some(moving) => moving.end(world).await,
            None => Ok(false),
        }
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

/// What cannot be taken back stays: see [`Import::half`].
async fn end_move(cx: &mut Cx<Import>) -> Result<()> {
    cx.input.end_move(&cx.world).await.map(drop)
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
