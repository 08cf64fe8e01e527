//! Deletes objects.

use objects::Deleted;
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject, Error,
    },
    s3_error,
};

use crate::{convert, error::off_thread, rights, service::Opened};

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
    let Opened { store, rights, .. } = opened;
    let (named, done, refused) = off_thread(move || {
        let may = |(key, version): &(String, Option<String>)| {
            let action = rights::action("DeleteObject", version.is_some());
            rights.may(&action, Some(key), version.as_deref())
        };
        let (keys, refused): (Vec<_>, Vec<_>) = keys.into_iter().partition(may);
        let done = store.delete_many(&keys)?;
        Ok((keys, done, refused))
    })
    .await?;
    let error = |(key, version_id): (String, Option<String>)| Error {
        code: Some(String::from("AccessDenied")),
        key: Some(key),
        message: Some(String::from("Access Denied")),
        version_id,
    };
    let errors = (!refused.is_empty()).then(|| refused.into_iter().map(error).collect());
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
    Ok(DeleteObjectsOutput { deleted, errors, ..DeleteObjectsOutput::default() })
}
