//! What `init` asks: little, each with an answer that suits most, and only of what is not there yet.

use wire::endpoints::{
    cluster::ClusterGet, networks::NetworksList, server::ServerGet, session::ClusterAddressesList,
    storage::StoragePoolsList,
};
use wire::query::{NoQuery, TargetQuery};

use super::{Init, disks};
use crate::{
    context::Context,
    edit::has_person,
    error::{Error, Result},
    output::human,
    question::{ask, is_so},
};

/// The driver that every server has.
const FOLDER: &str = "dir";

impl Init {
    /// Asks, and keeps the answers; whether other machines are to be waited for.
    pub(super) async fn questions(&mut self, cx: &Context) -> Result<bool> {
        if !has_person() {
            return Err(Error::Usage("there is nobody to ask; use \"microcloud init --auto\""));
        }
        outln!(
            "This gives the server a storage pool, a network for its instances, and a default profile"
        );
        outln!(
            "that uses both. Enter takes what is in brackets. Nothing is changed before the last question."
        );
        outln!("");
        let others = self.ask_cluster(cx).await?;
        self.ask_storage(cx).await?;
        self.ask_network(cx).await?;
        let now = others && is_so("Have the other machines join right after that?", true)?;
        if !is_so("Go on?", true)? {
            return Err(Error::Usage("nothing was changed"));
        }
        Ok(now)
    }

    /// Whether there are to be other members.
    async fn ask_cluster(&mut self, cx: &Context) -> Result<bool> {
        let found = cx.client.get::<ClusterGet>(&[], &NoQuery {}).await?;
        if found.enabled {
            outln!("This server is member {} of a cluster.", found.server_name);
            return Ok(true);
        }
        outln!(
            "Several machines can be one cloud. A machine that starts alone can become the first of them later."
        );
        self.cluster = is_so("Is this the first of several machines?", self.cluster)?;
        if !self.cluster {
            return Ok(false);
        }
        if self.name.is_empty() {
            let server = cx.client.get::<ServerGet>(&[], &TargetQuery::default()).await?;
            let own = server.environment.map(|environment| environment.server_name);
            self.name = ask("Its name among them", &own.unwrap_or_default())?;
        }
        let addresses = cx.client.get::<ClusterAddressesList>(&[], &NoQuery {}).await?;
        if self.address.is_empty()
            && let [best, _, ..] = &addresses[..]
        {
            outln!("It has the addresses {}.", addresses.join(", "));
            let chosen = ask("The one by which the others reach it", best)?;
            // One that is not chosen is found anew when it changes.
            if chosen != *best {
                self.address = chosen;
            }
        }
        Ok(true)
    }

    async fn ask_storage(&mut self, cx: &Context) -> Result<()> {
        let pools = cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full();
        if let Some(pool) = pools.first() {
            outln!("Storage pool {} is there.", pool.name);
            return Ok(());
        }
        let server = cx.client.get::<ServerGet>(&[], &TargetQuery::default()).await?;
        let drivers = server.environment.map(|environment| environment.storage_supported_drivers);
        let drivers: Vec<String> =
            drivers.into_iter().flatten().map(|driver| driver.Name).collect();
        outln!(
            "Instances are kept in a pool: in a folder (dir), or on a disk of its own, where snapshots and"
        );
        outln!("copies are cheap. This machine can do: {}.", drivers.join(", "));
        self.storage_backend = loop {
            let driver = ask("Storage driver", &self.storage_backend)?;
            if drivers.contains(&driver) {
                break driver;
            }
            outln!("\"{driver}\" is none of them.");
        };
        let question = match self.storage_backend.as_str() {
            FOLDER => "Its folder (empty: in the daemon's)",
            _ => {
                for disk in disks::free() {
                    outln!("Nothing uses {} ({}).", disk.path, human::bytes(disk.bytes));
                }
                "Its disk, which is erased (empty: a file in the daemon's folder)"
            }
        };
        let given = self.storage_source.clone().unwrap_or_default();
        self.storage_source = Some(ask(question, &given)?).filter(|source| !source.is_empty());
        Ok(())
    }

    async fn ask_network(&mut self, cx: &Context) -> Result<()> {
        let networks = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
        if let Some(network) = networks.iter().find(|network| network.managed) {
            outln!("Network {} is there.", network.name);
            return Ok(());
        }
        outln!("A bridge gives instances addresses, names, and a way out through this machine.");
        self.no_network = !is_so("Make one?", !self.no_network)?;
        if !self.no_network {
            let question = "Its IPv4 address, such as 10.1.0.1/24, or auto, or none";
            self.network_address = ask(question, &self.network_address)?;
        }
        Ok(())
    }
}
