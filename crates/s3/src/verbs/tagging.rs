//! Tags of an object.

use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
        GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
    },
};

use crate::{convert, error::off_thread, service::Opened};

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
