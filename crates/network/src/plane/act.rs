//! Does the steps of a comparison, in order.

use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec};
use serde_json::Value;

use super::sysctl;
use crate::{Change, Desired, Error, Link, Result, Table, bridge, netlink};

pub(super) async fn act(
    handle: &Handle,
    network: &str,
    desired: &Desired,
    changes: &[Change],
) -> Result<()> {
    let link = &desired.link.name;
    for change in changes {
        match change {
            Change::CreateLink(link) => create(handle, link).await?,
            Change::SetLink(link) => set(handle, link).await?,
            Change::Sysctl(sysctl) => sysctl::write(sysctl)?,
            Change::AddAddress(net) => {
                netlink::add_address(handle, index(handle, link).await?, *net).await?;
            }
            Change::RemoveAddress(net) => {
                netlink::remove_address(handle, index(handle, link).await?, *net).await?;
            }
            Change::AddPort(port) => add_port(handle, link, port).await?,
            Change::AddRoute(net) => {
                netlink::add_route(handle, index(handle, link).await?, *net).await?;
            }
            Change::RemoveRoute(net) => {
                netlink::remove_route(handle, index(handle, link).await?, *net).await?;
            }
            Change::Table => table(network, &desired.table).await?,
            Change::Docker { family, old, wanted } => {
                let name = wanted.then_some(link.as_str());
                nft(network, bridge::docker_rules(*family, old, &desired.table.name, name)).await?;
            }
        }
    }
    Ok(())
}

/// The kernel's index of a link that must exist.
pub(super) async fn index(handle: &Handle, name: &str) -> Result<u32> {
    let found = netlink::link(handle, name).await?;
    Ok(found.ok_or_else(|| Error::NoLink(name.to_owned()))?.index)
}

/// Down, so that its settings come first. The hardware address goes with it: a half-made bridge is
/// known again by it.
async fn create(handle: &Handle, link: &Link) -> Result<()> {
    let message = LinkMessageBuilder::<LinkBridge>::new(&link.name)
        .down()
        .address(link.hwaddr.0.to_vec())
        .mtu(link.mtu)
        .build();
    netlink::add_link(handle, &link.name, message).await
}

async fn set(handle: &Handle, link: &Link) -> Result<()> {
    let message = LinkMessageBuilder::<LinkUnspec>::new()
        .name(&link.name)
        .address(link.hwaddr.0.to_vec())
        .mtu(link.mtu)
        .alias(&link.alias)
        .up()
        .build();
    netlink::set_link(handle, &link.name, message).await
}

async fn add_port(handle: &Handle, bridge: &str, port: &str) -> Result<()> {
    let bridge = index(handle, bridge).await?;
    let message =
        LinkMessageBuilder::<LinkUnspec>::new().name(port).controller(bridge).up().build();
    netlink::set_link(handle, port, message).await
}

async fn table(network: &str, table: &Table) -> Result<()> {
    let Err(error) = nft(network, table.document.clone()).await else { return Ok(()) };
    // If the rest is taken, the kernel lacks the modules for NAT.
    match error {
        Error::Firewall { network, source } if table.nat && without_nat(table).await => {
            Err(Error::NoNat { network, source })
        }
        other => Err(other),
    }
}

async fn without_nat(table: &Table) -> bool {
    let mut document = table.document.clone();
    if let Some(commands) = document["nftables"].as_array_mut() {
        commands.retain(|command| !command.to_string().contains("\"postrouting\""));
    }
    blocking(move || exec::nft::check(&document)).await.is_ok()
}

pub(super) async fn nft(network: &str, document: Value) -> Result<()> {
    let done = blocking(move || exec::nft::apply(&document)).await;
    done.map_err(|source| Error::Firewall { network: network.to_owned(), source })
}

/// Runs away from the runtime's own threads; a panic goes on in the caller. In a daemon that ends it may never begin:
/// then it has no end either.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => std::future::pending().await,
    }
}
