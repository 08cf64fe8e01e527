//! The client: where the daemon is, and a connection kept for the next request.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hyper::{
    Method as HttpMethod, Request as HttpRequest, Response as HttpResponse, body::Incoming, header,
};
use wire::{Empty, Endpoint};

use crate::{
    Error, Request, Result, Socket, answer,
    transport::{self, Body, Connection, Duplex, Network, Place},
};

/// A client of one daemon. Cheap to make: it connects with the first request.
#[derive(Debug)]
pub struct Client {
    place: Place,
    idle: Mutex<Option<Connection>>,
}

/// A request that is ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: &'static str,
    /// Path with its query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

impl Client {
    /// A client of the daemon behind this socket.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { place: Place::Socket(socket.into()), idle: Mutex::new(None) }
    }

    /// A client of a daemon over the network.
    pub fn remote(network: Network) -> Self {
        Self { place: Place::Network(network), idle: Mutex::new(None) }
    }

    /// The daemon's socket, if it is on this machine.
    pub fn socket_path(&self) -> Option<&Path> {
        match &self.place {
            Place::Socket(path) => Some(path),
            Place::Network(_) => None,
        }
    }

    /// A request of endpoint `E`; `path` fills the parameters of its path, in order.
    pub fn request<E: Endpoint>(&self, path: &[&str]) -> Request<'_, E> {
        Request::new(self, path)
    }

    /// Sends a request and returns its result; for an asynchronous endpoint that is the operation.
    ///
    /// # Errors
    /// [`Error::Api`] when the daemon refuses, others when it cannot be reached or understood.
    pub async fn call<E: Endpoint>(
        &self,
        path: &[&str],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Reply> {
        Ok(self.request::<E>(path).query(query)?.body(body)?.send().await?.reply)
    }

    /// Sends a request that has no body.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn get<E: Endpoint<Body = Empty>>(
        &self,
        path: &[&str],
        query: &E::Query,
    ) -> Result<E::Reply> {
        Ok(self.request::<E>(path).query(query)?.send().await?.reply)
    }

    /// Sends a request that is not typed; `target` is a path with its query. Returns status and body as they came.
    ///
    /// # Errors
    /// Only when the daemon cannot be reached.
    pub async fn raw(
        &self,
        method: &'static str,
        target: &str,
        body: Option<String>,
    ) -> Result<(u16, bytes::Bytes)> {
        let (headers, body) = match body {
            Some(body) => (vec![("content-type", "application/json".into())], body),
            None => (Vec::new(), String::new()),
        };
        let body = transport::body(body);
        let outgoing = Outgoing { method, target: target.to_owned(), headers, body };
        let response = self.send(outgoing).await?;
        let status = response.status().as_u16();
        Ok((status, answer::collect(method, target, response).await?))
    }

    /// A connection of its own, which the daemon makes one of another protocol.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn upgrade<E: Endpoint>(
        &self,
        path: &[&str],
        query: &E::Query,
        protocol: &str,
    ) -> Result<Box<dyn Duplex>> {
        let request = self.request::<E>(path).query(query)?;
        let request = request.header("connection", "upgrade").header("upgrade", protocol);
        request.upgraded(&self.place).await
    }

    /// Opens the websocket at this path.
    ///
    /// # Errors
    /// When it cannot be reached, or the daemon refuses.
    pub async fn websocket(&self, target: &str) -> Result<Socket> {
        Socket::open(&self.place, target, None).await
    }

    /// The same with a header.
    ///
    /// # Errors
    /// As [`websocket`](Self::websocket).
    pub async fn websocket_with(
        &self,
        target: &str,
        header: (&'static str, &str),
    ) -> Result<Socket> {
        Socket::open(&self.place, target, Some(header)).await
    }

    /// Sends a request on the kept connection, or on a new one.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<HttpResponse<Incoming>> {
        let Outgoing { method, target, headers, body } = outgoing;
        let request = build(method, &target, headers, body).map_err(|source| Error::Invalid {
            method,
            path: target.clone(),
            source,
        })?;
        let mut connection = self.connection().await?;
        let response = connection.send_request(request).await;
        let response = response.map_err(|source| Error::Broken { method, path: target, source })?;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(response)
    }

    async fn connection(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = idle
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        self.place.connect().await
    }
}

pub(crate) fn build(
    method: &'static str,
    target: &str,
    headers: Vec<(&'static str, String)>,
    body: Body,
) -> hyper::http::Result<HttpRequest<Body>> {
    let method = HttpMethod::from_bytes(method.as_bytes())?;
    let mut request =
        HttpRequest::builder().method(method).uri(target).header(header::HOST, "microcloud");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body)
}
