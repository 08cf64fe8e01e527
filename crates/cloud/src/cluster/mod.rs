//! Several machines as one cloud: who is a member, how one comes and goes, how members reach each other.
//!
//! ```text
//! alone ── enable ──> first member            database: one voter, as it was
//! alone ── join(token) ──> let in (row, number) ──> has the database ──> begins anew as a member ──> gets a vote
//! member ── recover, the majority is lost for good ──> the only member, with all that the database has ([`recover`])
//! member ── remove ──> alone again, empty      one that was off then: when it is back and says so ([`standing`])
//! member ── of another version than the database is for: it votes, and waits ([`versions`])
//! member ── another address ──> the others are told ([`whereabouts`])
//! ```
//! Members know each other by their own certificates, clients know all of them by the cluster's
//! (`docs/decisions/cluster.md`). What goes from one to another: the log of the database ([`links`]), and
//! requests that belong to another member (`api::forward`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use store::{Read, Store};
use tokio::sync::{Notify, watch};

use crate::{
    Error, Result, World,
    db::members::{self as rows, Member},
};

mod admit;
mod allowed;
mod arrive;
mod certificate;
mod enable;
mod evacuate;
pub mod groups;
mod heal;
mod join;
pub(crate) mod lease;
mod leave;
mod life;
mod links;
mod majority;
mod members;
mod nearby;
mod recover;
pub mod session;
mod spread;
mod standing;
mod state;
mod takers;
mod token;
mod versions;
mod votes;
mod whereabouts;
mod whose;

pub use self::{
    admit::{admit, begin},
    allowed::{allowed_target, check_place},
    arrive::{arrive, await_leader},
    certificate::{CERTIFICATE, Certificate, keep_certificate, replace_certificate},
    enable::enable,
    evacuate::{give_back, set_state},
    heal::Healing,
    join::{finish as finish_join, join},
    lease::keep_lease,
    leave::{finish as finish_leave, leave, left, remove, replace},
    life::Noting,
    links::{Links, PROTOCOL, Place},
    members::{get, list, rename, update},
    nearby::nearby,
    recover::{give_up_lost, go_on_alone, recover},
    spread::{Spread, spread},
    standing::{let_go, standing, watch_standing},
    state::{pulse, state},
    token::token,
    versions::{Unfit, fits, watch_versions},
    votes::{MEMBERS, Votes},
    whereabouts::{moved, set_address, watch_whereabouts},
    whose::{Asked, place_for_instance, whose},
};
pub(crate) use self::{evacuate::ORIGIN, members::there};

/// The header in which a member tells for whom it asks. What has it is answered of what is there alone.
pub const CALLER: &str = "x-microcloud-caller";

/// The header in which members tell each other how much of the database they have seen: its revision. Who is asked,
/// and who gets an answer, waits until it has as much, so that what was changed before is there.
pub const SEEN: &str = "x-microcloud-seen";

/// How long a member waits for what another has seen.
const CATCH_UP: Duration = Duration::from_secs(2);

/// What a daemon knows of its cluster beside the rows.
pub struct Cluster {
    /// The way to the others.
    pub links: Arc<Links>,
    /// The database of the cluster that is being joined, while it is.
    joining: Mutex<Option<Store>>,
    /// What machines join by that are told a few words.
    pub(crate) sessions: session::Sessions,
    again: Notify,
    /// Where this member is may have changed.
    pub(crate) moved: Notify,
    /// Whether this server is no member any more, and could not be told when it was removed.
    removed: watch::Sender<bool>,
    /// On what other members could run as well.
    lease: lease::Lease,
    unfit: Mutex<Option<Unfit>>,
}

impl Cluster {
    pub(crate) fn new(links: Arc<Links>) -> Cluster {
        let removed = watch::Sender::new(false);
        let (joining, sessions) = (Mutex::default(), session::Sessions::default());
        let (again, moved) = (Notify::new(), Notify::new());
        let (lease, unfit) = (lease::Lease::default(), Mutex::default());
        Cluster { links, joining, sessions, again, moved, removed, lease, unfit }
    }

    /// Resolves when the daemon is to begin anew, as a member or as none.
    pub async fn again(&self) {
        self.again.notified().await;
    }

    /// Whether this server was removed from its cluster, and is to be let go ([`let_go`]).
    pub fn is_removed(&self) -> bool {
        *self.removed.borrow()
    }

    /// Resolves when it is found out that it was.
    async fn removal(&self) {
        // Its sender lives as long as this.
        let _ = self.removed.subscribe().wait_for(|removed| *removed).await;
    }

    fn set_removed(&self) {
        self.removed.send_replace(true);
    }

    fn unfit(&self) -> Option<Unfit> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_unfit(&self, unfit: Option<Unfit>) {
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner) = unfit;
    }

    pub(crate) fn begin_anew(&self) {
        self.again.notify_one();
    }

    fn set_joining(&self, store: Option<Store>) {
        *self.joining.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    fn joining(&self) -> Option<Store> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl World {
    /// Whether this server is a member of a cluster.
    pub fn is_clustered(&self) -> bool {
        self.cluster.links.is_clustered()
    }

    /// The database that another member means: this one's, or that of the cluster which it joins.
    pub fn linked_store(&self) -> Store {
        self.cluster.joining().unwrap_or_else(|| self.store.clone())
    }

    /// How much of the database this member has seen.
    pub fn seen(&self) -> u64 {
        self.store.watch().borrow().revision()
    }

    /// Waits until this member has seen that much, or has waited long enough: what it has is right, and old.
    pub async fn catch_up(&self, seen: u64) {
        let mut changed = self.store.watch();
        let there = changed.wait_for(|changed| changed.revision() >= seen);
        let _ = tokio::time::timeout(CATCH_UP, there).await;
    }

    /// Where things of this member are, as clients see it.
    pub fn location(&self) -> String {
        if self.is_clustered() { self.me() } else { String::from("none") }
    }
}

/// A client of another member.
pub(crate) fn client(world: &World, place: &Place) -> Result<client::Client> {
    let network = world.cluster.links.network(place);
    let network = network.ok_or_else(|| Error::Silent { member: place.name.clone() })?;
    Ok(client::Client::remote(network))
}

/// What [`CALLER`] says when this member asks for itself.
pub(crate) fn itself() -> String {
    serde_json::to_string(&crate::Caller::default()).unwrap_or_default()
}

/// The row of this member.
pub(crate) fn own(db: &Read<'_>) -> Result<Member> {
    rows::by_id(db, db.me())?.ok_or_else(|| Error::not_found("member", &db.me().to_string()))
}

pub(crate) fn find(db: &Read<'_>, name: &str) -> Result<Member> {
    rows::get(db, name)?.ok_or_else(|| Error::not_found("cluster member", name))
}

fn clustered(world: &World) -> Result<()> {
    if world.is_clustered() { Ok(()) } else { Err(Error::NoCluster) }
}

/// The addresses of this machine by which others may reach it, the best first: not those of our own networks.
pub fn addresses(world: &World) -> Result<Vec<String>> {
    let networks = world.store.read(|db| Ok::<_, Error>(crate::db::networks::all(db)?))?;
    Ok(crate::server::own_all(&|link| networks.iter().any(|network| network.name == link))
        .into_iter()
        .map(|ip| ip.to_string())
        .collect())
}

/// Learns anew who the members are; when rows of members may have changed.
pub fn refresh(world: &World) -> Result<()> {
    let members = world.store.peek(|db| Ok::<_, Error>(rows::places(db)?))?;
    let me = world.store.status().me;
    if let Some(own) = members.iter().find(|member| member.id == me) {
        world.set_me(&own.name);
    }
    if members.iter().any(|member| !member.address.is_empty()) {
        world.cluster.links.set(me, world.own_identity()?, &members);
        world.bus().set_location(&world.me());
    }
    Ok(())
}
