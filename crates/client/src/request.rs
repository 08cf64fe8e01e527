//! A typed request: built, sent, answered.

use std::marker::PhantomData;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;
use wire::{Endpoint, endpoints};

use crate::{
    Client, Content, Error, Received, Result, Upload, answer,
    client::{Outgoing, build},
    transport::{self, Body, Duplex, Place},
    upload,
};

/// A request of endpoint `E` that is being put together.
pub struct Request<'a, E> {
    client: &'a Client,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
    endpoint: PhantomData<fn() -> E>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<R> {
    /// The result.
    pub reply: R,
    /// Version of what was shown; give it to [`Request::if_match`] with the change.
    pub etag: Option<String>,
}

impl<'a, E: Endpoint> Request<'a, E> {
    pub(crate) fn new(client: &'a Client, path: &[&str]) -> Self {
        Self {
            client,
            path: endpoints::path::<E>(path),
            query: String::new(),
            headers: Vec::new(),
            body: transport::body(""),
            endpoint: PhantomData,
        }
    }

    /// Sets what stands behind the `?`.
    ///
    /// # Errors
    /// When it cannot be written as text.
    pub fn query(mut self, query: &E::Query) -> Result<Self> {
        self.query = serde_urlencoded::to_string(query)
            .map_err(|source| Error::Query { path: self.path.clone(), source })?;
        Ok(self)
    }

    /// Sets the body.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn body(mut self, body: &E::Body) -> Result<Self> {
        let text = serde_json::to_vec(body)
            .map_err(|source| Error::Encode { path: self.path.clone(), source })?;
        if text != b"{}" || endpoint_takes_body::<E>() {
            self.headers.push(("content-type", "application/json".into()));
            self.body = transport::body(text);
        }
        Ok(self)
    }

    /// Sends files in place of a JSON body; for endpoints with [`Endpoint::UPLOAD`].
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn upload(mut self, upload: Upload) -> Result<Self> {
        let (headers, body) = upload.into_body().await?;
        self.headers.extend(headers);
        self.body = body;
        Ok(self)
    }

    /// Sets a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends bytes or a file in place of a JSON body; for endpoints with [`Endpoint::UPLOAD`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn content(mut self, content: Content) -> Result<Self> {
        let (length, body) = upload::content(content).await?;
        self.headers.push(("content-type", "application/octet-stream".into()));
        self.headers.push(("content-length", length.to_string()));
        self.body = body;
        Ok(self)
    }

    /// Sends it, and leaves the body of the answer to be read.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn receive(self) -> Result<Received> {
        let (client, outgoing) = self.outgoing();
        let target = outgoing.target.clone();
        let response = client.send(outgoing).await?;
        Received::checked(E::METHOD.as_str(), target, response).await
    }

    /// Asks that nothing be changed unless it still has this version.
    pub fn if_match(mut self, etag: Option<String>) -> Self {
        self.headers.extend(etag.map(|etag| ("if-match", etag)));
        self
    }

    /// Sends it, and reads the result out of the envelope.
    ///
    /// # Errors
    /// [`Error::Api`] when the daemon refuses, others when it cannot be reached or understood.
    pub async fn send(self) -> Result<Answer<E::Reply>> {
        let (client, outgoing) = self.outgoing();
        let target = outgoing.target.clone();
        let response = client.send(outgoing).await?;
        answer::envelope(E::METHOD.as_str(), &target, response).await
    }

    /// Sends it, and writes the file that comes back; for endpoints that answer with one.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when it cannot be written.
    pub async fn download(self, into: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        let (client, outgoing) = self.outgoing();
        let target = outgoing.target.clone();
        let response = client.send(outgoing).await?;
        answer::file(E::METHOD.as_str(), &target, response, into).await
    }

    /// Sends it on a connection of its own, which becomes one of another protocol.
    pub(crate) async fn upgraded(self, place: &Place) -> Result<Box<dyn Duplex>> {
        let (_, Outgoing { method, target, headers, body }) = self.outgoing();
        let path = target.clone();
        let request = build(method, &target, headers, body).map_err(|source| Error::Invalid {
            method,
            path,
            source,
        })?;
        let broken = |source| Error::Broken { method, path: target.clone(), source };
        let stream = TokioIo::new(place.stream().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        // An error here also reaches the request that waits for its answer.
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.map_err(broken)?;
        let response = Received::checked(method, target.clone(), response).await?.response;
        Ok(Box::new(TokioIo::new(hyper::upgrade::on(response).await.map_err(broken)?)))
    }

    fn outgoing(self) -> (&'a Client, Outgoing) {
        let target =
            if self.query.is_empty() { self.path } else { format!("{}?{}", self.path, self.query) };
        let method = E::METHOD.as_str();
        (self.client, Outgoing { method, target, headers: self.headers, body: self.body })
    }
}

/// Everything but GET and DELETE has a body, even when all of it is default.
fn endpoint_takes_body<E: Endpoint>() -> bool {
    !matches!(E::METHOD, wire::Method::Get | wire::Method::Head | wire::Method::Delete)
}
