//! Who asks, and whether it may: the key that signed a request opens one bucket, for all verbs or for those that
//! only look.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{
    World,
    db::buckets::Role,
    storage::buckets::door::{self, Grant},
};
use http::{Extensions, header::AUTHORIZATION};
use s3s::{
    S3Error, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
    s3_error,
};

use crate::error::of_cloud;

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
        let Some(credentials) = cx.credentials() else {
            return Err(s3_error!(AccessDenied, "the request is not signed"));
        };
        if is_old(cx) {
            return Err(s3_error!(InvalidRequest, "signatures of version 2 are not taken: use 4"));
        }
        let grant = door::grant(&self.0, &credentials.access_key).map_err(of_cloud)?;
        let grant = grant.ok_or_else(|| s3_error!(NoSuchBucket))?;
        if let S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } = cx.s3_path()
            && **bucket != *grant.bucket.name
        {
            return Err(self.foreign(bucket));
        }
        if grant.role != Role::Admin && !only_looks(cx.s3_op().name()) {
            return Err(s3_error!(AccessDenied, "the key is read-only"));
        }
        cx.extensions_mut().insert(grant);
        Ok(())
    }
}

impl Keys {
    fn foreign(&self, bucket: &str) -> S3Error {
        match door::exists(&self.0, bucket) {
            Ok(true) => s3_error!(AccessDenied, "the key is of another bucket"),
            Ok(false) => s3_error!(NoSuchBucket),
            Err(error) => of_cloud(error),
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

fn only_looks(operation: &str) -> bool {
    ["Get", "Head", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// What [`Keys`] found.
pub(crate) fn grant(extensions: &Extensions) -> S3Result<&Grant> {
    extensions.get::<Grant>().ok_or_else(|| s3_error!(AccessDenied))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_only_reads_changes_nothing() {
        for name in ["GetObject", "HeadBucket", "ListObjectsV2", "GetObjectTagging"] {
            assert!(only_looks(name), "{name}");
        }
        for name in
            ["PutObject", "DeleteObjects", "CopyObject", "CreateMultipartUpload", "UploadPart"]
        {
            assert!(!only_looks(name), "{name}");
        }
    }
}
