//! Joining by a few words: a member shows them and waits, and whoever types them at another machine has that join.
//!
//! ```text
//! member    open ── words shown ──> waits ── cancelled, its time over, too many wrong words ──> ended
//!                                     │
//! guest     looks for it (mDNS, or told its address) ── proves that it knows the words ──> gets a token for its name
//!                                                                                            └─> joins as with any
//! ```
//! What the two say is `tls::Exchange`. A session is in memory alone: it ends with the daemon. Nothing waits by
//! default: [`open`] is an administrator's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tls::Exchange;
use uuid::Uuid;
use wire::{ClusterGuest, ClusterSession};

use super::{
    clustered,
    nearby::{About, Beacon, Told},
};
use crate::{
    Error, Result, World,
    db::members::{self as rows, Part},
};

mod guest;
mod host;

pub use self::{
    guest::say_words,
    host::{hello, prove},
};

/// How long a member waits: to walk to the other machines and type.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// How many wrong words end it. A person mistypes now and then; who guesses gets no further than that
/// (`tls::words` says what one guess is worth).
const MOST_WRONG: u32 = 5;
/// How many exchanges may be begun at a time; the oldest goes for a new one. An exchange that is not gone on with
/// tells nothing, and costs a kilobyte.
const MOST_BEGUN: usize = 64;
/// How long an exchange that was begun may take.
const EXCHANGE: Duration = Duration::from_secs(30);

/// The session of this member, if there was one since the daemon began.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Option<Session>>);

struct Session {
    number: Uuid,
    words: String,
    name: String,
    address: String,
    fingerprint: String,
    until: DateTime<Utc>,
    wrong: u32,
    begun: VecDeque<Begun>,
    guests: Vec<Guest>,
    state: State,
}

enum State {
    /// It waits; and tells of itself, where that can be.
    Waits(Option<Beacon>),
    /// It does not any more, and why.
    Ended(&'static str),
}

/// An exchange that was begun.
struct Begun {
    number: Uuid,
    exchange: Exchange,
    /// The guest's element.
    element: Vec<u8>,
    /// The guest's certificate.
    fingerprint: String,
    at: Instant,
}

struct Guest {
    name: String,
    from: String,
    fingerprint: String,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the session that waits.
    fn with<T>(&self, act: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let mut session = self.lock();
        match session.as_mut().filter(|open| matches!(open.state, State::Waits(_))) {
            Some(open) => act(open),
            None => Err(Error::NotWaiting),
        }
    }

    /// Ends that session; any, if none is named.
    fn end(&self, number: Option<Uuid>, why: &'static str) {
        if let Some(open) = self.lock().as_mut()
            && matches!(open.state, State::Waits(_))
            && number.is_none_or(|number| open.number == number)
        {
            open.end(why);
        }
    }
}

impl Session {
    fn end(&mut self, why: &'static str) {
        self.state = State::Ended(why);
        self.begun.clear();
        tracing::info!(why, "this member waits for no machines that join any more");
    }
}

/// Has this member wait for machines that join. One that waited already has other words from then on.
pub async fn open(world: &Arc<World>) -> Result<ClusterSession> {
    clustered(world)?;
    let own = world.store.read(super::own)?;
    let words = tls::words::invent().ok_or(Error::NoWords)?;
    let told = Told { about: About::Waits, name: own.name.clone(), address: own.address.clone() };
    let beacon = Beacon::light(world, &told).inspect_err(|error| {
        let error = tasks::chain(error);
        tracing::warn!(error, "machines that join must be told this member's address");
    });
    let number = Uuid::new_v4();
    let session = Session {
        number,
        words,
        name: own.name,
        address: own.address,
        fingerprint: world.identity()?.fingerprint(),
        until: clock::utc() + LIFE,
        wrong: 0,
        begun: VecDeque::new(),
        guests: Vec::new(),
        state: State::Waits(beacon.ok()),
    };
    *world.cluster.sessions.lock() = Some(session);
    tracing::info!("this member waits for machines that join by words");
    let later = world.clone();
    tokio::spawn(async move {
        tokio::time::sleep(LIFE).await;
        later.cluster.sessions.end(Some(number), "its time is over");
    });
    get(world)
}

/// The session as an administrator sees it.
pub fn get(world: &World) -> Result<ClusterSession> {
    let members = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let status = |guest: &Guest| {
        let row = members.iter().find(|row| row.name == guest.name);
        let row = row.filter(|row| {
            tls::from_text(&row.certificate)
                .is_ok_and(|der| tls::fingerprint(&der) == guest.fingerprint)
        });
        String::from(match row.map(|row| row.part) {
            None => "invited",
            Some(Part::Joining) => "joining",
            Some(Part::Ready | Part::Evacuated | Part::Witness) => "member",
        })
    };
    let session = world.cluster.sessions.lock();
    let session = session.as_ref().ok_or(Error::NotWaiting)?;
    let guests = session.guests.iter().map(|guest| ClusterGuest {
        server_name: guest.name.clone(),
        from: guest.from.clone(),
        fingerprint: guest.fingerprint.clone(),
        status: status(guest),
    });
    Ok(ClusterSession {
        words: session.words.clone(),
        server_name: session.name.clone(),
        address: session.address.clone(),
        fingerprint: session.fingerprint.clone(),
        announced: matches!(session.state, State::Waits(Some(_))),
        expires_at: session.until.into(),
        wrong: session.wrong,
        most_wrong: MOST_WRONG,
        guests: guests.collect(),
        ended: match session.state {
            State::Waits(_) => String::new(),
            State::Ended(why) => why.to_owned(),
        },
    })
}

/// Has this member wait no more; one that does not is Ok.
pub fn close(world: &World) {
    world.cluster.sessions.end(None, "it was ended");
}
