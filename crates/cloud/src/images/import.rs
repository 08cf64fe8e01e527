//! Takes in an image that a client sent.

use std::path::PathBuf;

use images::Files;
use options::names::check_alias;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};
use wire::ImagesPost;

use super::files;
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::images::{self as rows, Image, Source},
    disk::absent_is_done,
    projects::rules,
    url,
};

/// An image as a client sent it: files in the cache folder, and what it said of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Upload {
    /// The image, or the metadata of a split one.
    pub main: PathBuf,
    /// The root of a split one.
    pub rootfs: Option<PathBuf>,
    /// The fingerprint it must have, if the client said.
    pub fingerprint: Option<String>,
}

/// What is done to take in an image.
#[derive(Serialize, Deserialize)]
pub(crate) struct Import {
    caller: Caller,
    home: String,
    upload: Upload,
    post: ImagesPost,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    image: Option<Image>,
    /// The files that were made of a disk that came without metadata.
    #[serde(default)]
    adopted: Option<Upload>,
}

impl Task for Import {
    const KIND: &'static str = "image-import";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Import>> {
        vec![
            step("adopt disk", adopt).undo(drop_upload),
            step("look into image", inspect),
            step("keep files", keep).undo(drop_files),
            step("write row", row).undo(drop_row),
        ]
    }
}

impl Import {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        upload: Upload,
        post: ImagesPost,
    ) -> Result<Import> {
        check_aliases(&post)?;
        files::check_place(world)?;
        let home = world.store.read(|db| super::home(db, project))?;
        Ok(Import { caller: caller.clone(), home, upload, post })
    }
}

/// Fails where a name is none.
pub(super) fn check_aliases(post: &ImagesPost) -> Result<()> {
    let check = |name: &str| check_alias(name).map_err(|why| Error::invalid("alias", why));
    post.aliases.iter().try_for_each(|alias| check(&alias.name))
}

/// Takes in an image.
pub fn import(
    world: &World,
    caller: &Caller,
    project: &str,
    upload: Upload,
    post: ImagesPost,
) -> Result<Operation> {
    let request = request(caller, project);
    world.submit(Import::new(world, caller, project, upload, post)?, request)
}

pub(super) fn request(caller: &Caller, project: &str) -> Request {
    Request::new("Importing image").project(project).requestor(caller.requestor.clone())
}

/// Makes an image of a disk that came alone.
async fn adopt(cx: &mut Cx<Import>) -> Result<()> {
    let upload = cx.input.upload.clone();
    if upload.rootfs.is_some() {
        return Ok(());
    }
    let made = beside(&upload);
    let files = Files { main: made.main.clone(), rootfs: made.rootfs.clone() };
    let (name, control) = (cx.input.post.filename.clone(), cx.control.clone());
    let adopted = blocking("look into disk", move || {
        let Some(kind) = images::adopt::kind_of(&upload.main)? else { return Ok(false) };
        images::adopt::adopt(&upload.main, kind, &name, &files, &control)?;
        Ok::<_, Error>(true)
    });
    if adopted.await? {
        cx.notes.adopted = Some(made);
    }
    Ok(())
}

/// Where the files of an adopted disk are made.
fn beside(upload: &Upload) -> Upload {
    let beside = |ending: &str| {
        let mut name = upload.main.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    Upload { main: beside(".metadata"), rootfs: Some(beside(".disk")), fingerprint: None }
}

impl Notes {
    /// The files of the image.
    fn files(&self, upload: &Upload) -> Files {
        let Upload { main, rootfs, .. } = self.adopted.as_ref().unwrap_or(upload).clone();
        Files { main, rootfs }
    }
}

async fn inspect(cx: &mut Cx<Import>) -> Result<()> {
    let upload = cx.input.upload.clone();
    let (wanted, control) = (upload.fingerprint, cx.control.clone());
    let files = cx.notes.files(&cx.input.upload);
    let found = blocking("look into image", move || images::inspect(&files, &control)).await?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found.fingerprint) {
        let why = format!("{wanted} was announced, {} arrived", found.fingerprint);
        return Err(Error::invalid("fingerprint", why));
    }
    let post = &cx.input.post;
    let source = Source { task: cx.id.to_string(), ..Source::default() };
    let mut image = files::row(&found, &cx.input.home, &post.filename, source);
    image.properties.extend(post.properties.clone());
    image.public = post.public;
    image.auto_update = post.auto_update;
    if let Some(expires) = post.expires_at {
        image.expires_at = expires.utc();
    }
    refuse_twin(&cx.world, &image)?;
    cx.notes.image = Some(image);
    Ok(())
}

/// Fails when the project has the image already.
pub(super) fn refuse_twin(world: &World, image: &Image) -> Result<()> {
    world.store.read(|db| match rows::get(db, &image.project, &image.fingerprint)? {
        Some(_) => Err(Error::exists("image", &image.fingerprint)),
        None => Ok(()),
    })
}

async fn drop_upload(cx: &mut Cx<Import>) -> Result<()> {
    let upload = &cx.input.upload;
    let made = beside(upload);
    let given = std::iter::once(&upload.main).chain(&upload.rootfs);
    for path in given.chain(std::iter::once(&made.main)).chain(&made.rootfs) {
        absent_is_done(tokio::fs::remove_file(path).await, "remove", path)?;
    }
    Ok(())
}

async fn keep(cx: &mut Cx<Import>) -> Result<()> {
    let Some(image) = &cx.notes.image else { return Ok(()) };
    let from = cx.notes.files(&cx.input.upload);
    if !from.main.exists() {
        // The step ran before.
        return Ok(());
    }
    files::keep(&cx.world, from, &image.fingerprint).await
}

async fn drop_files(cx: &mut Cx<Import>) -> Result<()> {
    match &cx.notes.image {
        Some(image) => files::drop_unused(&cx.world, &image.fingerprint).await,
        None => Ok(()),
    }
}

async fn row(cx: &mut Cx<Import>) -> Result<()> {
    let Some(image) = cx.notes.image.clone() else { return Ok(()) };
    written(&cx.world, &cx.operation, (&cx.input.caller, &cx.input.post), &image).await?;
    drop_upload(cx).await
}

/// Writes the row of an image that a user asked for, with its names, and tells of it.
pub(super) async fn written(
    world: &World,
    operation: &Operation,
    (caller, post): (&Caller, &ImagesPost),
    image: &Image,
) -> Result<()> {
    let aliases = post.aliases.iter().map(|a| (a.name.clone(), a.description.clone()));
    write_row(world, image, aliases).await?;
    operation.set_metadata("fingerprint", image.fingerprint.clone());
    operation.set_metadata("size", image.size.to_string());
    let source = url::of("images", &image.fingerprint, &image.project);
    world.tell(caller, &image.project, "image-created", source);
    Ok(())
}

async fn drop_row(cx: &mut Cx<Import>) -> Result<()> {
    super::delete::take_back(&cx.world, &cx.id.to_string()).await
}

/// Writes an image's row with its aliases; an alias that is taken moves to it.
pub(super) async fn write_row(
    world: &World,
    image: &Image,
    aliases: impl Iterator<Item = (String, String)>,
) -> Result<()> {
    let aliases: Vec<_> = aliases.collect();
    world
        .store
        .write(|db| {
            if rows::get(db, &image.project, &image.fingerprint)?.is_none() {
                rows::insert(db, image)?;
                rules::keep(db, &image.project)?;
            }
            for (name, words) in &aliases {
                match rows::alias(db, &image.project, name)? {
                    Some(old) => rows::update_alias(db, old.id, &image.fingerprint, words)?,
                    None => {
                        rows::insert_alias(db, &image.project, name, words, &image.fingerprint)?;
                    }
                }
            }
            Ok::<_, Error>(())
        })
        .await
}
