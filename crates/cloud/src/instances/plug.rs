//! Gives a running instance the devices it has come to have, and takes those it has no more.
//!
//! ```text
//! check: sources and bridges are there ── nothing was touched yet
//!   └─> unmount disks, remove cards: gone or changed ──> mount disks, make cards: new or changed ──> device nodes, proxies
//! ```
//! A changed device is a removed and an added one, but for what a card may send, which changes in
//! place. Disks go deepest path first and come in the order of their paths, as one may lie in
//! another. Whoever calls this writes the row last, so that a device that fails to plug leaves the row as
//! it was; and calls it the other way round then: what cannot be had back is logged, as its source may
//! have gone meanwhile, and comes with the next start.
//!
//! The root disk is not among them. An instance that does not run takes all with its next start. So goes
//! a disk that an unprivileged instance was started with: the kernel locks it in the instance's
//! namespace, so that its root cannot unmount it, and nobody else can either. Its row changes at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd,
    sync::Arc,
};

use options::Raw;
use runtime::Monitor;
use serde::{Deserialize, Serialize};

use super::{
    machine,
    nodes::{self, Need, Wanted},
    options::Typed,
    proxies,
};
use crate::{
    Error, Result, World,
    blocking::blocking,
    expand::Expanded,
    names,
    networks::port::Port,
    volumes::attach::{Plan, plans},
};

/// Which way a change goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// What is wanted is new; the first failure ends it.
    Forth,
    /// What is wanted was there before; failures are logged.
    Back,
}

/// The cards that were touched on the way forth; `None`: nobody knows. A card that was left alone
/// must not lose its addresses on the way back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Touched(Option<BTreeSet<String>>);

/// What of an instance's devices can come and go while it runs.
#[derive(PartialEq)]
struct Kit<'a> {
    disks: Vec<(&'a str, Plan)>,
    cards: BTreeMap<&'a str, Port<'a>>,
    nodes: Wanted,
    proxies: proxies::Wanted,
}

impl<'a> Kit<'a> {
    fn of(world: &World, id: &str, typed: &'a Typed, config: &Raw) -> Result<Kit<'a>> {
        let cards = Port::all(&world.tag, id, &typed.devices, config)?;
        let (nodes, proxies) = (nodes::of(typed), proxies::Wanted::of(typed)?);
        Ok(Kit { disks: plans(&typed.devices), cards, nodes, proxies })
    }
}

/// Whether a running instance has something to plug or unplug.
pub(crate) fn differ(world: &World, id: &str, from: &Expanded, to: &Expanded) -> Result<bool> {
    let (old, new) = (Typed::parse(from)?, Typed::parse(to)?);
    let same = Kit::of(world, id, &old, &from.config)? == Kit::of(world, id, &new, &to.config)?;
    Ok(!same || !machine::same_disks(&old, &new))
}

/// Makes the devices of `from` those of `to`, so far as the instance runs.
pub(crate) async fn swap(
    world: &World,
    (project, name): (&str, &str),
    (from, to): (&Expanded, &Expanded),
    way: Way,
    touched: &mut Touched,
) -> Result<()> {
    let id = names::instance_id(project, name);
    let (old, new) = (Typed::parse(from)?, Typed::parse(to)?);
    let old = Kit::of(world, &id, &old, &from.config)?;
    let new = Kit::of(world, &id, &new, &to.config)?;
    let guest = world.guests.get(project, name);
    // Nobody repairs or removes its ports meanwhile.
    let _ports = match &guest {
        Some(guest) => Some(guest.ports().lock().await),
        None => None,
    };
    if let Some(guest) = guest.as_ref().filter(|guest| guest.spec().machine) {
        if way == Way::Forth {
            machine::check_swap(from, to)?;
        }
        let mut done = machine::swap(world, guest, (from, to)).await;
        if done.is_ok() && old.proxies.rules != new.proxies.rules {
            done = proxies::rules(world, &id, &new.proxies.rules).await;
        }
        return match (done, way) {
            (Err(error), Way::Back) => {
                let error = tasks::chain(&error);
                tracing::warn!(instance = id, error, "devices as they were before");
                Ok(())
            }
            (done, _) => done,
        };
    }
    if let Some(guest) = &guest {
        guest.nodes().clone_from(&new.nodes);
        guest.proxies().clone_from(&new.proxies.processes);
    }
    let run = world.dirs.run(&id);
    // Not by the guest: after a crash this comes before those are found again.
    let monitor = blocking("find monitor", move || Monitor::connect(&run)).await?.map(Arc::new);
    let swap = Swap { world, monitor, way, project, id };
    if way == Way::Forth && swap.monitor.is_some() {
        check(world, project, &old, &new).await?;
    }
    let done = swap.run(&old, &new, touched).await;
    match done {
        // It ended meanwhile.
        Err(Error::Device { source, .. })
            if matches!(*source, Error::Runtime(runtime::Error::Gone)) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// Finds what cannot work before anything is touched.
async fn check(world: &World, project: &str, old: &Kit<'_>, new: &Kit<'_>) -> Result<()> {
    for (device, plan) in new.disks.iter().filter(|disk| !old.disks.contains(disk)) {
        let mount = plan.resolve(world, project).await?;
        let looked = tokio::fs::metadata(&mount.source).await;
        plan.release(world, project).await;
        if let Err(error) = looked
            && !mount.optional
        {
            let source = mount.source.display();
            let why = format!("device \"{device}\": source \"{source}\": {error}");
            return Err(Error::invalid("devices", why));
        }
    }
    let mut nodes = new.nodes.clone();
    nodes.retain(|name, device| old.nodes.get(name) != Some(device));
    nodes::check(world, nodes).await?;
    for (device, card) in &new.cards {
        if old.cards.get(device).is_none_or(|other| !other.same_links(card))
            && let Some(bridge) = card.bridge()
            && world.plane.state(bridge).await?.is_none()
        {
            let why = format!("device \"{device}\": there is no bridge \"{bridge}\" here");
            return Err(Error::invalid("devices", why));
        }
    }
    Ok(())
}

struct Swap<'a> {
    world: &'a World,
    monitor: Option<Arc<Monitor>>,
    way: Way,
    project: &'a str,
    id: String,
}

impl Swap<'_> {
    async fn run(&self, old: &Kit<'_>, new: &Kit<'_>, touched: &mut Touched) -> Result<()> {
        for (device, plan) in old.disks.iter().rev().filter(|disk| !new.disks.contains(disk)) {
            let target = plan.mount.target.clone();
            let done = self.ask(move |monitor| monitor.remove_mount(&target)).await;
            self.note(device, "removed", done)?;
            plan.release(self.world, self.project).await;
        }
        for (device, card) in &old.cards {
            let stays = new.cards.get(device).is_some_and(|other| other.same_links(card));
            if !stays && self.touch(device, touched) {
                self.note(device, "removed", card.unplug(self.world).await)?;
            }
        }
        for (device, plan) in new.disks.iter().filter(|disk| !old.disks.contains(disk)) {
            self.note(device, "added", self.mount(plan).await)?;
        }
        for (device, card) in &new.cards {
            let done = match old.cards.get(device) {
                Some(other) if other == card => continue,
                Some(other) if other.same_links(card) => card.refilter(self.world).await,
                _ if self.touch(device, touched) => self.plug(card).await,
                _ => continue,
            };
            self.note(device, "added", done)?;
        }
        self.settle_nodes(old, new).await?;
        self.settle_proxies(old, new).await
    }

    async fn settle_nodes(&self, old: &Kit<'_>, new: &Kit<'_>) -> Result<()> {
        let Some(monitor) = self.monitor.clone() else { return Ok(()) };
        let names = old.nodes.keys().chain(new.nodes.keys());
        let differ = names.filter(|name| old.nodes.get(*name) != new.nodes.get(*name));
        let differ: BTreeSet<String> = differ.cloned().collect();
        if differ.is_empty() {
            return Ok(());
        }
        let need = match self.way {
            Way::Forth => Need::AsRequired,
            Way::Back => Need::Nothing,
        };
        match nodes::settle(self.world, monitor, (new.nodes.clone(), differ), need).await {
            Err(error) if self.way == Way::Back => {
                let error = tasks::chain(&error);
                tracing::warn!(instance = self.id, error, "devices as they were before");
                Ok(())
            }
            done => done.map(drop),
        }
    }

    async fn settle_proxies(&self, old: &Kit<'_>, new: &Kit<'_>) -> Result<()> {
        if self.monitor.is_none() || old.proxies == new.proxies {
            return Ok(());
        }
        let (world, id) = (self.world, &self.id);
        let mut done = proxies::processes(world, id, new.proxies.processes.clone()).await;
        if old.proxies.rules != new.proxies.rules {
            done = done.and(proxies::rules(world, id, &new.proxies.rules).await);
        }
        match done {
            Err(error) if self.way == Way::Back => {
                let error = tasks::chain(&error);
                tracing::warn!(instance = self.id, error, "proxies as they were before");
                Ok(())
            }
            done => done,
        }
    }

    async fn mount(&self, plan: &Plan) -> Result<()> {
        if self.monitor.is_none() {
            return Ok(());
        }
        let mount = plan.resolve(self.world, self.project).await?;
        self.ask(move |monitor| monitor.add_mount(&mount)).await
    }

    async fn plug(&self, card: &Port<'_>) -> Result<()> {
        let Some(monitor) = self.monitor.clone() else { return Ok(()) };
        let netns = blocking("open network namespace", move || monitor.netns()).await?;
        card.plug(self.world, netns.as_fd()).await
    }

    async fn ask(
        &self,
        what: impl FnOnce(&Monitor) -> runtime::Result<()> + Send + 'static,
    ) -> Result<()> {
        let Some(monitor) = self.monitor.clone() else { return Ok(()) };
        blocking("plug device", move || what(&monitor)).await
    }

    /// Whether the card may be touched; notes that it was.
    fn touch(&self, device: &str, touched: &mut Touched) -> bool {
        let key = format!("{}/{device}", self.id);
        match self.way {
            Way::Forth => {
                touched.0.get_or_insert_default().insert(key);
                true
            }
            Way::Back => touched.0.as_ref().is_none_or(|all| all.contains(&key)),
        }
    }

    fn note(&self, device: &str, verb: &'static str, done: Result<()>) -> Result<()> {
        let Err(source) = done else { return Ok(()) };
        if self.way == Way::Back {
            let error = tasks::chain(&source);
            tracing::warn!(instance = self.id, device, error, "device as it was before");
            return Ok(());
        }
        Err(Error::Device { device: device.to_owned(), verb, source: Box::new(source) })
    }
}
