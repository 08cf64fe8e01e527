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
    /// Where members said that they are, whose rows do not say so yet: that, and what the row said then.
    told: BTreeMap<MemberId, (String, String)>,
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
        let mut members: BTreeMap<_, _> = places.map(|place| (place.id, place)).collect();
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let mut told = std::mem::take(&mut book.told);
        // A row that says something else since is right.
        told.retain(|id, (new, row)| {
            let place = members.get_mut(id).filter(|place| place.address == *row);
            place.map(|place| place.address.clone_from(new)).is_some()
        });
        *book = Book { me, is_member: true, identity: Some(identity), members, told };
    }

    /// A member said that it is there; that goes before its row until the row changes.
    pub(super) fn told(&self, id: MemberId, address: &str) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = book.members.get_mut(&id) else { return };
        let before = std::mem::replace(&mut place.address, address.to_owned());
        if before != address {
            let row = book.told.remove(&id).map_or(before, |(_, row)| row);
            book.told.insert(id, (address.to_owned(), row));
        }
    }

    /// Knows the members of a cluster that this server is about to join.
    pub(crate) fn know(
        &self,
        me: MemberId,
        identity: Arc<Identity>,
        places: impl Iterator<Item = Place>,
    ) {
        let members = places.map(|place| (place.id, place)).collect();
        let told = BTreeMap::new();
        self.write(Book { me, is_member: false, identity: Some(identity), members, told });
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

#[cfg(test)]
mod tests {
    use tls::Purpose;

    use super::*;

    #[test]
    fn what_a_member_said_goes_before_its_row_until_that_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("crt"), folder.path().join("key"));
        let own = Arc::new(Identity::find(&certificate, &key, Purpose::Server("pi")).unwrap());
        let links = Links::default();
        let row = |address: &str| {
            [Member { id: 2, name: "m2".into(), address: address.into(), ..Member::default() }]
        };
        let at = || links.by_id(2).unwrap().address;
        links.set(1, own.clone(), &row("a:1"));
        links.told(2, "b:1");
        assert_eq!(at(), "b:1");
        links.set(1, own.clone(), &row("a:1"));
        assert_eq!(at(), "b:1", "its row is old");
        links.told(2, "c:1");
        links.set(1, own.clone(), &row("a:1"));
        assert_eq!(at(), "c:1");
        links.set(1, own.clone(), &row("c:1"));
        links.set(1, own.clone(), &row("a:1"));
        assert_eq!(at(), "a:1", "its row has changed twice since");
        links.told(2, "a:1");
        links.set(1, own, &row("d:1"));
        assert_eq!(at(), "d:1");
    }
}
