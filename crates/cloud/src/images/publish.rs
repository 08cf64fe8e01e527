//! Makes an image of an instance that is stopped, or of a snapshot.

use std::{fs, fs::File, io, path::PathBuf};

use exec::Control;
use images::{Contents, Files, Found, Kind, Metadata, Packing, Root};
use options::names::check_alias;
use serde::{Deserialize, Serialize};
use storage::{Access, Attached, Held, View, VolumeId};
use tasks::{Cx, Operation, Request, Step, Task, step};
use wire::ImagesPost;

use super::{files, import};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    compression::{Purpose, Wanted},
    db::images::{self as rows, Image, Source},
    disk::remove_file,
    instances::{self, guests::Phase, snapshots},
    storage::OpenPool,
    url,
};

/// What is done to make an image of an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Publish {
    caller: Caller,
    home: String,
    of: Of,
    post: ImagesPost,
    compression: Wanted,
}

/// What it is made of.
#[derive(Serialize, Deserialize)]
struct Of {
    project: String,
    instance: String,
    /// Only this snapshot.
    snapshot: Option<String>,
    pool: String,
    architecture: String,
    #[serde(default)]
    kind: instances::Kind,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    image: Option<Image>,
}

impl Task for Publish {
    const KIND: &'static str = "image-publish";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Publish>> {
        vec![
            step("pack image", pack).undo(drop_packed),
            step("keep files", keep).undo(drop_files),
            step("write row", row).undo(drop_row),
        ]
    }
}

impl Publish {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        post: ImagesPost,
    ) -> Result<Publish> {
        files::check_place(world)?;
        for alias in &post.aliases {
            check_alias(&alias.name).map_err(|why| Error::invalid("alias", why))?;
        }
        let source = post.source.clone().unwrap_or_default();
        let (instance, snapshot) = match source.name.split_once('/') {
            Some((instance, snapshot)) => (instance.to_owned(), Some(snapshot.to_owned())),
            None => (source.name.clone(), None),
        };
        if (source.r#type == "snapshot") != snapshot.is_some() {
            let why = format!("\"{}\" is no {}", source.name, source.r#type);
            return Err(Error::invalid("source", why));
        }
        let from = if source.project.is_empty() { project } else { &source.project };
        caller.check(from)?;
        let of = world.store.read(|db| {
            let row = instances::find(db, from, &instance)?;
            if let Some(name) = &snapshot {
                snapshots::find(db, from, &instance, name)?;
            }
            let pool = snapshots::pool_of(db, from, &instance)?;
            let (project, kind) = (from.to_owned(), row.kind());
            let architecture = row.architecture;
            Ok::<_, Error>(Of { project, instance, snapshot, pool, architecture, kind })
        })?;
        let given = &post.compression_algorithm;
        let compression =
            world.store.read(|db| Wanted::find(db, project, Purpose::Image, given))?;
        let home = world.store.read(|db| {
            let home = super::home(db, project)?;
            for alias in &post.aliases {
                if rows::alias(db, &home, &alias.name)?.is_some() {
                    return Err(Error::exists("image alias", &alias.name));
                }
            }
            Ok(home)
        })?;
        Ok(Publish { caller: caller.clone(), home, of, post, compression })
    }
}

/// Makes an image of an instance that is stopped, or of a snapshot.
pub fn publish(
    world: &World,
    caller: &Caller,
    project: &str,
    post: ImagesPost,
) -> Result<Operation> {
    let task = Publish::new(world, caller, project, post)?;
    stopped(world, &task.of)?;
    let (from, name) = (&task.of.project, &task.of.instance);
    let request = Request::new("Publishing instance")
        .project(project)
        .resource("instances", url::instance(from, name))
        .requestor(caller.requestor.clone())
        .share(instances::lock_name(from, name));
    world.submit(task, request)
}

/// A snapshot may be of one that runs.
fn stopped(world: &World, of: &Of) -> Result<()> {
    match world.guests.get(&of.project, &of.instance) {
        Some(guest) if of.snapshot.is_none() && guest.phase() != Phase::Gone => {
            let hint = "stop it first, or use --force";
            Err(Error::State { name: of.instance.clone(), is: "running", hint })
        }
        _ => Ok(()),
    }
}

fn work(cx: &Cx<Publish>) -> PathBuf {
    cx.world.dirs.cache().join(format!("publish-{}", cx.id))
}

/// A disk in QEMU's format, until it is packed.
fn disk(cx: &Cx<Publish>) -> PathBuf {
    cx.world.dirs.cache().join(format!("publish-{}.qcow2", cx.id))
}

/// What is packed.
struct Reading {
    pool: OpenPool,
    volume: VolumeId,
    snapshot: Option<String>,
    /// Where a disk is made QEMU's.
    disk: PathBuf,
}

impl Reading {
    /// The folder with what lies beside what is packed.
    fn beside(&self) -> storage::Result<PathBuf> {
        match (&self.snapshot, self.pool.snapshots()) {
            (Some(name), Some(snapshots)) => snapshots.folder(&self.volume, name),
            _ => self.pool.folder(&self.volume),
        }
    }

    /// Of what is held: beside some volumes there is nothing otherwise.
    fn metadata(&self, (architecture, post): (&str, &ImagesPost)) -> Result<Metadata> {
        let file = self.beside()?.join("metadata.yaml");
        let mut metadata = match fs::read(&file) {
            Ok(text) => Metadata::parse(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Metadata::default(),
            Err(error) => return Err(Error::file("read", &file)(error)),
        };
        metadata.architecture = architecture.to_owned();
        metadata.creation_date = clock::utc().timestamp();
        metadata.expiry_date =
            post.expires_at.filter(|end| !end.is_never()).map_or(0, |end| end.utc().timestamp());
        metadata.properties.extend(post.properties.clone());
        Ok(metadata)
    }

    fn pack(
        &self,
        about: (&str, &ImagesPost),
        to: &PathBuf,
        packing: Packing,
        control: &Control,
    ) -> Result<Found> {
        let held = match &self.snapshot {
            None => Held::volume(&*self.pool, &self.volume)?,
            Some(name) => Held::snapshot(&*self.pool, &self.volume, name)?,
        };
        let metadata = self.metadata(about)?;
        let beside = self.beside()?;
        let folder = |name| Some(beside.join(name)).filter(|folder| folder.exists());
        let (templates, boot) = (folder("templates"), folder("boot"));
        let (templates, boot) = (templates.as_deref(), boot.as_deref());
        let file = File::create(to).map_err(Error::file("create", to))?;
        let pack = |root| {
            let contents = Contents { metadata: &metadata, templates, boot, root };
            images::pack(&contents, packing, &file, control)
        };
        let (packed, kind) = match &held.attached {
            Attached::Block(disk) => {
                exec::qemu_img::to_qcow2(disk, &self.disk, control).map_err(images::Error::from)?;
                (pack(Root::Disk(&self.disk)), Kind::VirtualMachine)
            }
            files => {
                let view = View::open(files, Access::Read)?;
                (pack(Root::Files(&view.path())), Kind::Container)
            }
        };
        let (fingerprint, size) = packed.map(|packed| (packed.fingerprint, packed.size))?;
        remove_file(&self.disk)?;
        Ok(Found { fingerprint, size, metadata, kind })
    }
}

async fn pack(cx: &mut Cx<Publish>) -> Result<()> {
    let (world, input) = (&cx.world, cx.input.clone());
    stopped(world, &input.of)?;
    let reading = Reading {
        pool: world.pools.open(world, &input.of.pool).await?,
        volume: input.of.kind.root(&input.of.project, &input.of.instance)?,
        snapshot: input.of.snapshot.clone(),
        disk: disk(cx),
    };
    let (to, packing, control) = (work(cx), input.compression.parsed()?, cx.control.clone());
    let found = blocking("pack image", move || {
        reading.pack((&input.of.architecture, &input.post), &to, packing, &control)
    })
    .await?;
    let post = &cx.input.post;
    let source = Source { task: cx.id.to_string(), ..Source::default() };
    let mut image = files::row(&found, &cx.input.home, &post.filename, source);
    image.public = post.public;
    import::refuse_twin(&cx.world, &image)?;
    cx.notes.image = Some(image);
    Ok(())
}

async fn drop_packed(cx: &mut Cx<Publish>) -> Result<()> {
    remove_file(&disk(cx)).and(remove_file(&work(cx)))
}

async fn keep(cx: &mut Cx<Publish>) -> Result<()> {
    let Some(image) = &cx.notes.image else { return Ok(()) };
    let packed = work(cx);
    if !packed.exists() {
        // The step ran before.
        return Ok(());
    }
    files::keep(&cx.world, Files::unified(packed), &image.fingerprint).await
}

async fn drop_files(cx: &mut Cx<Publish>) -> Result<()> {
    match &cx.notes.image {
        Some(image) => files::drop_unused(&cx.world, &image.fingerprint).await,
        None => Ok(()),
    }
}

async fn row(cx: &mut Cx<Publish>) -> Result<()> {
    let Some(image) = cx.notes.image.clone() else { return Ok(()) };
    let aliases = cx.input.post.aliases.clone();
    let aliases = aliases.into_iter().map(|alias| (alias.name, alias.description));
    import::write_row(&cx.world, &image, aliases).await?;
    cx.operation.set_metadata("fingerprint", image.fingerprint.clone());
    cx.operation.set_metadata("size", image.size.to_string());
    let source = url::of("images", &image.fingerprint, &image.project);
    cx.world.tell(&cx.input.caller, &image.project, "image-created", source);
    Ok(())
}

async fn drop_row(cx: &mut Cx<Publish>) -> Result<()> {
    super::delete::take_back(&cx.world, &cx.id.to_string()).await
}
