//! Tags of an object, and of the bucket.

use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketTaggingInput, DeleteBucketTaggingOutput, DeleteObjectTaggingInput,
        DeleteObjectTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
        GetObjectTaggingInput, GetObjectTaggingOutput, PutBucketTaggingInput,
        PutBucketTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
    },
    s3_error,
};

use crate::{convert, error::off_thread, service::Opened};

/// The name of the bucket's tags among the store's documents.
const DOCUMENT: &str = "tagging";
/// Tags of a bucket at most, as S3 has it.
const MOST: usize = 50;

pub(crate) async fn get(
    opened: Opened,
    req: S3Request<GetObjectTaggingInput>,
) -> S3Result<GetObjectTaggingOutput> {
    let tags =
        off_thread(move || opened.store.tags(&req.input.key, req.input.version_id.as_deref()))
            .await?;
    let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
    let tag_set = tags.into_iter().map(tag).collect();
    Ok(GetObjectTaggingOutput { tag_set, ..GetObjectTaggingOutput::default() })
}

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutObjectTaggingInput>,
) -> S3Result<PutObjectTaggingOutput> {
    let input = req.input;
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    let tags = convert::tags(input.tagging.tag_set.into_iter().map(pair).collect())?;
    off_thread(move || opened.store.set_tags(&input.key, input.version_id.as_deref(), &tags))
        .await?;
    Ok(PutObjectTaggingOutput::default())
}

pub(crate) async fn delete(
    opened: Opened,
    req: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<DeleteObjectTaggingOutput> {
    let (key, version, none) = (req.input.key, req.input.version_id, objects::Tags::new());
    off_thread(move || opened.store.set_tags(&key, version.as_deref(), &none)).await?;
    Ok(DeleteObjectTaggingOutput::default())
}

pub(crate) async fn get_of_bucket(
    opened: Opened,
    _: S3Request<GetBucketTaggingInput>,
) -> S3Result<GetBucketTaggingOutput> {
    let text = off_thread(move || opened.store.document(DOCUMENT)).await?;
    let text = text.ok_or_else(|| s3_error!(NoSuchTagSet))?;
    // It was written by this program.
    Ok(GetBucketTaggingOutput { tag_set: serde_json::from_str(&text).unwrap_or_default() })
}

pub(crate) async fn put_of_bucket(
    opened: Opened,
    req: S3Request<PutBucketTaggingInput>,
) -> S3Result<PutBucketTaggingOutput> {
    let given = req.input.tagging.tag_set;
    let pair =
        |tag: &Tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default());
    convert::tags_of(given.iter().map(pair).collect(), MOST)?;
    let text = serde_json::to_string(&given).map_err(|_| s3_error!(MalformedXML))?;
    off_thread(move || opened.store.set_document(DOCUMENT, Some(&text))).await?;
    Ok(PutBucketTaggingOutput::default())
}

pub(crate) async fn delete_of_bucket(
    opened: Opened,
    _: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<DeleteBucketTaggingOutput> {
    off_thread(move || opened.store.set_document(DOCUMENT, None)).await?;
    Ok(DeleteBucketTaggingOutput::default())
}
