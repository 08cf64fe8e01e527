//! Where clients come in over the network: doors that go where the options say. What is behind them the binary
//! hands over at start.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use options::{ListenAddress, Options, server::ServerOptions};
use tls::Door;

use crate::{Error, Result, World, db::server};

/// The port of `core.https_address` when it names none.
pub const HTTPS_PORT: u16 = 8443;

/// How long an address is waited for that is not there yet when the daemon starts.
const AGAIN: Duration = Duration::from_secs(10);

/// The doors of a server.
pub struct Doors {
    /// To the API, where `core.https_address` says.
    pub https: Door,
    /// To the API for other members, where `cluster.https_address` says, if that is another place.
    pub cluster: Door,
    /// To metrics alone, where `core.metrics_address` says.
    pub metrics: Door,
    /// To buckets, where `core.storage_buckets_address` says.
    pub buckets: Door,
    /// What an administrator says instead of the options, while those cannot be written.
    pub instead: Instead,
}

/// An address of the options, and the one that is meant.
#[derive(Default)]
pub struct Instead(Mutex<Option<(ListenAddress, ListenAddress)>>);

impl Instead {
    fn lock(&self) -> MutexGuard<'_, Option<(ListenAddress, ListenAddress)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, address: ListenAddress) -> ListenAddress {
        match &*self.lock() {
            Some((old, new)) if *old == address => new.clone(),
            _ => address,
        }
    }
}

/// Opens the doors where the options say. An address that is not there yet is tried again and again.
pub async fn open(world: Arc<World>) {
    let mut told = String::new();
    while let Err(error) = begin(&world).await {
        let words = tasks::chain(&error);
        if words != told {
            tracing::warn!(error = words, "clients cannot come in there yet; it is tried again");
            told = words;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// One door that cannot be opened does not keep the others closed.
async fn begin(world: &World) -> Result<()> {
    let _turn = super::turn(world).await;
    let mut options =
        world.store.peek(|db| Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?))?;
    if world.unfit().is_some() {
        (options.metrics_address, options.storage_buckets_address) = (None, None);
    }
    let Some(doors) = world.doors() else { return Ok(()) };
    let mut done = Ok(());
    for (door, address) in doors.each(&options) {
        done = done.and(listen(door, address).await);
    }
    done
}

/// Opens the doors that are somewhere else now.
pub(crate) async fn follow(world: &World) -> Result<()> {
    begin(world).await
}

impl Doors {
    /// From now on `new` is meant where the options say `old`.
    pub(crate) fn stand_in(&self, old: ListenAddress, new: ListenAddress) {
        *self.instead.lock() = Some((old, new));
    }

    /// The options are right again.
    pub(crate) fn no_stand_in(&self) {
        *self.instead.lock() = None;
    }

    /// Where the others reach this member by what an administrator says instead of these options.
    pub(crate) fn instead(&self, options: &ServerOptions) -> Option<ListenAddress> {
        let chosen = options.cluster_address.as_ref().or(options.https_address.as_ref())?;
        let meant = self.instead.of(chosen.clone());
        (meant != *chosen).then_some(meant)
    }

    /// Where a door is to be: what is said instead, at the address that the machine has now.
    fn place(&self, address: Option<ListenAddress>) -> Option<ListenAddress> {
        Some(super::present(&self.instead.of(address?)))
    }

    /// Each door, and where it is to be.
    fn each(&self, options: &ServerOptions) -> [(&Door, Option<ListenAddress>); 4] {
        let https = options.https_address.clone();
        let covered =
            |address: &ListenAddress| https.as_ref().is_some_and(|open| covers(open, address));
        let cluster = options.cluster_address.clone().filter(|address| !covered(address));
        [
            (&self.https, self.place(https)),
            (&self.cluster, self.place(cluster)),
            (&self.metrics, self.place(options.metrics_address.clone())),
            (&self.buckets, self.place(options.storage_buckets_address.clone())),
        ]
    }
}

/// Whether who listens at `open` is reached at `address`, too.
pub(crate) fn covers(open: &ListenAddress, address: &ListenAddress) -> bool {
    let port = |address: &ListenAddress| address.port.unwrap_or(HTTPS_PORT);
    port(open) == port(address) && (is_everywhere(open) || open.host == address.host)
}

/// Whether it means all addresses of the machine.
pub(crate) fn is_everywhere(address: &ListenAddress) -> bool {
    address.host.as_deref().is_none_or(|host| matches!(host, "0.0.0.0" | "::" | "[::]"))
}

/// That address of the machine, `host:port`, with the port at which is listened.
pub(crate) fn with_port(ip: IpAddr, address: &ListenAddress) -> String {
    SocketAddr::new(ip, address.port.unwrap_or(HTTPS_PORT)).to_string()
}

/// Has those that come from now on see the certificate that the server has now.
pub(crate) async fn renew(world: &World) -> Result<()> {
    let _turn = super::turn(world).await;
    let Some(doors) = world.doors() else { return Ok(()) };
    for door in [&doors.https, &doors.cluster, &doors.metrics, &doors.buckets] {
        door.renew().await.map_err(Error::Identity)?;
    }
    Ok(())
}

/// Moves the doors whose options change: all of them or none.
pub(super) async fn change(world: &World, old: &ServerOptions, new: &ServerOptions) -> Result<()> {
    let Some(doors) = world.doors() else { return Ok(()) };
    let (before, after) = (doors.each(old), doors.each(new));
    let mut moved = Vec::new();
    for ((door, before), (_, after)) in before.into_iter().zip(after) {
        if before == after {
            continue;
        }
        if let Err(error) = listen(door, after).await {
            for (door, before) in moved {
                listen(door, before).await?;
            }
            return Err(error);
        }
        moved.push((door, before));
    }
    Ok(())
}

async fn listen(door: &Door, address: Option<ListenAddress>) -> Result<()> {
    let shown = address.as_ref().map(ToString::to_string).unwrap_or_default();
    door.listen(address).await.map_err(|source| Error::Listen { address: shown, source })
}
