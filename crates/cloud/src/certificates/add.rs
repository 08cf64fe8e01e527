//! Trusts a certificate: because a trusted client says so, or for a token.

use wire::{CertificatePut, CertificatesPost};

use super::{
    authority,
    token::{self, Promise},
};
use crate::{
    Caller, Error, Result, World, access::Rights, db::certificates as rows, server::password,
};

/// Who wants a certificate trusted.
pub struct Newcomer<'a> {
    /// As the world knows it.
    pub caller: &'a Caller,
    /// The certificate it showed, as it is sent.
    pub certificate: Option<&'a [u8]>,
}

/// Trusts the certificate in `post`, or else the one that was shown.
pub async fn add(world: &World, who: Newcomer<'_>, post: CertificatesPost) -> Result<String> {
    let secret = if post.trust_token.is_empty() { &post.password } else { &post.trust_token };
    // A token is not spent on what is good for nothing.
    if let Some(shown) = who.certificate.filter(|_| !secret.is_empty()) {
        authority::check(world, shown)?;
    }
    // A token is spent even by a client that may add what it likes: it was told to use it.
    let promise = match who.caller.rights {
        Rights::Everything if secret.is_empty() => None,
        _ => match token::spend(world, secret) {
            Ok(promise) => Some(promise),
            Err(_) if !secret.is_empty() && password::is(world, secret).await? => Some(Promise {
                name: post.name.clone(),
                kind: post.r#type.clone(),
                restricted: post.restricted,
                projects: post.projects.clone(),
            }),
            Err(error) => return Err(error),
        },
    };
    let shown = who.certificate.map(tls::to_pem);
    let given = Some(post.certificate.clone()).filter(|text| !text.is_empty());
    let certificate = match (&promise, given) {
        // A token is for who shows it: another's certificate would be trusted without a proof that there is a key.
        (Some(_), _) => shown,
        (None, given) => given.or(shown),
    };
    let certificate = certificate.ok_or_else(|| {
        Error::invalid("certificate", "none was shown and none is in the request")
    })?;
    if promise.is_none() {
        let der = tls::from_text(&certificate).map_err(|error| super::unreadable(&error))?;
        authority::check(world, &der)?;
    }
    let said = match promise {
        Some(Promise { name, kind, restricted, projects }) => {
            CertificatePut { certificate, name, r#type: kind, restricted, projects }
        }
        None => CertificatePut {
            certificate,
            name: post.name,
            r#type: post.r#type,
            restricted: post.restricted,
            projects: post.projects,
        },
    };
    let fingerprint = world
        .store
        .write(|db| {
            let mut new = super::row(db, said.clone())?;
            if rows::get(db, &new.fingerprint)?.is_some() {
                return Err(Error::exists("certificate", &new.fingerprint));
            }
            if new.name.is_empty() {
                new.name = new.fingerprint[..12].to_owned();
            }
            rows::insert(db, &new)?;
            Ok(new.fingerprint)
        })
        .await?;
    let address = super::address(&fingerprint);
    world.tell(who.caller, crate::names::DEFAULT_PROJECT, "certificate-created", address);
    Ok(fingerprint)
}
