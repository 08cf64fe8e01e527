//! Makes a bucket of a backup that a client sent.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use storage::{FillError, Shape};
use tasks::{Cx, Operation, Step, Task, step};

use super::{
    contents::{PART, PARTS},
    draft,
};
use crate::{
    Caller, Result, World,
    backups::{self, Unpack, Upload},
    db::buckets::{Bucket, Key},
    storage::buckets::create,
};

/// What is done to make a bucket of a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Import {
    caller: Caller,
    file: PathBuf,
    bucket: Bucket,
    keys: Vec<Key>,
}

impl Task for Import {
    const KIND: &'static str = "bucket-import";
    type World = World;
    type Notes = ();
    type Error = crate::Error;

    fn steps() -> Vec<Step<Import>> {
        vec![
            step("write rows", rows).undo(delete_rows),
            step("unpack objects", whole).undo(delete_volume),
            step("mark as made", ready),
        ]
    }
}

impl Import {
    pub(crate) async fn new(
        world: &World,
        caller: &Caller,
        place: (&str, &str),
        upload: &Upload,
    ) -> Result<Import> {
        let index = backups::index(&upload.file).await?;
        let name = upload.name.as_deref();
        let (bucket, keys) =
            world.store.read(|db| draft::of_backup(db, world, place, name, &index))?;
        Ok(Import { caller: caller.clone(), file: upload.file.clone(), bucket, keys })
    }
}

/// Makes a bucket of a backup. The file is the operation's once this returns without an error.
pub async fn import(
    world: &World,
    caller: &Caller,
    place: (&str, &str),
    upload: &Upload,
) -> Result<Operation> {
    let task = Import::new(world, caller, place, upload).await?;
    let Bucket { pool, project, name, .. } = &task.bucket;
    let request = super::super::request("Restoring backup", pool, project, name, caller);
    world.submit(task, request)
}

async fn rows(cx: &mut Cx<Import>) -> Result<()> {
    create::write_rows(&cx.world, &cx.input.bucket, &cx.input.keys).await
}

async fn delete_rows(cx: &mut Cx<Import>) -> Result<()> {
    create::delete_own_rows(&cx.world, &cx.input.bucket).await?;
    backups::remove(&cx.input.file).await
}

async fn whole(cx: &mut Cx<Import>) -> Result<()> {
    let (bucket, pool) = create::place(&cx.world, &cx.input.bucket).await?;
    let unpack = Unpack {
        file: cx.input.file.clone(),
        pool,
        side: bucket.clone(),
        volume: bucket,
        shape: Shape::filesystem(),
        control: cx.control.clone(),
    };
    unpack.whole(PART, objects_of).await
}

/// Only what a store can be made of comes out of the file, and by names that are checked.
fn objects_of(unpack: &Unpack, part: &str, into: &Path) -> Result<(), FillError> {
    let limits = backups::limits(&unpack.pool)?;
    for folder in [objects::NAMES, objects::CONTENTS] {
        DirBuilder::new().mode(0o700).create(into.join(folder))?;
    }
    images::unpack_files(&unpack.file, Path::new(part), into, &limits, &unpack.control, &place)?;
    Ok(objects::restore(into)?)
}

fn place(path: &Path) -> Option<PathBuf> {
    let (folder, name) = path.to_str()?.split_once('/')?;
    let [names, blobs] = PARTS;
    let number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    match folder {
        _ if folder == names && number(name) => Some(Path::new(objects::NAMES).join(name)),
        _ if folder == blobs && objects::is_blob(name) => {
            Some(Path::new(objects::CONTENTS).join(name))
        }
        _ => None,
    }
}

async fn delete_volume(cx: &mut Cx<Import>) -> Result<()> {
    create::delete_own_volume(&cx.world, &cx.input.bucket).await
}

async fn ready(cx: &mut Cx<Import>) -> Result<()> {
    create::mark_ready(&cx.world, &cx.input.bucket).await?;
    backups::remove(&cx.input.file).await?;
    let Bucket { pool, project, name, .. } = &cx.input.bucket;
    let address = super::super::address(pool, project, name);
    cx.world.tell(&cx.input.caller, project, "storage-bucket-created", address);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_no_names_but_their_own() {
        let at = |path: &str| place(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(at("names/000000000001").as_deref(), Some("names/000000000001"));
        assert_eq!(at("blobs/18c2f0").as_deref(), Some("incoming/18c2f0"));
        for hostile in
            ["index.db", "names/../index.db", "blobs/x/y", "blobs/index.db", "names/", ""]
        {
            assert_eq!(at(hostile), None, "{hostile}");
        }
    }
}
