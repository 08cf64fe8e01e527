//! Where this member is, when that changes: a machine got another address, or the options say so. Members know each
//! other by their certificates; an address is only where one was last.
//!
//! ```text
//! looks at its own addresses, every few seconds ── another than in its row ──> its doors open there
//!                                                                         └─> all others that are reached are told
//! others    note it, and dial there at once; one of them writes the row, by which all know it
//!
//! nobody speaks to it (all may have other addresses) ──> it tells its network where it is (mDNS), and listens
//! somebody is missed                                ──> it tells, so that who comes back finds it
//! ```
//! What is heard by multicast is tried, and believed only of who has the certificate of that member.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use options::{ListenAddress, Options, Value, server::ServerOptions};
use store::MemberId;
use tokio::task::JoinHandle;
use wire::{Empty, MovedPut, endpoints::session::ClusterMoved, query::NoQuery};

use super::{
    enable::{CLIENT_ADDRESS, CLUSTER_ADDRESS, own_address},
    links::Place,
    nearby::{About, Beacon, Ear, Told},
};
use crate::{
    Error, Result, World,
    db::{
        members::{self as rows, Member},
        server,
    },
    server::doors,
};

/// Between two looks at the machine's addresses: a few system calls.
const LOOK: Duration = Duration::from_secs(3);
/// How long another member may take to note it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who hears nothing for so long is lost, and who is not heard for so long is missed; a restart takes less.
const LOST: Duration = Duration::from_secs(10);

/// Has the others know where this member is, for as long as the daemon runs.
pub async fn watch_whereabouts(world: Arc<World>) {
    let mut trouble = Trouble::default();
    loop {
        if world.is_clustered() && !world.cluster.is_removed() {
            if let Err(error) = look(&world).await {
                tracing::debug!(error = %tasks::chain(&error), "the others do not know where this member is");
            }
            trouble.look(&world).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = world.cluster.moved.notified() => {}
        }
    }
}

async fn look(world: &Arc<World>) -> Result<()> {
    let (own, options) = read(world)?;
    keep_instead(world, &options).await?;
    let Some(address) = current(world, &own, &options) else { return Ok(()) };
    if address == own.address {
        return Ok(());
    }
    // The doors may have to follow; one that cannot be opened is told of where it is tried again and again.
    let _ = doors::follow(world).await;
    tracing::info!(
        address,
        was = own.address,
        "this member is somewhere else: the others are told"
    );
    let others = world.cluster.links.others();
    let told = others.iter().map(|place| tell(world, place, &address));
    let told = futures_util::future::join_all(told).await;
    if told.is_empty() {
        return note(world, own.id, &address).await;
    }
    told.into_iter().reduce(|one, other| one.or(other)).unwrap_or(Ok(()))
}

/// Tells another member where this one is.
async fn tell(world: &World, there: &Place, address: &str) -> Result<()> {
    let (client, put) = (super::client(world, there)?, MovedPut { address: address.to_owned() });
    let asked = client.call::<ClusterMoved>(&[], &NoQuery {}, &put);
    let late = |_| Error::Silent { member: there.name.clone() };
    let Empty {} = tokio::time::timeout(PATIENCE, asked).await.map_err(late)??;
    world.cluster.links.heard(there.id);
    Ok(())
}

/// This member's row, and its options.
fn read(world: &World) -> Result<(Member, ServerOptions)> {
    world.store.read(|db| Ok((super::own(db)?, ServerOptions::parse_known(&server::get(db)?)?)))
}

/// Where this member is reached now: where its row says, while that is right.
fn current(world: &World, own: &Member, options: &ServerOptions) -> Option<String> {
    let (_, chosen) = chosen(options)?;
    let chosen = world.doors().and_then(|doors| doors.instead(options)).unwrap_or(chosen);
    let chosen = crate::server::present(&chosen);
    let port = chosen.port.unwrap_or(doors::HTTPS_PORT);
    let known = ListenAddress::parse(&own.address).ok()?;
    let is_here = |host: &str| {
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        // A name is the business of whoever gave it.
        ip.map_or(true, |ip| crate::server::own_all(&|_| false).contains(&ip))
    };
    if doors::is_everywhere(&chosen)
        && known.port.unwrap_or(doors::HTTPS_PORT) == port
        && known.host.as_deref().is_some_and(is_here)
    {
        return Some(own.address.clone());
    }
    let others = world.cluster.links.others();
    let near = others.iter().find(|place| !world.cluster.links.is_silent(place.id));
    let towards = near.or(others.first()).map(|place| place.address.as_str());
    let found = own_address(&chosen, towards);
    let lost = found.is_empty() || found.starts_with("127.") || found.starts_with("[::1]");
    // One that the machine does not have would help nobody.
    let absent = !doors::is_everywhere(&chosen) && !chosen.host.as_deref().is_some_and(is_here);
    (!lost && !absent).then_some(found)
}

/// Another member says where it is. It is dialled there at once; the row follows as soon as it can be written.
pub fn moved(world: &Arc<World>, member: &Place, put: &MovedPut) -> Result<()> {
    super::clustered(world)?;
    check(&put.address)?;
    world.cluster.links.told(member.id, &put.address);
    let (world, id, address) = (world.clone(), member.id, put.address.clone());
    // Who asked need not wait, and asks again until its row has it.
    tokio::spawn(async move {
        if let Err(error) = note(&world, id, &address).await {
            tracing::debug!(error = %tasks::chain(&error), "cannot write yet where a member is");
        }
    });
    Ok(())
}

/// An administrator says where another member is; or this one, at an address that it has.
pub async fn set_address(world: &Arc<World>, name: &str, address: &str) -> Result<()> {
    super::clustered(world)?;
    check(address)?;
    let id = super::whose::named(world, name)?;
    let (own, options) = read(world)?;
    if id == own.id {
        return go_to(world, &options, address).await;
    }
    let place = world.cluster.links.by_id(id);
    let place = place.ok_or_else(|| Error::not_found("cluster member", name))?;
    find(world, Place { address: address.to_owned(), ..place }).await
}

/// A member that is said to be there is tried; if it is, it is dialled there from now on, and told where this one is.
async fn find(world: &World, there: Place) -> Result<()> {
    world.cluster.links.ask(&there).await?;
    world.cluster.links.told(there.id, &there.address);
    tracing::info!(
        member = there.name,
        address = there.address,
        "a member was found somewhere else"
    );
    let (own, options) = read(world)?;
    let address = current(world, &own, &options).unwrap_or(own.address);
    tell(world, &there, &address).await
}

/// The doors to this member open at another address than the options say; those follow when they can be written.
async fn go_to(world: &World, options: &ServerOptions, address: &str) -> Result<()> {
    let wrong = |why: String| Error::invalid("address", why);
    let new = ListenAddress::parse(address).map_err(wrong)?;
    let Some((_, old)) = chosen(options) else { return Err(Error::NoCluster) };
    world.doors().ok_or(Error::NoCluster)?.stand_in(old, new.clone());
    if let Err(error) = doors::follow(world).await {
        world.doors().ok_or(Error::NoCluster)?.no_stand_in();
        doors::follow(world).await?;
        return Err(error);
    }
    world.cluster.moved.notify_one();
    Ok(())
}

/// Writes to the options where the doors are that an administrator had opened somewhere else.
async fn keep_instead(world: &World, options: &ServerOptions) -> Result<()> {
    let Some(all) = world.doors() else { return Ok(()) };
    let (Some((key, old)), Some(new)) = (chosen(options), all.instead(options)) else {
        return Ok(());
    };
    if world.store.status().leader.is_none() {
        return Ok(());
    }
    tracing::info!(key, %old, %new, "the options follow to where the doors are");
    let change = |mut put: wire::ServerPut| {
        put.config.insert(String::from(key), new.to_string());
        Ok(put)
    };
    crate::server::update(world, &crate::Caller::default(), None, change).await?;
    all.no_stand_in();
    Ok(())
}

/// The option that says where the others reach this member, and what it says.
fn chosen(options: &ServerOptions) -> Option<(&'static str, ListenAddress)> {
    let cluster = options.cluster_address.clone().map(|address| (CLUSTER_ADDRESS, address));
    cluster.or_else(|| Some((CLIENT_ADDRESS, options.https_address.clone()?)))
}

fn check(address: &str) -> Result<()> {
    let whole = client::Network::at(address, tls::Pin::Anybody, None);
    let wrong = || Error::invalid("address", format!("\"{address}\" is not like host:port"));
    whole.map(drop).ok_or_else(wrong)
}

/// Trouble, and what is done about it until it is over.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    /// What is told, and where.
    tells: Option<(String, Beacon)>,
    hears: Option<JoinHandle<()>>,
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.hear_no_more();
    }
}

impl Trouble {
    async fn look(&mut self, world: &Arc<World>) {
        let links = &world.cluster.links;
        let others = links.others();
        let lost = !others.is_empty() && !super::standing::is_spoken_to(world);
        let missed = others.iter().any(|place| links.is_silent(place.id));
        if !(lost || missed) {
            *self = Trouble::default();
            return;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() < LOST {
            return;
        }
        if let Err(error) = self.tell(world) {
            tracing::debug!(error = %tasks::chain(&error), "cannot tell the network where this member is");
        }
        if !lost {
            self.hear_no_more();
        } else if self.hears.as_ref().is_none_or(JoinHandle::is_finished) {
            let world = world.clone();
            self.hears = Some(tokio::spawn(async move {
                if let Err(error) = hear(&world).await {
                    tracing::debug!(error = %tasks::chain(&error), "cannot hear where the others are");
                }
            }));
        }
    }

    fn tell(&mut self, world: &World) -> Result<()> {
        let (own, options) = read(world)?;
        let address = current(world, &own, &options).unwrap_or(own.address);
        if self.tells.as_ref().is_some_and(|(told, _)| *told == address) {
            return Ok(());
        }
        let about = About::Lost {
            cluster: world.store.status().cluster.to_string(),
            fingerprint: world.own_identity()?.fingerprint(),
        };
        let told = Told { about, name: own.name, address: address.clone() };
        self.tells = Some((address, Beacon::light(world, &told)?));
        Ok(())
    }

    fn hear_no_more(&mut self) {
        if let Some(hears) = self.hears.take() {
            hears.abort();
        }
    }
}

/// Tries what is heard of members of this cluster.
async fn hear(world: &World) -> Result<()> {
    let ear = Ear::open(world)?;
    let own = world.store.status().cluster.to_string();
    while let Some(told) = ear.next().await {
        let About::Lost { cluster, fingerprint } = told.about else { continue };
        let place = world.cluster.links.others().into_iter();
        let place = place.filter(|_| cluster == own).find(|place| place.fingerprint == fingerprint);
        let Some(place) = place else { continue };
        if let Err(error) = find(world, Place { address: told.address, ..place }).await {
            tracing::debug!(error = %tasks::chain(&error), "a member is not where it is said to be");
        }
    }
    Ok(())
}

async fn note(world: &World, id: MemberId, address: &str) -> Result<()> {
    let is_there =
        world.store.read(|db| Ok::<_, Error>(rows::by_id(db, id)?.map(|row| row.address)))?;
    if is_there.as_deref() == Some(address) {
        return Ok(());
    }
    world
        .store
        .write(|db| match rows::by_id(db, id)? {
            Some(row) if row.address != address => {
                Ok::<_, Error>(rows::update(db, &Member { address: address.to_owned(), ..row })?)
            }
            _ => Ok(()),
        })
        .await?;
    super::refresh(world)
}
