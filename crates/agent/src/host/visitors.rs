//! Those inside who ask the daemon: each becomes a stream, as if it had come to a socket here.
//!
//! What the agent says of them is believed as far as it is the machine's to say. A stream that the daemon is done
//! with is gone soon after, whatever the agent does; so who serves few at a time has few.

use std::{io, pin::pin, time::Duration};

use bytes::Bytes;
use hyper::Method;
use tokio::{net::UnixStream, sync::mpsc, time::timeout};

use super::{
    Agent,
    call::Requests,
    pump::{download, feed},
};
use crate::{
    body::Body,
    error::{Error, Result},
    limits,
    words::Arrived,
};

/// How long the last words of an answer may take once all are sent.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Somebody inside who asks.
#[derive(Debug)]
pub struct Visitor {
    /// What is said and told.
    pub stream: UnixStream,
    requests: Requests,
    id: u64,
    carried: UnixStream,
}

impl Agent {
    /// Waits for the next who comes to `/dev/lxd/sock` inside; for ever, or until the connection ends.
    pub async fn visitor(&self) -> Result<Visitor> {
        let request = self.requests.request(Method::POST, "/1.0/visitors", Body::empty());
        let Arrived { id } = self.requests.unhurried("wait for a visitor", request).await?;
        let local = |source: io::Error| Error::Local { verb: "make a socket", source };
        let (stream, carried) = UnixStream::pair().map_err(local)?;
        Ok(Visitor { stream, requests: self.requests.clone(), id, carried })
    }

    /// Nobody inside may come any more.
    pub async fn turn_away(&self) -> Result<()> {
        let request = self.requests.request(Method::DELETE, "/1.0/visitors", Body::empty());
        self.requests.done("turn visitors away", request, limits::CALL).await
    }
}

impl Visitor {
    /// Gives the stream, and what carries its bytes until the daemon has closed it.
    pub fn into_parts(self) -> (UnixStream, impl Future<Output = ()> + Send + 'static) {
        let Visitor { stream, requests, id, carried } = self;
        (stream, async move {
            carry(&requests, id, carried).await;
            let path = format!("/1.0/visitors/{id}");
            let request = requests.request(Method::DELETE, &path, Body::empty());
            // If the connection is gone, the agent knows.
            let _ = requests.done("forget a visitor", request, limits::CALL).await;
        })
    }
}

async fn carry(requests: &Requests, id: u64, stream: UnixStream) {
    let (from, to) = stream.into_split();
    let (pieces, body) = mpsc::channel::<io::Result<Bytes>>(1);
    let path = |which: u8| format!("/1.0/visitors/{id}/{which}");
    let told = requests.request(Method::PUT, &path(0), Body::Pieces(body));
    let told = requests.send("tell a visitor", told);
    let says = path(1);
    let mut both = pin!(async {
        // How either ended says nothing that the other end of the stream does not see.
        let _ = tokio::join!(told, download(requests, &says, to));
    });
    tokio::select! {
        () = &mut both => {}
        () = feed(from, pieces) => {
            let _ = timeout(LAST_WORDS, both).await;
        }
    }
}
