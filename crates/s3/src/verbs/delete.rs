//! Deletes objects.

use objects::Deleted;
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject,
    },
    s3_error,
};

use crate::{convert, error::off_thread, service::Opened};

/// Keys in one request at most, as S3 has it.
const MOST: usize = 1000;

pub(crate) async fn one(
    opened: Opened,
    req: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let DeleteObjectInput { key, if_match, version_id, .. } = req.input;
    let wanted = move |object: &objects::Object| {
        if_match.as_ref().is_none_or(|condition| convert::matches(condition, &object.etag))
    };
    let deleted = off_thread(move || match version_id {
        None => opened.store.delete(&key, wanted),
        named => Ok(opened.store.delete_many(&[(key, named)])?.pop().unwrap_or_default()),
    });
    let Deleted { marker, version } = deleted.await?;
    let delete_marker = marker.then_some(true);
    Ok(DeleteObjectOutput { delete_marker, version_id: version, ..DeleteObjectOutput::default() })
}

pub(crate) async fn many(
    opened: Opened,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let delete = req.input.delete;
    if delete.objects.len() > MOST {
        return Err(s3_error!(MalformedXML, "more than {MOST} keys"));
    }
    let keys: Vec<(String, Option<String>)> =
        delete.objects.into_iter().map(|object| (object.key, object.version_id)).collect();
    let named = keys.clone();
    let done = off_thread(move || opened.store.delete_many(&keys)).await?;
    let one = |((key, version_id), deleted): ((String, Option<String>), Deleted)| {
        let made = deleted.version.filter(|_| deleted.marker);
        DeletedObject {
            key: Some(key),
            version_id,
            delete_marker: deleted.marker.then_some(true),
            delete_marker_version_id: made,
        }
    };
    let quiet = delete.quiet.unwrap_or(false);
    let deleted = (!quiet).then(|| named.into_iter().zip(done).map(one).collect());
    Ok(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
}
