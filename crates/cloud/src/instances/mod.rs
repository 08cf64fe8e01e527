//! Instances: one verb a file.
//!
//! ```text
//! launch ─> [stopped] ── start ─> [running] <── freeze ─> [frozen]
//!              ^  │                   │
//!              │  └─ delete           └─ stop, poweroff inside, a crash: exit::settle
//!              └──────────────────────────┘
//! ```
//! The row says what an instance should be; [`guests`] holds those that run, by their monitors,
//! which outlive the daemon.

use store::Read;
use tasks::Request;

use crate::{
    Caller, Error, Result, World,
    db::{
        instances::{self as rows, Instance, Made},
        profiles as profile_rows,
    },
    url,
};

mod apparmor;
pub mod backups;
pub(crate) mod boot;
pub mod console;
pub mod copy;
mod delegate;
pub mod delete;
pub mod exec;
pub mod exit;
pub mod freeze;
mod gauges;
pub mod guests;
pub(crate) mod kept;
mod kind;
pub mod launch;
pub mod list;
pub mod live;
pub mod logs;
pub(crate) mod machine;
pub mod migrate;
mod modules;
mod nodes;
pub(crate) mod options;
pub(crate) mod pause;
mod plug;
pub mod power;
mod program;
pub(crate) mod proxies;
pub mod rebuild;
pub(crate) mod reconfigure;
pub mod record;
pub mod relocate;
pub mod rename;
pub(crate) mod resume;
mod root;
pub mod snapshots;
pub(crate) mod spec;
pub mod start;
pub mod state;
pub mod stop;
mod streams;
pub mod suspend;
pub mod templates;
pub mod uefi;
pub mod update;
pub(crate) mod volatile;

use guests::{Guest, Phase};
pub use kind::Kind;
pub use machine::PluggedIn;
pub(crate) use nodes::note as note_nodes;
pub use nodes::{NODES, Nodes, Uevents};
pub use proxies::Proxies;

/// The instance of that name that is whole.
pub(crate) fn find(db: &Read<'_>, project: &str, name: &str) -> Result<Instance> {
    crate::projects::find(db, project)?;
    rows::get(db, project, name)?
        .filter(|row| row.made == Made::Ready)
        .ok_or_else(|| Error::not_found("instance", name))
}

/// The instance's guest, which must run.
pub(crate) fn guest(world: &World, project: &str, name: &str) -> Result<Guest> {
    world.store.read(|db| find(db, project, name))?;
    let running = |guest: &Guest| matches!(guest.phase(), Phase::Running | Phase::Frozen);
    world.guests.get(project, name).filter(running).ok_or_else(|| Error::State {
        name: name.to_owned(),
        is: "stopped",
        hint: "start it first",
    })
}

/// What claims an instance for a task that changes it.
pub(crate) fn lock_name(project: &str, name: &str) -> String {
    format!("instance/{project}/{name}")
}

/// An operation on an instance, which it has for itself.
pub(crate) fn request(
    world: &World,
    words: &str,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Request {
    let request = Request::new(words)
        .project(project)
        .resource("instances", url::instance(project, name))
        .requestor(caller.requestor.clone())
        .lock(lock_name(project, name));
    // What follows an exit holds no lock; a start or delete right after a stop must wait for it.
    match world.guests.get(project, name) {
        Some(guest) if guest.phase() == Phase::Gone => request.wait_when_busy(),
        _ => request,
    }
}

/// Fails when one of the profiles is not there.
pub(crate) fn check_profiles(db: &Read<'_>, home: &str, profiles: &[String]) -> Result<()> {
    for (at, name) in profiles.iter().enumerate() {
        if profile_rows::get(db, home, name)?.is_none() {
            return Err(Error::not_found("profile", name));
        }
        if profiles[..at].contains(name) {
            return Err(Error::invalid("profiles", format!("\"{name}\" is named twice")));
        }
    }
    Ok(())
}

/// Fails when a device names a network or a volume that is not there, or an address it cannot have.
pub(crate) fn check_devices(
    db: &Read<'_>,
    kind: Kind,
    (project, instance): (&str, &str),
    typed: &options::Typed,
) -> Result<()> {
    for nic in typed.devices.values().filter_map(::options::device::Device::nic) {
        if let ::options::device::Nic::Bridged(card) = nic
            && let Some(name) = card.network.as_deref()
        {
            let network = crate::networks::find(db, project, name)?;
            crate::networks::addresses::check(db, &network, nic, (project, instance))?;
        }
    }
    machine::check_devices(kind, typed)?;
    proxies::check(kind, typed)?;
    crate::volumes::attach::check(db, (project, kind), &typed.devices)
}
