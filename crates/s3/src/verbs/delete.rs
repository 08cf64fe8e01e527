//! Deletes objects.

use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject,
    },
    s3_error,
};

use super::check_version;
use crate::{convert, error::off_thread, service::Opened};

/// Keys in one request at most, as S3 has it.
const MOST: usize = 1000;

pub(crate) async fn one(
    opened: Opened,
    req: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let DeleteObjectInput { key, if_match, version_id, .. } = req.input;
    check_version(version_id.as_ref())?;
    let wanted = move |object: &objects::Object| {
        if_match.as_ref().is_none_or(|condition| convert::matches(condition, &object.etag))
    };
    off_thread(move || opened.store.delete(&key, wanted)).await?;
    Ok(DeleteObjectOutput::default())
}

pub(crate) async fn many(
    opened: Opened,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let delete = req.input.delete;
    if delete.objects.len() > MOST {
        return Err(s3_error!(MalformedXML, "more than {MOST} keys"));
    }
    for object in &delete.objects {
        check_version(object.version_id.as_ref())?;
    }
    let keys: Vec<String> = delete.objects.into_iter().map(|object| object.key).collect();
    let named = |key: String| DeletedObject { key: Some(key), ..DeletedObject::default() };
    let quiet = delete.quiet.unwrap_or(false);
    let deleted = (!quiet).then(|| keys.iter().cloned().map(named).collect());
    off_thread(move || opened.store.delete_many(&keys)).await?;
    Ok(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
}
