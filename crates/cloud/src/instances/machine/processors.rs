//! Processors of a machine: how many, and which of the host's they run on.
//!
//! A set, as `0-3`, binds each to one of these. A number lets QEMU run on all of the host, or of its nodes; with
//! `limits.cpu.pin_strategy=auto` it is a set that the server picks.

use std::{collections::BTreeMap, path::Path};

use options::{CpuLimit, instance::PinStrategy};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
};
use vm::{Node, Qmp};

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

    /// The machine's nodes, where its processors are bound to some of more than one of the host's. Places for
    /// further ones, up to `most`, are spread over them.
    pub(super) fn nodes(&self, host: &BTreeMap<u32, Vec<u32>>, most: u32) -> Vec<Node> {
        let bound = self.bound.iter().flatten().filter(|_| self.each);
        let mut nodes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (cpu, on) in (0..).zip(bound) {
            let Some((node, _)) = host.iter().find(|(_, cpus)| cpus.contains(on)) else {
                return Vec::new();
            };
            nodes.entry(*node).or_default().push(cpu);
        }
        if nodes.len() < 2 {
            return Vec::new();
        }
        let mut nodes: Vec<Node> =
            nodes.into_iter().map(|(host, cpus)| Node { host, cpus }).collect();
        let count = nodes.len();
        for (place, at) in (self.count..most).zip((0..count).cycle()) {
            nodes[at].cpus.push(place);
        }
        nodes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_the_nodes_that_its_processors_are_bound_to() {
        let host = BTreeMap::from([(0, vec![0, 1, 4, 5]), (1, vec![2, 3, 6, 7])]);
        let nodes = |bound: &[u32], each: bool| {
            let count = u32::try_from(bound.len()).unwrap();
            let all = Processors { count, bound: Some(bound.to_vec()), each }.nodes(&host, 6);
            all.into_iter().map(|it| (it.host, it.cpus)).collect::<Vec<_>>()
        };
        assert_eq!(nodes(&[1, 2, 6], true), [(0, vec![0, 3, 5]), (1, vec![1, 2, 4])]);
        // All on one, or anywhere: there is nothing to be told.
        assert!(nodes(&[0, 1], true).is_empty());
        assert!(nodes(&[0, 2], false).is_empty());
        assert!(nodes(&[0, 99], true).is_empty());
    }
}
