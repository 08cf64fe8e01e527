//! Uploads in parts: begun, completed, given up, listed.

use s3s::{
    S3Request, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload,
    },
    s3_error,
};

use super::{Wanted, version};
use crate::{
    convert::{self, said},
    error::off_thread,
    service::Opened,
};

/// Uploads in one answer at most, as S3 has it.
const MOST: i32 = 1000;

pub(crate) async fn begin(
    opened: Opened,
    mut req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let attributes = said!(req.input).attributes()?;
    let tags = convert::header_tags(req.input.tagging.as_deref())?;
    let key = req.input.key.clone();
    let store = opened.store;
    let id = off_thread(move || store.begin(&key, &attributes, &tags)).await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(opened.name),
        key: Some(req.input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(crate) async fn complete(
    opened: Opened,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let input = req.input;
    let wanted = Wanted { matching: input.if_match, none_matching: input.if_none_match };
    let mut named = Vec::new();
    for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
        let number = part.part_number.and_then(|number| u32::try_from(number).ok());
        let (Some(number), Some(etag)) = (number, part.e_tag) else {
            return Err(s3_error!(MalformedXML, "a part without its number or etag"));
        };
        named.push((number, etag.into_value()));
    }
    if named.is_empty() {
        return Err(s3_error!(MalformedXML, "no parts"));
    }
    let (store, key, id) = (opened.store, input.key.clone(), input.upload_id);
    let completed =
        off_thread(move || store.complete((&key, &id), &named, |old| wanted.holds(old)));
    let object = completed.await?;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", opened.name, convert::encoded(&input.key))),
        bucket: Some(opened.name),
        key: Some(input.key),
        e_tag: Some(convert::etag(&object)),
        version_id: version(&object),
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(crate) async fn abort(
    opened: Opened,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let AbortMultipartUploadInput { key, upload_id, .. } = req.input;
    off_thread(move || opened.store.abort(&key, &upload_id)).await?;
    Ok(AbortMultipartUploadOutput::default())
}

pub(crate) async fn list(
    opened: Opened,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let input = req.input;
    let most = input.max_uploads.unwrap_or(MOST).clamp(0, MOST);
    let count = usize::try_from(most).unwrap_or(0);
    let (prefix, store) = (input.prefix.clone().unwrap_or_default(), opened.store);
    let key = input.key_marker.clone().unwrap_or_default();
    // Without an id all uploads of the marker's key were listed.
    let last = || String::from(if key.is_empty() { "" } else { "\u{10ffff}" });
    let (id, key) = (input.upload_id_marker.clone().unwrap_or_else(last), key.clone());
    let mut found = off_thread(move || store.uploads(&prefix, (&key, &id), count + 1)).await?;
    let more = found.len() > count;
    found.truncate(count);
    let end = found.last().filter(|_| more).cloned();
    let upload = |upload: objects::Upload| MultipartUpload {
        key: Some(upload.key),
        upload_id: Some(upload.id),
        initiated: Some(convert::time(upload.started)),
        ..MultipartUpload::default()
    };
    Ok(ListMultipartUploadsOutput {
        bucket: Some(opened.name),
        uploads: Some(found.into_iter().map(upload).collect()),
        is_truncated: Some(more),
        max_uploads: Some(most),
        prefix: input.prefix,
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        next_key_marker: end.as_ref().map(|upload| upload.key.clone()),
        next_upload_id_marker: end.map(|upload| upload.id),
        ..ListMultipartUploadsOutput::default()
    })
}
