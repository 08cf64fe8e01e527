//! Writes new rows of instances, and of the profile they have from, with the devices of those that
//! run.
//!
//! ```text
//! plug devices ──> resize roots ──> change machines ──> write rows
//!      <──── undo ────       an instance that runs gets its devices first, and a machine its memory and
//!                            processors, so that what cannot be leaves every row and every device as it was
//! ```
//! Nothing to plug or to resize: the rows are written at once, without a task.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use storage::VolumeId;
use store::{Read, Write};
use tasks::{Cx, Request, Step, Task, step};

use super::{
    guests::Phase,
    options::Typed,
    plug::{self, Touched, Way},
    snapshots, volatile,
};
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::{self as rows, Instance},
        profiles::{self as profile_rows, Profile},
    },
    expand::{self, Expanded},
    names,
    networks::{
        port::{Port, name_links},
        ports,
    },
    projects::rules,
    storage::resize,
    volumes::attach,
};

/// A row as it was and as it is to be.
#[derive(Clone, Serialize, Deserialize)]
struct Change<T> {
    before: T,
    after: T,
}

impl<T: Clone> Change<T> {
    fn reversed(&self) -> Change<T> {
        Change { before: self.after.clone(), after: self.before.clone() }
    }
}

/// An instance's row, and what it is with its profiles.
#[derive(Clone, Serialize, Deserialize)]
struct Of {
    row: Change<Instance>,
    whole: Change<Expanded>,
    /// Where its profiles live.
    home: String,
    /// The size of its root, if that changes.
    #[serde(default)]
    root: Option<Root>,
}

/// A root that gets another size, in bytes.
#[derive(Clone, Serialize, Deserialize)]
struct Root {
    pool: String,
    size: Change<Option<u64>>,
}

/// What is done to give instances new options and devices.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Reconfigure {
    profile: Option<Change<Profile>>,
    instances: Vec<Of>,
}

impl Task for Reconfigure {
    const KIND: &'static str = "instance-reconfigure";
    type World = World;
    type Notes = Touched;
    type Error = Error;

    fn steps() -> Vec<Step<Reconfigure>> {
        vec![
            step("plug devices", plug_devices).undo(unplug_devices),
            step("resize roots", resize_roots).undo(resize_back),
            step("change machines", change_machines).undo(change_back),
            step("write rows", write).undo(write_back),
        ]
    }
}

impl Reconfigure {
    /// The change of one instance.
    pub(crate) fn instance(
        (db, tag): (&Read<'_>, &str),
        old: &Instance,
        new: Instance,
    ) -> Result<Reconfigure> {
        let profiles = profiles_of(db, &new)?;
        let instances = vec![Of::new((db, tag), old, new, &profiles)?];
        Reconfigure { profile: None, instances }.within_rules(db)
    }

    /// The change of a profile, and of those that have it.
    pub(crate) fn profile(
        (db, tag): (&Read<'_>, &str),
        old: Profile,
        new: Profile,
    ) -> Result<Reconfigure> {
        let mut instances = Vec::new();
        for (id, project, name) in profile_rows::users(db)? {
            // One that is being made reads the profile by itself.
            if let (true, Ok(row)) = (id == old.id, super::find(db, &project, &name)) {
                let mut profiles = profiles_of(db, &row)?;
                for profile in profiles.iter_mut().filter(|profile| profile.id == old.id) {
                    profile.clone_from(&new);
                }
                instances.push(Of::new((db, tag), &row, row.clone(), &profiles)?);
            }
        }
        let profile = Some(Change { before: old, after: new });
        Reconfigure { profile, instances }.within_rules(db)
    }

    /// Refuses sizes of roots that what is in them does not fit in.
    pub(crate) async fn check_room(&self, world: &World) -> Result<()> {
        for of in &self.instances {
            if let Some(Root { pool, size }) = &of.root {
                let sizes = (size.before, size.after);
                resize::check_room(world, (pool, &of.volume()?), sizes).await?;
            }
        }
        Ok(())
    }

    /// Whether more is to be done than to write rows: a root is resized, or somebody runs whose devices
    /// change.
    pub(crate) fn acts(&self, world: &World) -> Result<bool> {
        for of in &self.instances {
            if of.root.is_some() {
                return Ok(true);
            }
            let (project, name) = of.name();
            let id = names::instance_id(project, name);
            if world.guests.get(project, name).is_some()
                && (plug::differ(world, &id, &of.whole.before, &of.whole.after)?
                    || of.changes_machine()?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs it, and waits for its end.
    pub(crate) async fn run(self, world: &World, caller: &Caller, project: &str) -> Result<()> {
        let mut request = Request::new("Changing devices")
            .project(project)
            .requestor(caller.requestor.clone())
            .uncancellable()
            .wait_when_busy();
        let mut volumes = BTreeSet::new();
        for of in &self.instances {
            let (project, name) = of.name();
            request = request.lock(super::lock_name(project, name));
            let claims = |db: &Read<'_>| attach::claims(db, project, &of.whole.after.devices);
            volumes.extend(world.store.read(claims)?);
        }
        for claim in volumes {
            request = request.share(claim);
        }
        world.submit(self, request)?.result().await.map_err(Error::failed)
    }

    /// Tells those that run what they are now, once it is written.
    pub(crate) fn tell_guests(&self, world: &World) {
        for of in &self.instances {
            crate::devlxd::changed(world, of.name(), (&of.whole.before, &of.whole.after));
        }
    }

    /// Puts the rows in place; fails when somebody else changed them meanwhile.
    pub(crate) fn write(&self, db: &mut Write<'_>) -> Result<()> {
        if let Some(profile) = &self.profile {
            let before = &profile.before;
            let now = profile_rows::get(db, &before.project, &before.name)?;
            let same = now.is_some_and(|now| {
                (now.config, now.devices) == (before.config.clone(), before.devices.clone())
            });
            if !same {
                return Err(Error::Changed { what: "profile", name: before.name.clone() });
            }
            put_profile(db, &profile.after)?;
        }
        for of in &self.instances {
            let (before, (project, name)) = (&of.row.before, of.name());
            let now = super::find(db, project, name)?;
            if (&now.devices, &now.profiles) != (&before.devices, &before.profiles) {
                return Err(Error::Changed { what: "instance", name: name.to_owned() });
            }
            put(db, &of.row, &of.home)?;
        }
        let projects = self.instances.iter().map(|of| of.row.before.project.as_str());
        projects.collect::<BTreeSet<_>>().into_iter().try_for_each(|name| rules::keep(db, name))
    }

    /// Refuses at once what no project may have: devices are plugged before rows are written.
    fn within_rules(self, db: &Read<'_>) -> Result<Reconfigure> {
        rules::admit_all(db, self.instances.iter().map(|of| (&of.row.after, &of.whole.after)))?;
        Ok(self)
    }
}

impl Of {
    /// Completes the new row with what the server chooses for its devices.
    fn new(
        (db, tag): (&Read<'_>, &str),
        old: &Instance,
        mut new: Instance,
        profiles: &[Profile],
    ) -> Result<Of> {
        let home = crate::profiles::home(db, &old.project)?;
        let before = completed(db, old)?;
        let typed = Typed::parse_whole(&expand::lay(profiles, &new))?;
        volatile::prune(&mut new.config, &typed.devices);
        volatile::complete(&mut new.config, &typed.devices);
        name_links(db, tag, &mut new, &typed.devices)?;
        let after = expand::lay(profiles, &new);
        let size_of = |typed: &Typed| super::root::usual_size(new.kind(), typed);
        let size = Change { before: size_of(&Typed::parse(&before)?), after: size_of(&typed) };
        let root = match size.before == size.after {
            true => None,
            false => Some(Root { pool: snapshots::pool_of(db, &old.project, &old.name)?, size }),
        };
        attach::check(db, (&new.project, new.kind()), &typed.devices)?;
        Port::check_names(&typed.devices, &after.config)?;
        Ok(Of {
            row: Change { before: old.clone(), after: new },
            whole: Change { before, after },
            home,
            root,
        })
    }

    /// Whether it is a machine that gets other memory or processors.
    fn changes_machine(&self) -> Result<bool> {
        let Change { before, after } = &self.whole;
        Ok(self.row.after.kind() == super::Kind::VirtualMachine
            && super::machine::limits::differ(before, after)?)
    }

    fn volume(&self) -> Result<VolumeId> {
        self.row.before.root()
    }

    fn name(&self) -> (&str, &str) {
        (&self.row.before.project, &self.row.before.name)
    }
}

/// What an instance is; a card that came with a profile may never have been chosen an address.
fn completed(db: &Read<'_>, instance: &Instance) -> Result<Expanded> {
    let mut whole = expand::expand(db, instance)?;
    let typed = Typed::parse(&whole)?;
    volatile::complete(&mut whole.config, &typed.devices);
    Ok(whole)
}

fn profiles_of(db: &Read<'_>, instance: &Instance) -> Result<Vec<Profile>> {
    let home = crate::profiles::home(db, &instance.project)?;
    let mut found = Vec::new();
    for name in &instance.profiles {
        found.extend(profile_rows::get(db, &home, name)?);
    }
    Ok(found)
}

fn put_profile(db: &mut Write<'_>, new: &Profile) -> Result<()> {
    Ok(profile_rows::update(db, new.id, &new.description, &new.config, &new.devices)?)
}

/// Writes what changes of an instance. Other options than those may have been written meanwhile, as
/// when it stops.
fn put(db: &mut Write<'_>, row: &Change<Instance>, home: &str) -> Result<()> {
    let Change { before, after } = row;
    let Some(now) = rows::get(db, &before.project, &before.name)? else { return Ok(()) };
    let mut config = now.config;
    for (key, value) in differing(row) {
        match value {
            Some(value) => config.set(key, value),
            None => drop(config.remove(key)),
        }
    }
    Ok(rows::update(db, &Instance { config, ..after.clone() }, home)?)
}

/// The options that change, and what to.
fn differing(row: &Change<Instance>) -> impl Iterator<Item = (&str, Option<&str>)> {
    let (before, after) = (&row.before.config, &row.after.config);
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(key) != after.get(key)).map(|key| (key, after.get(key)))
}

async fn plug_devices(cx: &mut Cx<Reconfigure>) -> Result<()> {
    for of in &cx.input.instances {
        let (whole, notes) = (&of.whole, &mut cx.notes);
        plug::swap(&cx.world, of.name(), (&whole.before, &whole.after), Way::Forth, notes).await?;
    }
    Ok(())
}

async fn unplug_devices(cx: &mut Cx<Reconfigure>) -> Result<()> {
    for of in cx.input.instances.iter().rev() {
        let (whole, notes) = (&of.whole, &mut cx.notes);
        plug::swap(&cx.world, of.name(), (&whole.after, &whole.before), Way::Back, notes).await?;
    }
    Ok(())
}

async fn resize_roots(cx: &mut Cx<Reconfigure>) -> Result<()> {
    for of in &cx.input.instances {
        if let Some(Root { pool, size }) = &of.root {
            resize::resize(&cx.world, pool, of.volume()?, size.after).await?;
            let (project, name) = of.name();
            if let Some(guest) = cx.world.guests.get(project, name) {
                let (root, device) = (of.volume()?, Typed::parse(&of.whole.after)?);
                super::machine::grow_root(&cx.world, &guest, &device, root).await?;
            }
        }
    }
    Ok(())
}

async fn resize_back(cx: &mut Cx<Reconfigure>) -> Result<()> {
    for of in &cx.input.instances {
        if let Some(Root { pool, size }) = &of.root {
            resize::undo(&cx.world, pool, of.volume()?, size.before).await?;
        }
    }
    Ok(())
}

async fn change_machines(cx: &mut Cx<Reconfigure>) -> Result<()> {
    change(cx, |whole| &whole.after).await
}

async fn change_back(cx: &mut Cx<Reconfigure>) -> Result<()> {
    change(cx, |whole| &whole.before).await
}

async fn change(cx: &Cx<Reconfigure>, to: impl Fn(&Change<Expanded>) -> &Expanded) -> Result<()> {
    for of in &cx.input.instances {
        let (project, name) = of.name();
        let Some(guest) = cx.world.guests.get(project, name) else { continue };
        if of.changes_machine()? && guest.phase() != Phase::Gone {
            super::machine::limits::apply(&cx.world, &guest, to(&of.whole)).await?;
        }
    }
    Ok(())
}

async fn write(cx: &mut Cx<Reconfigure>) -> Result<()> {
    let input = cx.input.clone();
    // Run again it finds its own rows.
    cx.world.store.write(|db| if input.written(db)? { Ok(()) } else { input.write(db) }).await?;
    for of in &cx.input.instances {
        let (project, name) = of.name();
        // It ended while it was given devices, and was tidied up by what its row said then.
        if cx.world.guests.get(project, name).is_none() {
            ports::detach(&cx.world, project, name, &of.whole.after).await?;
        }
    }
    Ok(())
}

async fn write_back(cx: &mut Cx<Reconfigure>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            if !input.written(db)? {
                return Ok(());
            }
            if let Some(profile) = &input.profile {
                put_profile(db, &profile.before)?;
            }
            for of in &input.instances {
                put(db, &of.row.reversed(), &of.home)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

impl Reconfigure {
    /// Whether the rows say what they are to say.
    fn written(&self, db: &Read<'_>) -> Result<bool> {
        if let Some(Change { after, .. }) = &self.profile {
            let now = profile_rows::get(db, &after.project, &after.name)?;
            return Ok(now.is_some_and(|now| {
                (&now.config, &now.devices, &now.description)
                    == (&after.config, &after.devices, &after.description)
            }));
        }
        for Of { row, .. } in &self.instances {
            let after = &row.after;
            let same = |now: Instance| {
                (&now.devices, &now.profiles) == (&after.devices, &after.profiles)
                    && differing(row).all(|(key, value)| now.config.get(key) == value)
            };
            if !rows::get(db, &after.project, &after.name)?.is_some_and(same) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
