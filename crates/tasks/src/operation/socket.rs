//! A websocket of an operation, as plain channels.
//!
//! The work asks for one seat a stream (`Operation::seat`), or for a door where a client connects as often as
//! it likes (`Operation::door`), and tells the secret to its client through the metadata. A door that is given the secret claims the seat before it upgrades the connection and
//! fills it after. So the work knows no HTTP library, and a connection forwarded by another member
//! looks the same as a direct one.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// What travels on a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text frame; the control messages of exec are such.
    Text(String),
    /// Data.
    Binary(Bytes),
    /// The end of this direction.
    Close,
}

/// Frames a direction may have under way before its sender waits.
const DEPTH: usize = 16;

/// One end of a websocket. A dropped `outgoing` or an ended `incoming` means that it is closed.
#[derive(Debug)]
pub struct Socket {
    /// From the other side.
    pub incoming: mpsc::Receiver<Message>,
    /// To the other side.
    pub outgoing: mpsc::Sender<Message>,
}

impl Socket {
    /// Two ends joined.
    pub fn pair() -> (Socket, Socket) {
        let (to_right, from_left) = mpsc::channel(DEPTH);
        let (to_left, from_right) = mpsc::channel(DEPTH);
        let left = Socket { incoming: from_right, outgoing: to_right };
        let right = Socket { incoming: from_left, outgoing: to_left };
        (left, right)
    }
}

/// Connections through a door that the work has not looked at yet. More are turned away.
const WAITING: usize = 8;

/// The place of one websocket, claimed with its secret; to be filled once the connection stands.
#[derive(Debug)]
#[must_use]
pub struct Seat(Place);

impl Seat {
    /// Hands the connection to the work; false if the work has gone away.
    pub fn fill(self, socket: Socket) -> bool {
        match self.0 {
            Place::Once(place) | Place::Optional(place) => place.send(socket).is_ok(),
            Place::Door(place) => place.try_send(socket).is_ok(),
        }
    }
}

/// Where the connection of a secret goes.
#[derive(Debug)]
pub(super) enum Place {
    Once(oneshot::Sender<Socket>),
    /// One that the work does not wait for: who comes when it is over finds a connection that is closed at once.
    Optional(oneshot::Sender<Socket>),
    Door(mpsc::Sender<Socket>),
}

/// The places that wait for connections, by their secrets.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, Place>);

impl Places {
    /// A place for one connection.
    pub(super) fn seat(&mut self) -> Expected {
        self.one(Place::Once)
    }

    /// One that need not come, and may come when all is over.
    pub(super) fn optional(&mut self) -> Expected {
        self.one(Place::Optional)
    }

    fn one(&mut self, place: impl FnOnce(oneshot::Sender<Socket>) -> Place) -> Expected {
        let (sender, arrived) = oneshot::channel();
        let secret = secret();
        self.0.insert(secret.clone(), place(sender));
        Expected { secret, arrived }
    }

    /// A place for any number of connections.
    pub(super) fn door(&mut self) -> Door {
        let (sender, arrivals) = mpsc::channel(WAITING);
        let secret = secret();
        self.0.insert(secret.clone(), Place::Door(sender));
        Door { secret, arrivals }
    }

    /// Takes a seat, or a way through a door; `None` if there is none, or nobody waits there any more.
    pub(super) fn claim(&mut self, secret: &str) -> Option<Seat> {
        if let Some(Place::Door(door)) = self.0.get(secret) {
            return (!door.is_closed()).then(|| Seat(Place::Door(door.clone())));
        }
        match self.0.remove(secret)? {
            Place::Once(seat) if seat.is_closed() => None,
            place => Some(Seat(place)),
        }
    }

    /// Nobody waits any more.
    pub(super) fn clear(&mut self) {
        self.0.retain(|_, place| matches!(place, Place::Optional(_)));
    }
}

/// A seat as the work sees it. Awaiting `arrived` fails when the client broke off on the way.
#[derive(Debug)]
pub struct Expected {
    /// What the client must present.
    pub secret: String,
    /// The connection, once it is there.
    pub arrived: oneshot::Receiver<Socket>,
}

/// A door as the work sees it: connections come one after another, until it is dropped.
#[derive(Debug)]
pub struct Door {
    /// What each client must present.
    pub secret: String,
    /// The connections.
    pub arrivals: mpsc::Receiver<Socket>,
}

/// 256 random bits as hexadecimal digits.
fn secret() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    half() + &half()
}
