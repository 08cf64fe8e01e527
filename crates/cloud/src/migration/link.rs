//! The websockets between the ends. Each wait on them ends: at the latest after [`PATIENCE`].

use std::{
    collections::{BTreeMap, VecDeque},
    pin::{Pin, pin},
    time::Duration,
};

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

    /// The websockets, once they stand. Secrets are in the metadata before it first waits.
    pub(crate) async fn link(&self, operation: &Operation, what: What) -> Result<Link> {
        let link = match self {
            Way::There(far) => timeout(PATIENCE, far.connect(what)).await,
            Way::Here => {
                let seat = |name: &str| {
                    let seat = operation.seat();
                    operation.set_metadata(name, seat.secret.clone());
                    seat
                };
                let two = ["control", "fs"].map(seat);
                let third = (what == What::Live).then(|| seat(MEMORY));
                timeout(PATIENCE, arrive(two, third)).await
            }
        };
        link.unwrap_or(Err(Error::BrokenOff))
    }
}

/// What is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// What stands still, by two websockets.
    AtRest,
    /// A machine that runs: its memory has a third one.
    Live,
}

/// What clients know the websocket of the memory as.
pub(super) const MEMORY: &str = "criu";

async fn arrive([control, data]: [Expected; 2], memory: Option<Expected>) -> Result<Link> {
    let third = async {
        match memory {
            Some(memory) => memory.arrived.await.map(Some),
            None => Ok(None),
        }
    };
    match tokio::join!(control.arrived, data.arrived, third) {
        (Ok(control), Ok(data), Ok(memory)) => Ok(Link::new(control, data, memory)),
        _ => Err(Error::BrokenOff),
    }
}

/// The websockets.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) control: Socket,
    pub(super) data: Socket,
    memory: Option<Socket>,
    /// What the other end said while this one was at work.
    heard: VecDeque<Said>,
}

impl Link {
    pub(super) fn new(control: Socket, data: Socket, memory: Option<Socket>) -> Link {
        Link { control, data, memory, heard: VecDeque::new() }
    }

    /// Two ends joined, for what stands still.
    #[cfg(test)]
    pub(crate) fn pair() -> (Link, Link) {
        let [(control, their_control), (data, their_data)] = [Socket::pair(), Socket::pair()];
        (Link::new(control, data, None), Link::new(their_control, their_data, None))
    }

    /// One end of what runs.
    #[cfg(test)]
    pub(crate) fn live([control, data, memory]: [Socket; 3]) -> Link {
        Link::new(control, data, Some(memory))
    }

    /// The websockets of disk and memory, for whoever carries both.
    pub(crate) fn streams(&mut self) -> Result<[Socket; 2]> {
        let memory = self.memory.take().ok_or(Error::BrokenOff)?;
        // Nothing more is sent or received on what is left in its place.
        let (left, _) = Socket::pair();
        Ok([std::mem::replace(&mut self.data, left), memory])
    }

    /// Says something.
    pub(crate) async fn tell(&self, said: &Said) -> Result<()> {
        let text = serde_json::to_vec(said).map_err(|_| Error::BrokenOff)?;
        send(&self.control, Message::Binary(text.into())).await
    }

    /// What the other end says next but that it is at work.
    pub(crate) async fn hear(&mut self) -> Result<Said> {
        loop {
            let said = match self.heard.pop_front() {
                Some(said) => said,
                None => timeout(PATIENCE, self.next()).await.unwrap_or(Err(Error::BrokenOff))?,
            };
            match said {
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

    /// Does something long, and says so to the other end; what that says meanwhile is kept, but that it gives up.
    pub(crate) async fn busy<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let done = self.busy_until(pin!(work), |_| false).await?;
        done.ok_or(Error::BrokenOff)
    }

    /// The same, until the other end says something that is waited for: `None` if that comes before the work is done.
    pub(crate) async fn busy_until<T>(
        &mut self,
        mut work: Pin<&mut impl Future<Output = Result<T>>>,
        awaited: impl Fn(&Said) -> bool,
    ) -> Result<Option<T>> {
        let mut signs = tokio::time::interval(SIGN);
        loop {
            tokio::select! {
                done = &mut work => return done.map(Some),
                said = self.next() => match said? {
                    Said::Failed { why: said } => return Err(Error::OtherEnd { said }),
                    Said::Working => continue,
                    said if awaited(&said) => return Ok(None),
                    said => self.heard.push_back(said),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_awaited_ends_the_wait_and_all_else_is_kept() {
        let (mut here, there) = Link::pair();
        for said in [Said::Working, Said::All, Said::Same] {
            there.tell(&said).await.unwrap();
        }
        let same = |said: &Said| *said == Said::Same;
        let forever = pin!(std::future::pending::<Result<()>>());
        assert_eq!(here.busy_until(forever, same).await.unwrap(), None);
        assert_eq!(here.hear().await.unwrap(), Said::All);
        assert_eq!(here.busy_until(pin!(async { Ok(1) }), same).await.unwrap(), Some(1));
    }
}
