//! Memory and processors of a machine that runs, when its options say something else than before.

use std::path::Path;

use options::instance::Limits;

use super::{
    super::{
        guests::{Guest, Phase},
        options::Typed,
    },
    memory_of,
    processors::Processors,
    silent, spec,
};
use crate::{Error, Result, World, blocking::blocking, expand::Expanded};

/// Whether a machine is to have other memory or processors.
pub(crate) fn differ(before: &Expanded, after: &Expanded) -> Result<bool> {
    let (before, after) =
        (Typed::parse(before)?.options.limits, Typed::parse(after)?.options.limits);
    let of = |it: &Limits| (it.memory, it.cpu.clone(), it.cpu_nodes.clone(), it.cpu_pin_strategy);
    Ok(of(&before) != of(&after))
}

/// Fails when the host has not set aside enough huge pages for so many bytes.
pub(super) fn check_huge_pages(bytes: u64) -> Result<()> {
    let file = Path::new("/proc/meminfo");
    let text = std::fs::read_to_string(file).map_err(Error::file("read", file))?;
    let of = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    let (free, kib) = (of("HugePages_Free:"), of("Hugepagesize:"));
    let needed = bytes.div_ceil((kib << 10).max(1));
    if kib > 0 && needed <= free {
        return Ok(());
    }
    let why = format!(
        "{needed} huge pages of {kib} KiB are needed, and {free} are free here: set aside more with \
         sysctl vm.nr_hugepages"
    );
    Err(Error::invalid("limits.memory.hugepages", why))
}

/// Gives a machine that was found again what its row says. A daemon that died while it changed both has left it
/// with something else: what it took back then was the row alone.
pub(crate) async fn settle(world: &World, guest: &Guest, row: &Expanded) -> Result<()> {
    let typed = Typed::parse(row)?;
    let Some(qmp) = guest.qmp() else { return Ok(()) };
    let processors = Processors::of(world, (guest.project(), guest.name()), &typed);
    let (memory, count) = (memory_of(world, &typed), processors.count);
    let now = (vm::memory_now(qmp).await?, vm::processors_now(qmp).await?);
    if now.0.abs_diff(memory) < vm::NEAR && now.1 == count {
        return Ok(());
    }
    tracing::info!(name = guest.name(), ?now, memory, count, "its size becomes what its row says");
    apply(world, guest, row).await
}

/// Gives a machine that runs what its options say. What fails leaves some of it done: the caller takes it back.
pub(crate) async fn apply(world: &World, guest: &Guest, after: &Expanded) -> Result<()> {
    let typed = Typed::parse(after)?;
    let qmp = guest.qmp().ok_or_else(|| silent(guest))?;
    let processors = Processors::of(world, (guest.project(), guest.name()), &typed);
    let (memory, count) = (memory_of(world, &typed), processors.count);
    let most = vm::most_memory(qmp).await?;
    if memory > most {
        let why = format!(
            "\"{}\" was started with {most} bytes, and can have more only when it is started again",
            guest.name()
        );
        return Err(Error::invalid("limits.memory", why));
    }
    if typed.options.limits.memory_hugepages && memory != most {
        let why = "memory of huge pages does not change while it is in use: stop the machine first";
        return Err(Error::invalid("limits.memory", why));
    }
    if guest.phase() == Phase::Frozen {
        let hint = "let it run first: it must take part when its memory or processors change";
        return Err(Error::State { name: guest.name().to_owned(), is: "paused", hint });
    }
    if world.host.accel == vm::Accel::Tcg && count < vm::processors_now(qmp).await? {
        let why = "QEMU's translator, in which machines run here, ends when a processor is taken away: stop the \
                   machine first";
        return Err(Error::invalid("limits.cpu", why));
    }
    vm::set_processors(qmp, count).await?;
    vm::set_memory(qmp, memory).await?;
    let (held, limits) = (guest.clone(), spec::limits(&processors));
    let limited = async {
        blocking("set limits", move || held.monitor().set_limits(&limits)).await?;
        processors.pin(guest, qmp, true).await
    };
    match limited.await {
        // It ended meanwhile.
        Err(Error::Runtime(runtime::Error::Gone)) => Ok(()),
        result => result,
    }
}
