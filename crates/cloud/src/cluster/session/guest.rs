//! The guest's end of a session: it proves that it knows the words, and makes sure that the other end does.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use client::{Client, Network};
use tls::{Ends, Exchange, Identity, Pin, Side};
use wire::{
    ClusterWords, ClusterWordsPost, SessionHello, SessionProof,
    endpoints::session::{ClusterSessionHello, ClusterSessionProve},
    query::NoQuery,
};

use crate::{
    Error, Result, World,
    cluster::{enable::check_name, join},
    server::doors,
};

/// Gets this server a token from a member that waits. What is wrong here is said before any words are.
pub async fn say_words(world: &World, post: &ClusterWordsPost) -> Result<ClusterWords> {
    join::check_can(world)?;
    check_name(&post.server_name)?;
    let words = tls::words::read(&post.words).map_err(|why| Error::invalid("words", why))?;
    let own = world.own_identity()?;
    let (network, fingerprint) = meet(&post.address, own.clone()).await?;
    let client = Client::remote(network);
    let own_fingerprint = own.fingerprint();
    let ends = Ends { guest: &own_fingerprint, host: &fingerprint };
    let exchange = Exchange::guest(&words, ends);
    let hello = SessionHello { element: STANDARD.encode(exchange.element()) };
    let answer = client.call::<ClusterSessionHello>(&[], &NoQuery {}, &hello).await;
    let answer = answer.map_err(said)?;
    let element = STANDARD.decode(&answer.element).unwrap_or_default();
    let agreed = exchange.agree(&element).ok_or(Error::NotTheOne)?;
    let name = post.server_name.clone();
    let proof = STANDARD.encode(agreed.prove(Side::Guest, &[&name]));
    let proof = SessionProof { exchange: answer.exchange, server_name: name, proof };
    let welcome = client.call::<ClusterSessionProve>(&[], &NoQuery {}, &proof).await;
    let welcome = welcome.map_err(said)?;
    let proved = STANDARD.decode(&welcome.proof).unwrap_or_default();
    if !agreed.is_proof(Side::Host, &[&welcome.cluster_token], &proved) {
        return Err(Error::NotTheOne);
    }
    Ok(ClusterWords {
        cluster_token: welcome.cluster_token,
        server_name: welcome.server_name,
        fingerprint,
        own_fingerprint,
        member_config: welcome.member_config,
    })
}

/// What another server says is what went wrong; that it was reached is clear.
fn said(error: client::Error) -> Error {
    match error {
        client::Error::Api { code: 403, message } => Error::Refused { said: message },
        client::Error::Api { message, .. } => Error::OtherEnd { said: message },
        other => other.into(),
    }
}

/// Connects to whoever is there, and says how it is reached again and which certificate it has. That it is the one
/// that is meant turns out when it knows the words.
async fn meet(address: &str, own: Arc<Identity>) -> Result<(Network, String)> {
    let named = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    let whole = match named {
        true => address.to_owned(),
        false => format!("{address}:{}", doors::HTTPS_PORT),
    };
    let wrong =
        || Error::invalid("address", format!("\"{address}\" is not like host or host:port"));
    let anybody = Network::at(&whole, Pin::Anybody, Some(own)).ok_or_else(wrong)?;
    let unreached = |source| client::Error::Unreachable { address: whole.clone(), source };
    let stream = tls::connect(&anybody.host, anybody.port, &Pin::Anybody, None).await;
    let stream = stream.map_err(unreached)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let fingerprint = tls::fingerprint(shown.ok_or(Error::NotTheOne)?);
    Ok((Network { pin: Pin::Fingerprint(fingerprint.clone()), ..anybody }, fingerprint))
}
