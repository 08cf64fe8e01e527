//! From a declared endpoint to a route: permission, path, query and body come first, the handler
//! gets types.

use std::{
    collections::BTreeMap, future::ready, marker::PhantomData, panic::AssertUnwindSafe, sync::Arc,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path, Query, State, rejection::PathRejection},
    http::Request,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use cloud::{Caller, World, metrics::Outcome};
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use wire::{Endpoint, Method};

use crate::{
    access::{self, Peer},
    error::{Error, Result},
};

/// Bytes of a request's JSON at most: configuration may hold a cloud-init file, not more.
const BODY: usize = 4 << 20;

/// The routes so far.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Arc<World>>,
    /// Method and path of each endpoint that has its handler.
    pub(crate) served: Vec<(&'static str, &'static str)>,
}

/// A request as its handler sees it.
pub(crate) struct Call<E: Endpoint> {
    /// The world.
    pub(crate) world: Arc<World>,
    /// Who asks, and what it may do.
    pub(crate) caller: Caller,
    /// The other end of the connection.
    pub(crate) peer: Peer,
    /// What stands behind the `?`.
    pub(crate) query: E::Query,
    /// What was sent.
    pub(crate) body: E::Body,
    /// The entity tag the client saw.
    pub(crate) if_match: Option<String>,
    /// Whether another member asks, and so only for what is here.
    pub(crate) only_here: bool,
    path: BTreeMap<String, String>,
    endpoint: PhantomData<fn() -> E>,
}

impl<E: Endpoint> Call<E> {
    /// A parameter of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// A request whose body or reply is no envelope.
pub(crate) struct RawCall<E: Endpoint> {
    /// All but the body.
    pub(crate) call: Call<E>,
    /// The request, its body unread.
    pub(crate) request: Request<Body>,
}

/// A reply with the entity tag of what a client may edit of it.
pub(crate) struct Tagged<T>(pub(crate) T, pub(crate) String);

impl Routes {
    /// Answers at once.
    pub(crate) fn sync<E: Endpoint, F>(self, handler: fn(Call<E>) -> F) -> Self
    where
        F: Future<Output = Result<E::Reply>> + Send + 'static,
        E::Reply: 'static,
    {
        self.add::<E, _>(move |given| async move {
            let work = handler(read(given).await?);
            let answer = work.map_ok(|reply| Json(wire::Response::sync(reply)).into_response());
            whole(E::METHOD, answer.boxed()).await
        })
    }

    /// Answers at once, with an entity tag.
    pub(crate) fn tagged<E: Endpoint, F>(self, handler: fn(Call<E>) -> F) -> Self
    where
        F: Future<Output = Result<Tagged<E::Reply>>> + Send + 'static,
        E::Reply: 'static,
    {
        self.add::<E, _>(move |given| async move {
            let answer = handler(read(given).await?).map_ok(|Tagged(reply, tag)| {
                ([(ETAG, tag)], Json(wire::Response::sync(reply))).into_response()
            });
            whole(E::METHOD, answer.boxed()).await
        })
    }

    /// Answers with an operation.
    pub(crate) fn background<E: Endpoint, F>(self, handler: fn(Call<E>) -> F) -> Self
    where
        F: Future<Output = Result<tasks::Operation>> + Send + 'static,
    {
        self.add::<E, _>(move |given| async move {
            let work = handler(read(given).await?);
            whole(E::METHOD, work.map_ok(|operation| accepted(&operation)).boxed()).await
        })
    }

    /// Reads its body, or makes its reply, itself.
    pub(crate) fn raw<E: Endpoint, F>(self, handler: fn(RawCall<E>) -> F) -> Self
    where
        F: Future<Output = Result<Response>> + Send + 'static,
        E::Body: Default,
    {
        self.add::<E, _>(move |(mut call, request): Given<E>| async move {
            call.body = Some(E::Body::default());
            handler(RawCall { call: call.whole()?, request }).await
        })
    }

    fn add<E: Endpoint, F>(
        mut self,
        handler: impl Fn(Given<E>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.served.push((E::METHOD.as_str(), E::PATH));
        let answer: Answer = Arc::new(move |asked| match draft::<E>(&asked) {
            Ok(draft) => handler((draft, asked.request)).boxed(),
            Err(error) => ready(Err(error)).boxed(),
        });
        for path in spellings(E::PATH) {
            self.router = self.router.route(&path, route(E::METHOD, E::PATH, answer.clone()));
        }
        self
    }

    /// The routes, for the server.
    pub(crate) fn into_router(self) -> Router<Arc<World>> {
        self.router.method_not_allowed_fallback(wrong_method)
    }
}

/// An endpoint's path as the router wants it, and its older name. An alias' name may hold slashes.
fn spellings(path: &str) -> Vec<String> {
    let path = path.replace("/aliases/{name}", "/aliases/{*name}");
    match path.strip_prefix("/1.0/instances") {
        Some(rest) => vec![format!("/1.0/containers{rest}"), path],
        None => vec![path],
    }
}

/// A call whose body is not read yet, and the request.
type Given<E> = (Draft<E>, Request<Body>);

struct Draft<E: Endpoint> {
    world: Arc<World>,
    caller: Caller,
    peer: Peer,
    query: E::Query,
    body: Option<E::Body>,
    if_match: Option<String>,
    only_here: bool,
    path: BTreeMap<String, String>,
}

impl<E: Endpoint> Draft<E> {
    fn whole(self) -> Result<Call<E>> {
        let body = self.body.ok_or_else(|| Error::bad("body", "it is missing"))?;
        let Draft { world, caller, peer, query, if_match, only_here, path, .. } = self;
        let endpoint = PhantomData;
        Ok(Call { world, caller, peer, query, body, if_match, only_here, path, endpoint })
    }
}

/// What is asked, before its endpoint's types are known.
struct Asked {
    world: Arc<World>,
    peer: Peer,
    path: Result<Path<BTreeMap<String, String>>, PathRejection>,
    request: Request<Body>,
}

/// An endpoint with its types forgotten, so that the server's part is compiled once and not for each.
type Answer = Arc<dyn Fn(Asked) -> BoxFuture<'static, Result<Response>> + Send + Sync>;

/// How monitoring counts an answer.
fn outcome(status: http::StatusCode) -> Outcome {
    match status.as_u16() {
        500.. => Outcome::ServerError,
        400.. => Outcome::ClientError,
        _ => Outcome::Succeeded,
    }
}

fn route(method: Method, declared: &'static str, answer: Answer) -> MethodRouter<Arc<World>> {
    let method = match method {
        Method::Get => MethodFilter::GET,
        Method::Head => MethodFilter::HEAD,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    on(
        method,
        async move |ConnectInfo(peer): ConnectInfo<Peer>,
                    State(world): State<Arc<World>>,
                    path: Result<Path<BTreeMap<String, String>>, PathRejection>,
                    request: Request<Body>| {
            let counted = world.clone();
            let going = counted.requests.begin(declared);
            let work = answer(Asked { world, peer, path, request });
            let answer = AssertUnwindSafe(work).catch_unwind().await;
            let answer = answer.unwrap_or(Err(Error::Broken)).into_response();
            going.end(outcome(answer.status()));
            answer
        },
    )
}

/// The project that a request names, whatever else its endpoint takes.
#[derive(Default, serde::Deserialize)]
struct Named {
    #[serde(default)]
    project: Option<String>,
}

fn draft<E: Endpoint>(asked: &Asked) -> Result<Draft<E>> {
    let Asked { world, peer, path, request } = asked;
    let path = match path {
        Ok(Path(path)) => path.clone(),
        Err(error) => return Err(Error::bad("address", error.body_text())),
    };
    let caller = peer.caller(world, request.headers())?;
    let Query(Named { project }) = Query::try_from_uri(request.uri()).unwrap_or_default();
    access::check(world, &caller, E::NEEDS, project.as_deref())?;
    let query = Query::<E::Query>::try_from_uri(request.uri());
    let Query(query) = query.map_err(|error| Error::bad("query", error.body_text()))?;
    let if_match = request.headers().get(IF_MATCH).and_then(|tag| tag.to_str().ok());
    Ok(Draft {
        world: world.clone(),
        caller,
        peer: peer.clone(),
        query,
        body: None,
        only_here: request.headers().contains_key(cloud::cluster::CALLER)
            && peer.member(world).is_some(),
        if_match: if_match.filter(|tag| !tag.is_empty()).map(str::to_owned),
        path,
    })
}

/// Does a change to its end even if the client goes away meanwhile: half of one is worse than all.
async fn whole(method: Method, work: BoxFuture<'static, Result<Response>>) -> Result<Response> {
    match method {
        Method::Get | Method::Head => work.await,
        _ => to_its_end(work).await,
    }
}

/// Does work to its end even if the client goes away meanwhile.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let work: BoxFuture<'static, Result<T>> = Box::pin(work);
    tokio::spawn(work).await.unwrap_or(Err(Error::Broken))
}

/// Reads the body; one that is missing counts as an empty object.
async fn read<E: Endpoint>((mut call, request): Given<E>) -> Result<Call<E>> {
    let bytes = bytes(request.into_body()).await?;
    // Some clients send a body where there is nothing to say; it means nothing.
    let says_nothing = matches!(E::METHOD, Method::Get | Method::Head | Method::Delete);
    let is_empty = says_nothing || bytes.trim_ascii().is_empty();
    let json = if is_empty { b"{}" } else { &bytes[..] };
    call.body = Some(serde_json::from_slice(json).map_err(|error| Error::bad("body", error))?);
    call.whole()
}

/// All of a body that is not too large.
pub(crate) async fn bytes(body: Body) -> Result<Bytes> {
    match Limited::new(body, BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge { limit: BODY }),
        Err(error) => Err(Error::bad("body", error)),
    }
}

/// Reads a body that is JSON although its endpoint also takes files.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(request: Request<Body>) -> Result<T> {
    let bytes = bytes(request.into_body()).await?;
    let json = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes[..] };
    serde_json::from_slice(json).map_err(|error| Error::bad("body", error))
}

/// The first part of a request's content type, in small letters.
pub(crate) fn content_type(request: &Request<Body>) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let first = value.unwrap_or_default().split(';').next().unwrap_or_default();
    first.trim().to_ascii_lowercase()
}

/// The reply that an operation goes on.
pub(crate) fn accepted(operation: &tasks::Operation) -> Response {
    let location = [(http::header::LOCATION, operation.url())];
    let envelope = wire::Response::accepted(operation.render());
    (http::StatusCode::ACCEPTED, location, Json(envelope)).into_response()
}

/// The reply of a request that is done, begun by [`wire::Response::sync_begin`] and with its result behind that.
pub(crate) fn done_with_json(mut reply: Vec<u8>) -> Response {
    reply.push(wire::Response::SYNC_END);
    ([(CONTENT_TYPE, "application/json")], reply).into_response()
}

/// The reply where there is nothing.
pub(crate) async fn nothing() -> Error {
    Error::NotFound
}

async fn wrong_method(method: http::Method) -> Error {
    Error::Method(method)
}
