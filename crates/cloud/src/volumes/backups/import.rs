//! Makes a custom volume of a file that a client sent: a backup that this server wrote, or LXD, or one
//! of the plain ones ([`super::plain`]).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::{Attached, FillError, Held, VolumeId};
use tasks::{Cx, Operation, Step, Task, step};

use super::{Form, contents::NAMES, draft, plain};
use crate::{
    Caller, Error, Result, World,
    backups::{self, Unpack, Upload},
    blocking::blocking,
    db::{
        volume_snapshots::Snapshot,
        volumes::{self as rows, Volume},
    },
    volumes::{Key, config, create},
};

/// What is done to make a volume of a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Import {
    caller: Caller,
    file: PathBuf,
    form: Form,
    volume: Volume,
    snapshots: Vec<Snapshot>,
    /// Whether streams of the driver are in it.
    #[serde(default)]
    optimized: bool,
}

impl Task for Import {
    const KIND: &'static str = "volume-import";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Import>> {
        vec![
            step("write rows", row).undo(delete_row),
            step("unpack files", whole).undo(delete_files),
            step("unpack snapshots", kept).undo(delete_side),
            step("note size", measure),
            step("mark rows as whole", ready),
        ]
    }
}

impl Import {
    pub(crate) async fn new(
        world: &World,
        caller: &Caller,
        (pool, project): (&str, &str),
        form: Form,
        upload: &Upload,
    ) -> Result<Import> {
        let mut optimized = false;
        let (volume, snapshots) = match form {
            Form::Backup => {
                let index = backups::index(&upload.file).await?;
                optimized = index.optimized;
                let name = upload.name.as_deref().unwrap_or_default();
                world.store.read(|db| {
                    draft::of_backup(db, world, Key::of(db, pool, project, name)?, &index)
                })?
            }
            other => (plain::draft(world, (pool, project), other, upload).await?, Vec::new()),
        };
        let (caller, file) = (caller.clone(), upload.file.clone());
        Ok(Import { caller, file, form, volume, snapshots, optimized })
    }

    fn key(&self) -> Key {
        crate::volumes::key_of(&self.volume)
    }

    fn is_disk(&self) -> bool {
        self.volume.content != "filesystem"
    }
}

/// Makes a volume of a file. The file is the operation's once this returns without an error.
pub async fn import(
    world: &World,
    caller: &Caller,
    (pool, project, kind): (&str, &str, &str),
    form: Form,
    upload: &Upload,
) -> Result<Operation> {
    crate::volumes::custom(kind)?;
    let task = Import::new(world, caller, (pool, project), form, upload).await?;
    let key = task.key();
    create::check_free_on_disk(world, &key).await?;
    world.submit(task, key.request("Restoring backup", caller))
}

async fn row(cx: &mut Cx<Import>) -> Result<()> {
    create::write_rows(&cx.world, &cx.input.volume, &cx.input.snapshots).await
}

async fn delete_row(cx: &mut Cx<Import>) -> Result<()> {
    create::delete_own_row(&cx.world, &cx.input.volume).await?;
    backups::remove(&cx.input.file).await
}

async fn unpack(cx: &Cx<Import>) -> Result<Unpack> {
    let (volume, key) = (&cx.input.volume, cx.input.key());
    let id = key.on_disk()?;
    // Every volume has a `_` after its project: none is called so.
    let uuid = volume.config.get("volatile.uuid").unwrap_or_default();
    let mut shape = config::shape(&volume.config, config::kept_as(&volume.content))?;
    if cx.input.form == Form::Iso {
        // For drivers that must know beforehand.
        let file = tokio::fs::metadata(&cx.input.file).await;
        shape.size = file.ok().map(|file| file.len());
    }
    Ok(Unpack {
        file: cx.input.file.clone(),
        pool: cx.world.pools.open(&cx.world, &key.pool).await?,
        side: VolumeId::new(id.kind, format!("new-{uuid}"))?,
        volume: id,
        shape,
        control: cx.control.clone(),
    })
}

fn files(unpack: &Unpack, part: &str, into: &Path) -> Result<(), FillError> {
    let (limits, part) = (backups::limits(&unpack.pool)?, Path::new(part));
    images::unpack_tree(&unpack.file, part, into, &limits, &unpack.control)?;
    Ok(())
}

async fn whole(cx: &mut Cx<Import>) -> Result<()> {
    let unpack = unpack(cx).await?;
    match cx.input.form {
        Form::Backup if cx.input.optimized => unpack.bare(None).await,
        Form::Backup if cx.input.is_disk() => {
            unpack.whole("backup/volume.img", backups::disk).await
        }
        Form::Backup => unpack.whole(NAMES[0], files).await,
        Form::Tar => unpack.whole("", files).await,
        Form::Iso => unpack.whole("", plain::iso).await,
        Form::Qcow2 => unpack.whole("", plain::qcow2).await,
    }
}

async fn delete_files(cx: &mut Cx<Import>) -> Result<()> {
    create::delete_own_files(&cx.world, &cx.input.volume).await
}

async fn kept(cx: &mut Cx<Import>) -> Result<()> {
    let (end, write): (_, backups::Write) = match cx.input.is_disk() {
        true => (".img", backups::disk),
        false => ("", files),
    };
    let names = cx.input.snapshots.iter().map(|one| &one.name);
    if cx.input.optimized {
        let parts = names.map(|name| (name.clone(), format!("{}/{name}", NAMES[1]))).collect();
        return unpack(cx).await?.streams(parts, NAMES[0]).await;
    }
    let parts = names.map(|name| (name.clone(), format!("{}/{name}{end}", NAMES[1]))).collect();
    unpack(cx).await?.snapshots(parts, write).await
}

async fn delete_side(cx: &mut Cx<Import>) -> Result<()> {
    unpack(cx).await?.delete_side().await
}

/// A disk is as large as what came, whatever its options say.
async fn measure(cx: &mut Cx<Import>) -> Result<()> {
    if cx.input.volume.content != "block" {
        return Ok(());
    }
    let Unpack { pool, volume, .. } = unpack(cx).await?;
    let size = blocking("measure disk", move || {
        let size = match &Held::volume(&*pool, &volume)?.attached {
            Attached::Block(disk) => storage::disk_size(disk)?.next_multiple_of(config::SECTOR),
            Attached::Path(_) | Attached::Overlay { .. } => 0,
        };
        pool.resize(&volume, Some(size))?;
        Ok::<_, Error>(size)
    })
    .await?;
    let noted = cx.world.store.write(|db| {
        let Some(row) = create::own(db, &cx.input.volume)? else { return Ok(()) };
        if config::bytes(&row)? != Some(size) {
            let mut options = row.config.clone();
            options.set("size", size.to_string());
            rows::update(db, row.id, &row.description, &options)?;
        }
        Ok::<_, Error>(())
    });
    noted.await
}

async fn ready(cx: &mut Cx<Import>) -> Result<()> {
    create::mark_ready(&cx.world, &cx.input.volume).await?;
    backups::remove(&cx.input.file).await?;
    cx.input.key().tell(&cx.world, &cx.input.caller, "storage-volume-created");
    Ok(())
}
