//! A websocket of an operation, as plain channels.
//!
//! The work asks for one seat a stream (`Operation::seat`) and tells the secret to its client through
//! the metadata. A door that is given the secret claims the seat before it upgrades the connection and
//! fills it after. So the work knows no HTTP library, and a connection forwarded by another member
//! looks the same as a direct one.

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

/// The place of one websocket, claimed with its secret; to be filled once the connection stands.
#[derive(Debug)]
#[must_use]
pub struct Seat(pub(super) oneshot::Sender<Socket>);

impl Seat {
    /// Hands the connection to the work; false if the work has gone away.
    pub fn fill(self, socket: Socket) -> bool {
        self.0.send(socket).is_ok()
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

/// 256 random bits as hexadecimal digits.
pub(super) fn secret() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    half() + &half()
}
