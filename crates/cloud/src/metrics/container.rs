//! What a container used.

use runtime::Metrics;

use super::{filesystems, traffic};
use crate::{
    Error, Result, World,
    blocking::blocking,
    expand::Expanded,
    instances::{guests::Guest, options::Typed},
    networks::ports,
};

pub(super) async fn get(world: &World, guest: &Guest, expanded: &Expanded) -> Result<Metrics> {
    let (held, memory, cpus) = (guest.clone(), world.host.memory, world.host.cpus.len() as u64);
    let counted = blocking("count", move || {
        // One that is just ending has no network any more.
        let network = held.read_gauges().map(|seen| seen.network).unwrap_or_default();
        Ok::<_, Error>((runtime::metrics(held.spec(), memory)?, network))
    });
    let (counted, network) = counted.await?;
    let network = ports::rendered(&network);
    let typed = Typed::parse(expanded)?;
    Ok(Metrics {
        processors: counted.processors.or(Some(cpus)),
        network: network.iter().map(|(name, one)| (name.clone(), traffic(&one.counters))).collect(),
        filesystems: filesystems::of(world, guest, &typed).await?,
        ..counted
    })
}
