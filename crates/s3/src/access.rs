//! Who asks, and whether it may: the key that signed a request opens one bucket, for all verbs or for those that
//! only look; what else anybody may in which bucket is in [`crate::rights`].

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use cloud::{
    World,
    db::buckets::{Bucket, Role},
    storage::buckets::door::{self, Grant},
};
use http::{Extensions, header::AUTHORIZATION};
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::CopySource,
    path::S3Path,
    s3_error,
};

use crate::{
    convert,
    error::{broken, of_cloud, off_thread},
    rights::{self, Rights, Sender},
    service::Opened,
};

/// Knows keys.
pub(crate) struct Keys(pub(crate) Arc<World>);

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret = door::secret(&self.0, access_key).map_err(of_cloud)?;
        secret.map(SecretKey::from).ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

#[async_trait]
impl S3Access for Keys {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_some() && is_old(cx) {
            return Err(s3_error!(InvalidRequest, "signatures of version 2 are not taken: use 4"));
        }
        let grant = match cx.credentials() {
            None => None,
            Some(credentials) => {
                let grant = door::grant(&self.0, &credentials.access_key).map_err(of_cloud)?;
                Some((
                    grant.ok_or_else(|| s3_error!(NoSuchBucket))?,
                    credentials.access_key.clone(),
                ))
            }
        };
        let own = grant.as_ref().map(|(grant, _)| grant.clone());
        let (bucket, key) = match cx.s3_path() {
            S3Path::Root => match own {
                Some(grant) => (grant.bucket, None),
                None => return Err(s3_error!(AccessDenied, "the request is not signed")),
            },
            S3Path::Bucket { bucket } => (self.named(bucket, own, cx.s3_op().name())?, None),
            S3Path::Object { bucket, key } => {
                (self.named(bucket, own, cx.s3_op().name())?, Some(key.to_string()))
            }
        };
        let role = grant.as_ref().filter(|(grant, _)| grant.bucket.id == bucket.id);
        let role = role.map(|(grant, _)| grant.role);
        let sender = sender(cx, grant.map(|(_, key)| key), role);
        let store = self.0.buckets.of(&self.0, &bucket).await.map_err(of_cloud)?;
        let (name, own) = (bucket.name.clone(), store.clone());
        let rights = off_thread(move || Rights::read(&name, sender, own)).await?;
        if *cx.s3_path() != S3Path::Root {
            allow(cx, rights.clone(), key).await?;
        }
        let limit = door::limit(&bucket).map_err(of_cloud)?;
        let made = bucket.created_at.timestamp_millis();
        cx.extensions_mut().insert(Opened { store, name: bucket.name, made, limit, rights });
        Ok(())
    }
}

/// Refuses what the sender may not.
async fn allow(cx: &S3AccessContext<'_>, rights: Rights, key: Option<String>) -> S3Result<()> {
    let operation = cx.s3_op().name();
    // It says what it deletes in its body: then each key is asked for.
    if operation == "DeleteObjects" {
        return Ok(());
    }
    let version = query(cx.uri(), "versionId");
    let action = rights::action(operation, version.is_some());
    let source = cx.headers().get("x-amz-copy-source").and_then(|value| value.to_str().ok());
    let source = source.filter(|_| operation.ends_with("Copy") || operation == "CopyObject");
    let source = source.and_then(|text| CopySource::parse(text).ok());
    let checked = tokio::task::spawn_blocking(move || {
        if let Some(CopySource::Bucket { key, version_id, .. }) = &source {
            let action = rights::action("GetObject", version_id.is_some());
            rights.check(&action, Some(key), version_id.as_deref())?;
        }
        rights.check(&action, key.as_deref(), version.as_deref())
    });
    checked.await.map_err(|panic| broken(&panic))?
}

/// Who sent a request, and what conditions may ask of it.
fn sender(cx: &mut S3AccessContext<'_>, key: Option<String>, role: Option<Role>) -> Sender {
    let mut facts = BTreeMap::new();
    for (fact, header) in [
        ("aws:referer", "referer"),
        ("aws:useragent", "user-agent"),
        ("s3:x-amz-acl", "x-amz-acl"),
        ("s3:x-amz-copy-source", "x-amz-copy-source"),
    ] {
        let value = cx.headers().get(header).and_then(|value| value.to_str().ok());
        facts.extend(value.map(|value| (fact.to_owned(), value.to_owned())));
    }
    for name in ["prefix", "delimiter", "max-keys"] {
        facts.extend(query(cx.uri(), name).map(|value| (format!("s3:{name}"), value)));
    }
    let tags = cx.headers().get("x-amz-tagging").and_then(|value| value.to_str().ok());
    for (name, value) in convert::header_tags(tags).unwrap_or_default() {
        facts.insert(format!("s3:requestobjecttag/{name}"), value);
    }
    let ip = cx.extensions_mut().get::<Peer>().map(|peer| peer.0);
    Sender { key, role, ip, facts }
}

/// A parameter of the query.
fn query(uri: &http::Uri, name: &str) -> Option<String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| convert::decoded(value))
}

impl Keys {
    /// The bucket of that name, be it that of the key or not.
    fn named(&self, name: &str, own: Option<Grant>, operation: &str) -> S3Result<Bucket> {
        if let Some(grant) = own.filter(|grant| grant.bucket.name == name) {
            return Ok(grant.bucket);
        }
        let found = door::find(&self.0, name).map_err(of_cloud)?;
        match (found, operation) {
            (Some(_), "CreateBucket") => Err(s3_error!(BucketAlreadyExists)),
            (None, "CreateBucket") => {
                Err(s3_error!(AccessDenied, "buckets are made by the cloud's own API"))
            }
            (Some(bucket), _) => Ok(bucket),
            (None, _) => Err(s3_error!(NoSuchBucket)),
        }
    }
}

/// Version 2 signs with SHA-1 and says no time that would make an old request worthless.
fn is_old(cx: &S3AccessContext<'_>) -> bool {
    let header = cx.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let query = cx.uri().query().unwrap_or_default();
    header.is_some_and(|value| value.starts_with("AWS "))
        || query.split('&').any(|pair| pair.starts_with("AWSAccessKeyId="))
}

/// Where a request came from.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What [`Keys`] found.
pub(crate) fn opened(extensions: &Extensions) -> S3Result<&Opened> {
    extensions.get::<Opened>().ok_or_else(|| s3_error!(AccessDenied))
}
