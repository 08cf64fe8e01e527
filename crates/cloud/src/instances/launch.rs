//! Makes an instance, and starts it if that is asked: the walk from a request to its first process.
//!
//! All or nothing: an instance that does not start is not kept, and the reason says why.

use options::{Options, server::ServerOptions};
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstancesPost;

use super::{
    Kind,
    boot::{self, Starting},
    options::Typed,
    root::NewRoot,
    templates::{self, Trigger},
    volatile,
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        self,
        instances::{self as rows, Instance, Made},
        volumes,
    },
    expand::{self, Expanded},
    images::{self, Wanted},
    networks::{self, port::name_links},
    projects::rules,
    url,
};

/// What is done to make an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Launch {
    caller: Caller,
    instance: Instance,
    expanded: Expanded,
    /// `None` makes an empty root.
    image: Option<Wanted>,
    #[serde(flatten)]
    root: NewRoot,
    start: bool,
}

/// What the steps learn.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    image: Option<db::images::Image>,
    /// The row as it was written, with what the image and the server added.
    instance: Option<Instance>,
    expanded: Expanded,
    boot: boot::Notes,
}

impl Task for Launch {
    const KIND: &'static str = "instance-launch";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Launch>> {
        vec![
            step("find image", image),
            step("make image volume", image_volume),
            step("make root volume", root).undo(delete_root),
            step("write row", row).undo(delete_row),
            step("start monitor", monitor).undo(abandon),
            step("attach ports", ports),
            step("run init", release),
        ]
    }
}

impl Launch {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        post: &InstancesPost,
    ) -> Result<Launch> {
        let image = wanted(project, post)?;
        world.store.read(|db| {
            let instance = draft(db, world, project, post)?;
            let expanded = expand::expand(db, &instance)?;
            let typed = Typed::parse_whole(&expanded)?;
            super::check_devices(db, instance.kind(), (project, &instance.name), &typed)?;
            super::machine::check(instance.kind(), &world.host, &typed)?;
            rules::admit(db, &instance)?;
            image.iter().try_for_each(|wanted| wanted.check(db))?;
            Ok(Launch {
                caller: caller.clone(),
                root: NewRoot::new(db, instance.kind(), &typed)?,
                instance,
                expanded,
                image,
                start: post.start,
            })
        })
    }
}

/// Makes an instance.
pub async fn launch(
    world: &World,
    caller: &Caller,
    project: &str,
    post: InstancesPost,
) -> Result<Operation> {
    if post.source.r#type == "copy" {
        return super::copy::copy(world, caller, project, post).await;
    }
    let task = Launch::new(world, caller, project, &post)?;
    // Said at once: a task that fails on a pool that is gone cannot tidy up in it either.
    world.pools.open(world, &task.root.pool).await?;
    let words = if post.start { "Launching instance" } else { "Creating instance" };
    let request = super::request(world, words, caller, project, &task.instance.name);
    world.submit(task, request)
}

/// Where its root comes from.
fn wanted(project: &str, post: &InstancesPost) -> Result<Option<Wanted>> {
    match post.source.r#type.as_str() {
        "image" => {
            let kind = Kind::from(post.r#type);
            Ok(Some(Wanted::from_source(project, kind, &post.source)?))
        }
        "none" => Ok(None),
        "migration" => Err(Error::Unsupported("migration")),
        other => Err(Error::invalid("source type", format!("\"{other}\": image, copy or none"))),
    }
}

/// The row as the request wants it.
fn draft(
    db: &store::Read<'_>,
    world: &World,
    project: &str,
    post: &InstancesPost,
) -> Result<Instance> {
    let home = crate::profiles::home(db, project)?;
    let name = match post.name.as_str() {
        "" => free_name(db, project)?,
        given => given.to_owned(),
    };
    options::names::check_instance(&name).map_err(|why| Error::invalid("instance name", why))?;
    if rows::get(db, project, &name)?.is_some() {
        return Err(Error::exists("instance", &name));
    }
    let default = || vec![crate::profiles::DEFAULT.to_owned()];
    let profiles = post.profiles.clone().unwrap_or_else(default);
    super::check_profiles(db, &home, &profiles)?;
    let architecture = match post.architecture.as_str() {
        "" => world.host.architecture.clone(),
        given => given.to_owned(),
    };
    Ok(Instance {
        id: 0,
        stateful: false,
        project: project.to_owned(),
        name,
        kind: Kind::from(post.r#type).word().to_owned(),
        architecture,
        member: world.me(),
        description: post.description.clone(),
        config: post.config.clone().into(),
        devices: db::devices_in(post.devices.clone()),
        profiles,
        ephemeral: post.ephemeral,
        created_at: clock::utc(),
        last_used_at: chrono::DateTime::UNIX_EPOCH,
        made: Made::Ready,
    })
}

/// A name nobody has, for a client that does not care.
pub(super) fn free_name(db: &store::Read<'_>, project: &str) -> Result<String> {
    loop {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("i-{}", &random[..8]);
        if rows::get(db, project, &name)?.is_none() {
            return Ok(name);
        }
    }
}

async fn image(cx: &mut Cx<Launch>) -> Result<()> {
    let Some(wanted) = &cx.input.image else { return Ok(()) };
    let image = images::provide(&cx.world, wanted, &cx.control).await?;
    fits(&image, cx.input.instance.kind())?;
    cx.notes.image = Some(image);
    Ok(())
}

/// Fails when an image does not make such instances.
pub(super) fn fits(image: &db::images::Image, kind: Kind) -> Result<()> {
    if Kind::of(&image.kind) == kind {
        return Ok(());
    }
    let (is, name) = (&image.kind, &image.fingerprint[..12.min(image.fingerprint.len())]);
    let why = format!("\"{name}\" is one of a {is}, not of a {}", kind.word());
    Err(Error::invalid("image", why))
}

async fn image_volume(cx: &mut Cx<Launch>) -> Result<()> {
    let Some(image) = &cx.notes.image else { return Ok(()) };
    images::volume::ensure(&cx.world, &cx.input.root.pool, image, &cx.control).await
}

async fn root(cx: &mut Cx<Launch>) -> Result<()> {
    let input = cx.input.clone();
    let pool = cx.world.pools.open(&cx.world, &input.root.pool).await?;
    let volume = input.instance.root()?;
    let source = cx.notes.image.as_ref().map(images::volume::id).transpose()?;
    let shape = input.root.shape(input.instance.kind())?;
    let control = cx.control.clone();
    blocking("make root volume", move || {
        if pool.exists(&volume)? {
            return Ok(());
        }
        match source {
            Some(image) => match pool.clones() {
                Some(clones) => clones.clone_from(&image, &volume, &shape, &control),
                None => {
                    let (from, to) = ((&*pool, &image), (&*pool, &volume));
                    storage::fallback::copy_volume(from, to, &shape, &control)
                }
            },
            None => pool.create(&volume, &shape, None, &control),
        }
    })
    .await
}

async fn delete_root(cx: &mut Cx<Launch>) -> Result<()> {
    let instance = &cx.input.instance;
    super::delete::delete_volume(&cx.world, &cx.input.root.pool, instance).await
}

async fn row(cx: &mut Cx<Launch>) -> Result<()> {
    let (input, image) = (cx.input.clone(), cx.notes.image.clone());
    let project = input.instance.project.as_str();
    let (instance, expanded) = cx
        .world
        .store
        .write(|db| {
            let mut new = input.instance.clone();
            complete(db, &cx.world, &mut new, image.as_ref(), input.start)?;
            if let Some(there) = rows::get(db, project, &new.name)? {
                // A step may run twice: its own row is not somebody else's.
                if there.created_at != new.created_at {
                    return Err(Error::exists("instance", &new.name));
                }
                return Ok((there.clone(), expand::expand(db, &there)?));
            }
            rules::admit(db, &new)?;
            rows::insert(db, &new, &crate::profiles::home(db, project)?)?;
            volumes::insert(db, &input.root.row(&new))?;
            if let Some(image) = &image {
                db::images::set_last_used(db, image.id, new.created_at)?;
            }
            let expanded = expand::expand(db, &new)?;
            Ok((new, expanded))
        })
        .await?;
    let source = url::instance(project, &instance.name);
    cx.world.tell(&input.caller, project, "instance-created", source);
    (cx.notes.instance, cx.notes.expanded) = (Some(instance), expanded);
    Ok(())
}

/// Whether a virtual machine can be stopped with what it has in memory.
const STATEFUL: &str = "migration.stateful";

/// Adds to a new row what the image and the server know.
fn complete(
    db: &store::Read<'_>,
    world: &World,
    new: &mut Instance,
    image: Option<&db::images::Image>,
    start: bool,
) -> Result<()> {
    if let Some(image) = image {
        for (key, value) in &image.properties {
            new.config.set_default(&format!("image.{key}"), value.clone());
        }
        if new.kind() == Kind::VirtualMachine
            && image.properties.get("requirements.secureboot").is_some_and(|it| it == "false")
        {
            new.config.set_default("security.secureboot", "false");
        }
        new.config.set("volatile.base_image", image.fingerprint.clone());
        new.architecture.clone_from(&image.architecture);
    }
    let expanded = expand::expand(db, new)?;
    if new.kind() == Kind::VirtualMachine && !expanded.config.has(STATEFUL) {
        let server = ServerOptions::parse_known(&db::server::get(db)?)?;
        if server.instances_migration_stateful {
            new.config.set(STATEFUL, "true");
        }
    }
    let typed = Typed::parse_whole(&expanded)?;
    volatile::complete(&mut new.config, &typed.devices);
    name_links(db, &world.tag, new, &typed.devices)?;
    if typed.options.security.idmap_isolated {
        volatile::isolate(&mut new.config, &world.host, &typed.options.security, &rows::all(db)?)?;
    }
    if start {
        new.last_used_at = new.created_at;
        volatile::set_power(&mut new.config, options::instance::PowerState::Running);
    } else {
        templates::defer(&mut new.config, Trigger::Create);
    }
    Ok(())
}

async fn delete_row(cx: &mut Cx<Launch>) -> Result<()> {
    let new = &cx.input.instance;
    let (project, name) = (new.project.as_str(), new.name.as_str());
    let own = |row: &Instance| row.created_at == new.created_at;
    let there = cx.world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?;
    if there.as_ref().is_some_and(own) {
        networks::hosts::forget(&cx.world, project, name)?;
    }
    cx.world
        .store
        .write(|db| {
            if rows::get(db, project, name)?.as_ref().is_some_and(own) {
                volumes::delete(db, project, &new.kind, name)?;
                rows::delete(db, project, name)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    super::delete::remove_folders(&cx.world, project, name).await
}

fn starting(cx: &Cx<Launch>) -> Starting<'_> {
    let (instance, expanded) = match &cx.notes.instance {
        Some(instance) => (instance, &cx.notes.expanded),
        None => (&cx.input.instance, &cx.input.expanded),
    };
    Starting { fresh: Some(Trigger::Create), ..Starting::new(&cx.world, instance, expanded) }
}

async fn monitor(cx: &mut Cx<Launch>) -> Result<()> {
    if cx.input.start {
        let mut notes = cx.notes.boot.clone();
        starting(cx).monitor(&mut notes).await?;
        cx.notes.boot = notes;
    }
    Ok(())
}

async fn abandon(cx: &mut Cx<Launch>) -> Result<()> {
    if cx.input.start { starting(cx).abandon().await } else { Ok(()) }
}

async fn ports(cx: &mut Cx<Launch>) -> Result<()> {
    if cx.input.start { starting(cx).ports().await } else { Ok(()) }
}

async fn release(cx: &mut Cx<Launch>) -> Result<()> {
    if !cx.input.start {
        return Ok(());
    }
    starting(cx).release().await?;
    let instance = &cx.input.instance;
    let source = url::instance(&instance.project, &instance.name);
    cx.world.tell(&cx.input.caller, &instance.project, "instance-started", source);
    Ok(())
}
