//! How an instance comes to run: the steps that `launch` and `start` share, and how they are
//! taken back.

use std::{path::Path, time::Duration};

use runtime::{Monitor, idmap::Allocator};
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};
use spec::{IdMap, InstanceSpec};
use storage::Attached;

use super::{
    Kind, delegate,
    guests::{Guest, Phase},
    machine::{self, memory::Frame},
    modules, nodes,
    options::Typed,
    proxies,
    spec::{Given, resolve},
    templates::{Trigger, apply::Applying},
    volatile,
};
use crate::{
    Error, Host, Result, World,
    blocking::blocking,
    cluster::lease,
    db::instances::{self as rows, Instance},
    devlxd,
    expand::Expanded,
    names,
    networks::ports,
    volumes::{attach, keeper},
};

/// What the steps of a start learn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Which start this is; grows with each.
    pub(crate) generation: u64,
}

/// An instance about to run.
pub(crate) struct Starting<'a> {
    pub(crate) world: &'a World,
    pub(crate) instance: &'a Instance,
    pub(crate) expanded: &'a Expanded,
    /// How a machine is built that comes from another server, and goes on here.
    pub(crate) arrives: Option<&'a Frame>,
    /// Where there are copies of what lies beside its disk, of a machine that comes from a member that has all that
    /// attached still: its root is attached later, by whoever knows that it can be.
    pub(crate) beside: Option<&'a Path>,
    /// What its templates are to be told, where its row does not say so, as it was just made.
    pub(crate) fresh: Option<Trigger>,
}

impl<'a> Starting<'a> {
    /// One that is to start here.
    pub(crate) fn new(
        world: &'a World,
        instance: &'a Instance,
        expanded: &'a Expanded,
    ) -> Starting<'a> {
        Starting { world, instance, expanded, arrives: None, beside: None, fresh: None }
    }

    fn id(&self) -> String {
        names::instance_id(&self.instance.project, &self.instance.name)
    }

    /// Makes the monitor with the namespaces; the first process does not run yet.
    pub(crate) async fn monitor(&self, notes: &mut Notes) -> Result<()> {
        if self.guest().is_ok_and(|guest| guest.phase() == Phase::Starting) {
            return Ok(());
        }
        let typed = Typed::parse_whole(self.expanded)?;
        if typed.options.security.protection_start {
            let name = self.instance.name.clone();
            return Err(Error::Protected {
                what: "instance",
                name,
                key: "security.protection.start",
            });
        }
        self.check_here()?;
        lease::wait(self.world, self.expanded).await?;
        super::spec::check_nodes(&typed.options.limits, &self.world.host)?;
        notes.generation = u64::try_from(clock::utc().timestamp_micros()).unwrap_or_default();
        let world = self.world;
        let (project, name) = (&self.instance.project, &self.instance.name);
        let _volumes = attach::share(world, project, &self.expanded.devices).await?;
        let root = match self.beside {
            None => Some(self.attach_root(&typed).await?),
            Some(_) => None,
        };
        let (instance, expanded, fresh) = (self.instance, self.expanded, self.fresh);
        let templates = Applying { instance, expanded, typed: &typed, fresh };
        let spec = match (self.instance.kind(), root) {
            (Kind::Container, None) => return Err(Error::BrokenOff),
            (Kind::Container, Some(root)) => {
                modules::load(&typed).await?;
                templates.to_root(world, &root).await?;
                self.container(&typed, root, notes.generation).await?
            }
            (Kind::VirtualMachine, _) => {
                machine::check(Kind::VirtualMachine, &world.host, &typed)?;
                // One that goes on with its memory does not boot.
                let boots = self.arrives.is_none() && !instance.stateful;
                let made = if boots { templates.rendered(world).await? } else { Vec::new() };
                let (arrives, beside) = (self.arrives, self.beside);
                let given =
                    machine::spec::Given { generation: notes.generation, arrives, beside, made };
                machine::spec::resolve(world, self.instance, &typed, given).await?
            }
        };
        let (binary, given) = (world.binary.clone(), spec.clone());
        let monitor = blocking("start monitor", move || {
            for folder in [&given.run_dir, &given.log_dir] {
                std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
            }
            let (monitor, _created) = runtime::spawn(&binary, &given)?;
            Ok::<_, Error>(monitor)
        })
        .await?;
        let guest = Guest::new(project, name, monitor, spec, Phase::Starting);
        nodes::note(&guest, &typed);
        world.guests.hold(guest.clone());
        // What was so before may have changed while this took its time.
        lease::bind(world, &guest, self.expanded).await?;
        self.check_here()?;
        devlxd::apply(world, &guest, typed.options.security.devlxd);
        Ok(())
    }

    async fn attach_root(&self, typed: &Typed) -> Result<Attached> {
        let (world, pool) = (self.world, typed.root_pool()?);
        keeper::take_root(world, pool, self.instance).await?;
        let (pool, volume) = (world.pools.open(world, pool).await?, self.instance.root()?);
        blocking("attach root", move || pool.attach(&volume)).await
    }

    /// Fails when it was moved to another member between the request and now. One that arrives is about to come here.
    fn check_here(&self) -> Result<()> {
        let Instance { project, name, .. } = self.instance;
        let row = self.world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?;
        match row {
            Some(row) if self.arrives.is_none() && row.member != self.world.me() => {
                Err(Error::Elsewhere { name: row.name, member: row.member })
            }
            _ => Ok(()),
        }
    }

    async fn container(
        &self,
        typed: &Typed,
        root: Attached,
        generation: u64,
    ) -> Result<InstanceSpec> {
        let (world, id) = (self.world, self.id());
        let mut mounts = attach::mounts(world, &self.instance.project, &typed.devices).await?;
        if typed.options.security.devlxd {
            devlxd::folder(world, &id)?;
            mounts.insert(0, devlxd::mount(world, &id));
        }
        let mut devices = nodes::at_start(world, typed).await?;
        if !delegate::of(world, self.instance, typed).await?.is_empty() {
            devices.push(delegate::device()?);
        }
        let given = Given {
            tag: &world.tag,
            id: &id,
            name: &self.instance.name,
            generation,
            host: &world.host,
            root,
            run_dir: world.dirs.run(&id),
            log_dir: world.dirs.log(&id),
            apparmor: super::apparmor::load(world, &id, Kind::Container, typed).await?,
            idmap: idmap(&world.host, typed, self.instance)?,
            mounts,
            devices,
        };
        Ok(resolve(given, typed))
    }

    /// Gives it its network devices. Those of a machine are plugged once QEMU runs.
    pub(crate) async fn ports(&self) -> Result<()> {
        let guest = self.guest()?;
        if guest.spec().machine {
            return Ok(());
        }
        let typed = Typed::parse(self.expanded)?;
        ports::attach(self.world, &guest, &typed, &self.expanded.config).await
    }

    /// Lets the first process run. A machine that goes on with its memory stands still until `begin`.
    pub(crate) async fn release(&self) -> Result<()> {
        let guest = self.guest()?;
        if guest.phase() == Phase::Running || guest.qmp().is_some() {
            // The step ran before.
            return Ok(());
        }
        if !guest.spec().machine {
            let typed = Typed::parse(self.expanded)?;
            delegate::give(self.world, &guest, self.instance, &typed).await?;
        }
        let released = guest.clone();
        blocking("run init", move || released.monitor().release()).await?;
        if guest.spec().machine {
            machine::power_on(self, &guest).await?;
        }
        // Only now has a container the files in which sockets may be.
        proxies::begin(self.world, &guest, &Typed::parse(self.expanded)?).await?;
        if !self.instance.stateful && self.arrives.is_none() {
            self.begin(guest);
        }
        Ok(())
    }

    /// Holds a guest as one that runs.
    fn begin(&self, guest: Guest) {
        guest.set_phase(Phase::Running);
        self.keep_start();
        // An error means that the daemon is about to end; the next one finds the guest again.
        let _ = self.world.started.send(guest);
    }

    /// Lets a machine go that has read its memory; says whether that is whole still, as where QEMU was gone.
    pub(crate) async fn go(&self) -> Result<bool> {
        let whole = machine::memory::go(self.world, self.instance).await?;
        // After a crash another daemon has found it again, or what follows an exit was done.
        if let Ok(guest) = self.guest()
            && guest.phase() == Phase::Starting
        {
            self.begin(guest);
        }
        Ok(whole)
    }

    /// Takes a snapshot, once the instance is free, when its schedule says `@startup`.
    fn keep_start(&self) {
        let schedule =
            Typed::parse(self.expanded).ok().and_then(|it| it.options.snapshots.schedule);
        if schedule.is_some_and(|schedule| schedule.at_start()) {
            let (project, name) = (&self.instance.project, &self.instance.name);
            if let Err(error) = super::snapshots::take_at_start(self.world, project, name) {
                tracing::error!(project, name, error = %tasks::chain(&error), "snapshot at start");
            }
        }
    }

    fn guest(&self) -> Result<Guest> {
        let (project, name) = (&self.instance.project, &self.instance.name);
        self.world.guests.get(project, name).ok_or_else(|| Error::State {
            name: name.clone(),
            is: "gone",
            hint: "it ended while it was being started: see its log",
        })
    }

    /// Takes back whatever of a start was done, from the id alone.
    pub(crate) async fn abandon(&self) -> Result<()> {
        let (project, name) = (&self.instance.project, &self.instance.name);
        end(self.world, project, name).await?;
        ports::detach(self.world, project, name, self.expanded).await?;
        detach_root(self.world, self.instance, self.expanded).await
    }
}

/// Whether anything runs as this instance, held or not.
pub(crate) async fn lives(world: &World, project: &str, name: &str) -> Result<bool> {
    let run = world.dirs.run(&names::instance_id(project, name));
    let monitor = blocking("find monitor", move || Monitor::connect(&run)).await?;
    Ok(monitor.is_some())
}

/// Ends whatever runs as this instance and removes what its monitor left. Nothing there is Ok.
pub(crate) async fn end(world: &World, project: &str, name: &str) -> Result<()> {
    let run = world.dirs.run(&names::instance_id(project, name));
    blocking("end instance", move || kill(&run)).await?;
    clean(world, project, name).await?;
    if let Some(guest) = world.guests.get(project, name) {
        world.guests.end(&guest);
    }
    Ok(())
}

/// Kills what a monitor holds and waits until it is gone.
fn kill(run: &Path) -> Result<(), runtime::Error> {
    let Some(monitor) = Monitor::connect(run)? else { return Ok(()) };
    let mut watch = monitor.watch()?;
    monitor.kill()?;
    // Any event is its end, and so is an error: the monitor went away.
    while let Ok(None) = watch.next() {
        let mut fds = [PollFd::new(&watch, PollFlags::IN)];
        // Interrupted or not, the next look tells.
        let _ = poll(&mut fds, None);
    }
    Ok(())
}

/// Removes what a monitor left that is no more. One that is just about to end is waited for.
pub(crate) async fn clean(world: &World, project: &str, name: &str) -> Result<()> {
    const TRIES: u32 = 200;
    const PAUSE: Duration = Duration::from_millis(10);
    let id = names::instance_id(project, name);
    let (run, inside) = (world.dirs.run(&id), world.dirs.devlxd(&id));
    blocking("clean up", move || {
        for _ in 0..TRIES {
            match runtime::cleanup(&run) {
                Err(runtime::Error::Running { .. }) => std::thread::sleep(PAUSE),
                done => return done.and(runtime::end_proxies(&run)),
            }
        }
        runtime::cleanup(&run)
    })
    .await?;
    machine::release(world, &id).await;
    devlxd::remove(&inside).map_err(Error::file("remove", &inside))?;
    super::apparmor::unload(world, &id).await
}

/// Ends the attach of the root; nothing attached is Ok, as where the pool is gone.
pub(crate) async fn detach_root(
    world: &World,
    instance: &Instance,
    expanded: &Expanded,
) -> Result<()> {
    let typed = Typed::parse(expanded)?;
    let pool = match world.pools.open(world, typed.root_pool()?).await {
        Err(Error::Unavailable { .. }) => return Ok(()),
        open => open?,
    };
    let volume = instance.root()?;
    blocking("detach root", move || pool.detach(&volume)).await
}

/// Has what a guest uses attached that an earlier daemon started, where its pool is one that members share: there the next
/// one who is done with it would let go of it.
pub(crate) async fn attach_again(world: &World, instance: &Instance, typed: &Typed) {
    let attached = async {
        let pool = typed.root_pool()?;
        let driver = world.store.read(|db| crate::storage::find(db, pool))?.driver;
        if crate::storage::is_shared(&driver) {
            let (pool, root) = (world.pools.open(world, pool).await?, instance.root()?);
            blocking("attach root", move || Ok::<_, Error>(pool.attach(&root)?)).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = attached.await {
        tracing::warn!(name = instance.name, error = %tasks::chain(&error), "its root");
    }
    for disk in typed.devices.values().filter_map(options::device::Device::disk) {
        attach::again(world, &instance.project, disk).await;
    }
}

/// The host's ids of an instance: those it was given for itself, else those all share. Clients can write the key that
/// says which: only ids that are this server's to give count.
fn idmap(host: &Host, typed: &Typed, instance: &Instance) -> Result<IdMap> {
    match instance.config.get("volatile.idmap.base").and_then(|base| base.parse().ok()) {
        Some(base) if typed.options.security.idmap_isolated => {
            let size = typed.options.security.idmap_size.unwrap_or(volatile::ISOLATED_IDS);
            Ok(Allocator::new(&host.ids, []).claim(IdMap { base, size })?)
        }
        _ => Ok(host.ids_shared),
    }
}
