//! Processors of a machine: how many, and which of the host's they run on.
//!
//! A set, as `0-3`, binds each to one of these. A number lets QEMU run on all of the host, or of its nodes; with
//! `limits.cpu.pin_strategy=auto` it is a set that the server picks.

use std::path::Path;

use options::{CpuLimit, instance::PinStrategy};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};
use vm::Qmp;

use super::{
    super::{guests::Guest, options::Typed, spec},
    threads as qemu_threads,
};
use crate::{Error, Host, Result, World, blocking::blocking, names};

/// The processors of a machine.
#[derive(Debug, PartialEq)]
pub(super) struct Processors {
    /// How many.
    pub(super) count: u32,
    /// The host's that QEMU may run on; `None`: all.
    pub(super) bound: Option<Vec<u32>>,
    /// Whether each runs on one of these.
    pub(super) each: bool,
}

impl Processors {
    pub(super) fn of(world: &World, (project, name): (&str, &str), typed: &Typed) -> Processors {
        Processors::on(&world.host, &names::instance_id(project, name), typed)
    }

    fn on(host: &Host, id: &str, typed: &Typed) -> Processors {
        let limits = &typed.options.limits;
        let there = spec::cpus_of_nodes(limits, host);
        let count = match &limits.cpu {
            Some(CpuLimit::Set(set)) => {
                let bound: Vec<u32> = set.ids().collect();
                let count = u32::try_from(bound.len()).unwrap_or(u32::MAX);
                return Processors { count, bound: Some(bound), each: true };
            }
            Some(CpuLimit::Count(count)) => *count,
            None => 1,
        };
        let all = limits.cpu_nodes.is_none();
        match limits.cpu_pin_strategy {
            PinStrategy::Auto if (count as usize) <= there.len() => {
                let bound = spec::pick(&there, count as usize, id);
                Processors { count, bound: Some(bound), each: true }
            }
            _ => Processors { count, bound: (!all).then_some(there), each: false },
        }
    }

    /// The same as a set of the kernel's.
    pub(super) fn set(&self) -> Option<String> {
        self.bound.as_deref().map(spec::list)
    }

    /// Binds the processors of a machine that is there; `before`: some may be bound that are not to be.
    pub(super) async fn pin(&self, guest: &Guest, qmp: &Qmp, before: bool) -> Result<()> {
        if !self.each && !before {
            return Ok(());
        }
        let threads = vm::threads(qmp).await?;
        let (held, bound, each) = (guest.clone(), self.bound.clone(), self.each);
        blocking("bind processors", move || {
            let pid = held.monitor().info()?.pid;
            for (at, thread) in qemu_threads::on_host(pid, &threads)?.into_iter().enumerate() {
                let mut set = CpuSet::new();
                let all = 0..u32::try_from(CpuSet::MAX_CPU).unwrap_or_default();
                match &bound {
                    Some(bound) if each => add(&mut set, bound.get(at).copied()),
                    Some(bound) => add(&mut set, bound.iter().copied()),
                    None => add(&mut set, all),
                }
                let bound = sched_setaffinity(Pid::from_raw(thread), &set);
                bound.map_err(|error| bind_failed(thread)(error.into()))?;
            }
            Ok::<_, Error>(())
        })
        .await
    }
}

fn add(set: &mut CpuSet, cpus: impl IntoIterator<Item = u32>) {
    for cpu in cpus {
        if (cpu as usize) < CpuSet::MAX_CPU {
            set.set(cpu as usize);
        }
    }
}

fn bind_failed(thread: i32) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::file("bind the processor", Path::new(&format!("/proc/{thread}")))(error)
}
