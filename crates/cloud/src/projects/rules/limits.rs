//! What all of a project takes together, and whether that is too much.

use options::{CpuLimit, MemoryLimit, Raw, Size, Value, project::ProjectLimits};
use store::Read;

use super::Looked;
use crate::{
    Result,
    db::{buckets, images, networks, volumes},
    instances::Kind,
};

/// Bytes of a machine's root that is given no size.
const MACHINE_DISK: u64 = 10 << 30;

/// What a project holds, as far as limits look at it.
#[derive(Debug, Default)]
pub(super) struct Held {
    instances: Vec<One>,
    /// Pool, what it is in words, and bytes where they are set.
    disks: Vec<(String, String, Option<u64>)>,
    /// Bytes of images, which are in no pool until they are used.
    images: u64,
    networks: u64,
}

impl Held {
    /// Bytes of everything that has a size.
    pub(super) fn disk(&self) -> u64 {
        let sizes = self.disks.iter().filter_map(|(.., size)| *size);
        sizes.fold(self.images, u64::saturating_add)
    }
}

#[derive(Debug)]
struct One {
    name: String,
    kind: Kind,
    cpu: Option<u64>,
    memory: Option<u64>,
    processes: Option<u64>,
}

/// Reads what a project holds; its instances were looked at already.
pub(super) fn held(db: &Read<'_>, project: &str, looked: &[Looked]) -> Result<Held> {
    let mut held = Held::default();
    for one in looked {
        held.instances.push(numbers(one));
        if let Ok(pool) = one.typed.root_pool() {
            let default = (one.kind == Kind::VirtualMachine).then_some(MACHINE_DISK);
            let size = one.typed.root_size().or(default);
            held.disks.push((pool.to_owned(), format!("the root of \"{}\"", one.name), size));
        }
    }
    let own = |of: &str| of == project;
    for row in volumes::custom(db)?.into_iter().filter(|row| own(&row.project)) {
        held.disks.push((row.pool, format!("volume \"{}\"", row.name), size(&row.config)));
    }
    for row in buckets::all(db)?.into_iter().filter(|row| own(&row.project)) {
        held.disks.push((row.pool, format!("bucket \"{}\"", row.name), size(&row.config)));
    }
    let images = images::all(db)?.into_iter().filter(|row| own(&row.project));
    held.images = images.map(|row| u64::try_from(row.size).unwrap_or(0)).sum();
    held.networks = networks::all(db)?.iter().filter(|row| own(&row.project)).count() as u64;
    Ok(held)
}

fn size(config: &Raw) -> Option<u64> {
    Some(Size::parse(config.get("size")?).ok()?.bytes())
}

fn numbers(one: &Looked) -> One {
    let limits = &one.typed.options.limits;
    One {
        name: one.name.clone(),
        kind: one.kind,
        cpu: match &limits.cpu {
            Some(CpuLimit::Count(count)) => Some(u64::from(*count)),
            _ => None,
        },
        memory: match &limits.memory {
            Some(MemoryLimit::Size(size)) => Some(size.bytes()),
            _ => None,
        },
        processes: limits.processes,
    }
}

/// Fails with the first limit that is passed, or that cannot be kept as something has no size.
pub(super) fn check(rules: &ProjectLimits, held: &Held) -> Result<(), String> {
    let of_kind = |kind| held.instances.iter().filter(|one| one.kind == kind).count() as u64;
    within("limits.instances", rules.instances, held.instances.len() as u64)?;
    within("limits.containers", rules.containers, of_kind(Kind::Container))?;
    within("limits.virtual-machines", rules.virtual_machines, of_kind(Kind::VirtualMachine))?;
    within("limits.networks", rules.networks, held.networks)?;
    let sums = [
        ("limits.cpu", rules.cpu, "a number", (|one| one.cpu) as fn(&One) -> Option<u64>),
        ("limits.memory", rules.memory.map(Size::bytes), "a size", |one| one.memory),
        ("limits.processes", rules.processes, "a number", |one| one.processes),
    ];
    for (key, limit, form, of) in sums {
        if limit.is_some() {
            let unset = held.instances.iter().find(|one| of(one).is_none());
            if let Some(one) = unset {
                let name = &one.name;
                return Err(format!(
                    "{key} of the project asks for {form} in {key} of instance \"{name}\""
                ));
            }
            within(key, limit, held.instances.iter().filter_map(of).sum())?;
        }
    }
    disks(rules, held)
}

fn disks(rules: &ProjectLimits, held: &Held) -> Result<(), String> {
    if let Some(limit) = rules.disk {
        let used = sum("limits.disk", &held.disks, |_| true)?;
        within("limits.disk", Some(limit.bytes()), used.saturating_add(held.images))?;
    }
    for (pool, limit) in &rules.disk_pool {
        let key = format!("limits.disk.pool.{pool}");
        within(&key, Some(limit.bytes()), sum(&key, &held.disks, |of| of == pool)?)?;
    }
    Ok(())
}

fn sum(
    key: &str,
    disks: &[(String, String, Option<u64>)],
    counts: impl Fn(&str) -> bool,
) -> Result<u64, String> {
    let mut all: u64 = 0;
    for (_, what, size) in disks.iter().filter(|(pool, ..)| counts(pool)) {
        let size = size.ok_or_else(|| format!("{key} asks for a size of {what}"))?;
        all = all.saturating_add(size);
    }
    Ok(all)
}

fn within(key: &str, limit: Option<u64>, used: u64) -> Result<(), String> {
    match limit {
        Some(limit) if used > limit => Err(format!("{key} is {limit}, it would be {used}")),
        _ => Ok(()),
    }
}
