//! Tags of an object.

use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
        GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
    },
};

use super::check_version;
use crate::{convert, error::off_thread, service::Opened};

pub(crate) async fn get(
    opened: Opened,
    req: S3Request<GetObjectTaggingInput>,
) -> S3Result<GetObjectTaggingOutput> {
    check_version(req.input.version_id.as_ref())?;
    let tags = off_thread(move || opened.store.tags(&req.input.key)).await?;
    let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
    let tag_set = tags.into_iter().map(tag).collect();
    Ok(GetObjectTaggingOutput { tag_set, ..GetObjectTaggingOutput::default() })
}

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutObjectTaggingInput>,
) -> S3Result<PutObjectTaggingOutput> {
    let input = req.input;
    check_version(input.version_id.as_ref())?;
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    let tags = convert::tags(input.tagging.tag_set.into_iter().map(pair).collect())?;
    off_thread(move || opened.store.set_tags(&input.key, &tags)).await?;
    Ok(PutObjectTaggingOutput::default())
}

pub(crate) async fn delete(
    opened: Opened,
    req: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<DeleteObjectTaggingOutput> {
    check_version(req.input.version_id.as_ref())?;
    off_thread(move || opened.store.set_tags(&req.input.key, &objects::Tags::new())).await?;
    Ok(DeleteObjectTaggingOutput::default())
}
