//! What a container used.

use runtime::Metrics;

use super::{filesystems, traffic};
use crate::{
    Result, World,
    blocking::blocking,
    expand::Expanded,
    instances::{guests::Guest, options::Typed},
    networks::ports,
};

pub(super) async fn get(world: &World, guest: &Guest, expanded: &Expanded) -> Result<Metrics> {
    let (held, memory, cpus) = (guest.clone(), world.host.memory, world.host.cpus.len() as u64);
    let counted = blocking("count", move || runtime::metrics(held.spec(), memory)).await?;
    // One that is just ending has no network any more.
    let network = ports::interfaces(guest).await.unwrap_or_default();
    let typed = Typed::parse(expanded)?;
    Ok(Metrics {
        processors: counted.processors.or(Some(cpus)),
        network: network.iter().map(|(name, one)| (name.clone(), traffic(&one.counters))).collect(),
        filesystems: filesystems::of(world, guest, &typed).await?,
        ..counted
    })
}
