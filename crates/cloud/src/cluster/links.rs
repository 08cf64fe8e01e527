//! The way to the other members: where each is and which certificate it has. What the database's log travels over.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, PoisonError, RwLock},
};

use client::Network;
use store::{MemberId, Stream, Transport};
use tls::{Identity, Pin};

use super::life::Lives;
use crate::db::members::Member;

/// Where the database's log is spoken.
const STORE: &str = "/internal/cluster/store";
/// What is spoken there.
pub const PROTOCOL: &str = "microcloud-store";

/// The other members. Empty while there is no cluster.
#[derive(Debug, Default)]
pub struct Links {
    book: RwLock<Book>,
    pub(super) lives: Arc<Lives>,
}

#[derive(Debug, Default)]
struct Book {
    me: MemberId,
    /// Not while this server only joins.
    is_member: bool,
    identity: Option<Arc<Identity>>,
    members: BTreeMap<MemberId, Place>,
}

/// Where a member is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// SHA-256 of its certificate, in hex.
    pub fingerprint: String,
}

impl Links {
    /// Knows these members from now on; who has no address is none yet.
    pub(crate) fn set(&self, me: MemberId, identity: Arc<Identity>, members: &[Member]) {
        let places = members.iter().filter(|member| !member.address.is_empty()).map(|member| {
            let fingerprint = tls::from_text(&member.certificate).map(|der| tls::fingerprint(&der));
            Place {
                id: member.id,
                name: member.name.clone(),
                address: member.address.clone(),
                // One that cannot be read is nobody's.
                fingerprint: fingerprint.unwrap_or_default(),
            }
        });
        self.write(Book {
            me,
            is_member: true,
            identity: Some(identity),
            members: places.map(|place| (place.id, place)).collect(),
        });
    }

    /// Knows the members of a cluster that this server is about to join.
    pub(crate) fn know(
        &self,
        me: MemberId,
        identity: Arc<Identity>,
        places: impl Iterator<Item = Place>,
    ) {
        let members = places.map(|place| (place.id, place)).collect();
        self.write(Book { me, is_member: false, identity: Some(identity), members });
    }

    fn write(&self, book: Book) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = book;
    }

    /// Knows nobody any more.
    pub(crate) fn clear(&self) {
        self.write(Book::default());
    }

    /// Whether this server is a member.
    pub fn is_clustered(&self) -> bool {
        self.book(|book| book.is_member)
    }

    /// The others.
    pub fn others(&self) -> Vec<Place> {
        self.book(|book| {
            book.members.values().filter(|place| place.id != book.me).cloned().collect()
        })
    }

    /// The member of that number.
    pub fn by_id(&self, id: MemberId) -> Option<Place> {
        self.book(|book| book.members.get(&id).cloned())
    }

    /// The member of that name.
    pub fn by_name(&self, name: &str) -> Option<Place> {
        self.book(|book| book.members.values().find(|place| place.name == name).cloned())
    }

    /// The member that has this certificate.
    pub fn by_certificate(&self, certificate: &[u8]) -> Option<Place> {
        if self.book(|book| book.members.is_empty()) {
            return None;
        }
        let shown = tls::fingerprint(certificate);
        self.book(|book| book.members.values().find(|place| place.fingerprint == shown).cloned())
    }

    /// How to connect to a member.
    pub fn network(&self, place: &Place) -> Option<Network> {
        let identity = self.book(|book| book.identity.clone());
        Network::at(&place.address, Pin::Member(place.fingerprint.clone()), identity)
    }

    fn book<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl Transport for Links {
    /// The store's own idea of where a member is is not asked: addresses may change.
    async fn dial(&self, member: &store::Member) -> io::Result<Box<dyn Stream>> {
        let unknown = || io::Error::new(io::ErrorKind::NotConnected, "the member is not known yet");
        let network = self.by_id(member.id).and_then(|place| self.network(&place));
        let network = network.ok_or_else(unknown)?;
        let stream = network.upgrade(STORE, PROTOCOL).await.map_err(io::Error::other)?;
        Ok(Box::new(self.noting(member.id, stream)))
    }
}
