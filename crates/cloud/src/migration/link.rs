//! The two websockets between the ends. Each wait on them ends: at the latest after [`PATIENCE`].

use std::{collections::BTreeMap, pin::pin, time::Duration};

use tasks::{Expected, Message, Operation, Socket};
use tokio::time::timeout;

use super::{Far, PATIENCE, SIGN, Said};
use crate::{Error, Result};

/// Which end connects.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// The other one, or a client between: the operation's metadata tells the secrets.
    Here,
    /// This one.
    There(Far),
}

impl Way {
    /// The other end, if a client says where one is.
    pub(crate) fn new(
        operation: &str,
        certificate: &str,
        secrets: &BTreeMap<String, String>,
    ) -> Result<Way> {
        match operation {
            "" => Ok(Way::Here),
            url => Far::new(url, certificate, secrets).map(Way::There),
        }
    }

    /// Both websockets, once they stand. Secrets are in the metadata before it first waits.
    pub(crate) async fn link(&self, operation: &Operation) -> Result<Link> {
        let link = match self {
            Way::There(far) => timeout(PATIENCE, far.connect()).await,
            Way::Here => {
                let seats = ["control", "fs"].map(|name| {
                    let seat = operation.seat();
                    operation.set_metadata(name, seat.secret.clone());
                    seat
                });
                timeout(PATIENCE, arrive(seats)).await
            }
        };
        link.unwrap_or(Err(Error::BrokenOff))
    }
}

async fn arrive([control, data]: [Expected; 2]) -> Result<Link> {
    let (control, data) = tokio::join!(control.arrived, data.arrived);
    match (control, data) {
        (Ok(control), Ok(data)) => Ok(Link { control, data }),
        _ => Err(Error::BrokenOff),
    }
}

/// Both websockets.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) control: Socket,
    pub(super) data: Socket,
}

impl Link {
    /// Says something.
    pub(crate) async fn tell(&self, said: &Said) -> Result<()> {
        let text = serde_json::to_vec(said).map_err(|_| Error::BrokenOff)?;
        send(&self.control, Message::Binary(text.into())).await
    }

    /// What the other end says next but that it is at work.
    pub(crate) async fn hear(&mut self) -> Result<Said> {
        loop {
            match timeout(PATIENCE, self.next()).await.unwrap_or(Err(Error::BrokenOff))? {
                Said::Working => {}
                Said::Failed { why: said } => return Err(Error::OtherEnd { said }),
                said => return Ok(said),
            }
        }
    }

    async fn next(&mut self) -> Result<Said> {
        let bytes = match self.control.incoming.recv().await {
            Some(Message::Binary(bytes)) => bytes,
            Some(Message::Text(text)) => text.into(),
            Some(Message::Close) | None => return Err(Error::BrokenOff),
        };
        let strange = || Error::OtherEnd { said: String::from("what this server does not know") };
        serde_json::from_slice(&bytes).map_err(|_| strange())
    }

    /// Does something long, and says so to the other end; what that says meanwhile can only be that it gives up.
    pub(crate) async fn busy<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        let mut signs = tokio::time::interval(SIGN);
        loop {
            tokio::select! {
                done = &mut work => return done,
                said = self.next() => match said? {
                    Said::Failed { why: said } => return Err(Error::OtherEnd { said }),
                    _ => continue,
                },
                _ = signs.tick() => self.tell(&Said::Working).await?,
            }
        }
    }

    /// Data for the other end.
    pub(super) async fn send(&self, bytes: bytes::Bytes) -> Result<()> {
        send(&self.data, Message::Binary(bytes)).await
    }

    /// Data of the other end.
    pub(super) async fn receive(&mut self) -> Result<bytes::Bytes> {
        match timeout(PATIENCE, self.data.incoming.recv()).await {
            Ok(Some(Message::Binary(bytes))) => Ok(bytes),
            _ => Err(Error::BrokenOff),
        }
    }

    /// Waits until the other end has let go: then what it held is free.
    pub(crate) async fn until_let_go(&mut self, limit: Duration) {
        let gone = async { while self.next().await.is_ok() {} };
        // Who does not let go keeps nobody.
        let _ = timeout(limit, gone).await;
    }

    /// Lets go once the operation has ended.
    pub(crate) fn let_go_after(self, operation: &Operation) {
        let operation = operation.clone();
        tokio::spawn(async move {
            operation.wait().await;
            drop(self);
        });
    }
}

async fn send(to: &Socket, message: Message) -> Result<()> {
    match timeout(PATIENCE, to.outgoing.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Error::BrokenOff),
    }
}
