//! The bucket itself: buckets are made and deleted by the cloud's own API.

use s3s::{
    S3Request, S3Result,
    dto::{
        Bucket, CreateBucketInput, CreateBucketOutput, GetBucketLocationInput,
        GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
        HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner,
    },
    s3_error,
};

use crate::{convert, service::Opened};

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

/// It never was on.
pub(crate) async fn versioning(
    _: Opened,
    _: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    Ok(GetBucketVersioningOutput::default())
}
