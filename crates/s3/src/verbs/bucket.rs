//! The bucket itself: buckets are made and deleted by the cloud's own API.

use objects::Versioning;
use s3s::{
    S3Request, S3Result,
    dto::{
        Bucket, BucketVersioningStatus, CreateBucketInput, CreateBucketOutput,
        GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput,
        GetBucketVersioningOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
        ListBucketsOutput, Owner, PutBucketVersioningInput, PutBucketVersioningOutput,
    },
    s3_error,
};

use crate::{convert, error::off_thread, service::Opened};

/// The one bucket that the key opens.
pub(crate) async fn list(
    opened: Opened,
    _: S3Request<ListBucketsInput>,
) -> S3Result<ListBucketsOutput> {
    let creation_date = Some(convert::time(opened.made));
    let bucket = Bucket { creation_date, name: Some(opened.name), ..Bucket::default() };
    let buckets = Some(vec![bucket]);
    Ok(ListBucketsOutput { buckets, owner: Some(Owner::default()), ..ListBucketsOutput::default() })
}

pub(crate) async fn head(_: Opened, _: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
    Ok(HeadBucketOutput::default())
}

/// Clients that make sure of their bucket are told that it is there.
pub(crate) async fn create(
    _: Opened,
    _: S3Request<CreateBucketInput>,
) -> S3Result<CreateBucketOutput> {
    Err(s3_error!(BucketAlreadyOwnedByYou))
}

/// An empty one is us-east-1, which every client takes.
pub(crate) async fn location(
    _: Opened,
    _: S3Request<GetBucketLocationInput>,
) -> S3Result<GetBucketLocationOutput> {
    Ok(GetBucketLocationOutput::default())
}

pub(crate) async fn versioning(
    opened: Opened,
    _: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    let status = match off_thread(move || opened.store.versioning()).await? {
        Versioning::Never => None,
        Versioning::Kept => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    let status = status.map(BucketVersioningStatus::from_static);
    Ok(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
}

pub(crate) async fn set_versioning(
    opened: Opened,
    req: S3Request<PutBucketVersioningInput>,
) -> S3Result<PutBucketVersioningOutput> {
    let status = req.input.versioning_configuration.status;
    let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Kept,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(s3_error!(MalformedXML, "a status is Enabled or Suspended")),
    };
    off_thread(move || opened.store.set_versioning(versioning)).await?;
    Ok(PutBucketVersioningOutput::default())
}
