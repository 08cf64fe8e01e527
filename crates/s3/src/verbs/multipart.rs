//! Uploads in parts: begun, completed, given up, listed.

use objects::Store;
use s3s::{
    S3Request, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
        MultipartUpload,
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
/// Uploads that are read at once.
const CHUNK: usize = 500;

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
    let delimiter = input.delimiter.clone().unwrap_or_default();
    let page = off_thread(move || page(&store, (&prefix, &delimiter), (key, id), count)).await?;
    let Uploads { found, prefixes, end } = page;
    let common = |prefix: String| CommonPrefix { prefix: Some(prefix) };
    let upload = |upload: objects::Upload| MultipartUpload {
        key: Some(upload.key),
        upload_id: Some(upload.id),
        initiated: Some(convert::time(upload.started)),
        ..MultipartUpload::default()
    };
    Ok(ListMultipartUploadsOutput {
        bucket: Some(opened.name),
        uploads: Some(found.into_iter().map(upload).collect()),
        common_prefixes: (!prefixes.is_empty()).then(|| prefixes.into_iter().map(common).collect()),
        delimiter: input.delimiter,
        is_truncated: Some(end.is_some()),
        max_uploads: Some(most),
        prefix: input.prefix,
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        next_key_marker: end.as_ref().map(|(key, _)| key.clone()),
        next_upload_id_marker: end.map(|(_, id)| id),
        ..ListMultipartUploadsOutput::default()
    })
}

/// A part of a list of uploads.
#[derive(Default)]
struct Uploads {
    found: Vec<objects::Upload>,
    prefixes: Vec<String>,
    /// Key and id to go on after, if there are more.
    end: Option<(String, String)>,
}

/// Uploads after a key and an id; those whose keys have the delimiter behind the prefix are one.
fn page(
    store: &Store,
    (prefix, delimiter): (&str, &str),
    mut after: (String, String),
    most: usize,
) -> objects::Result<Uploads> {
    let mut page = Uploads::default();
    loop {
        let next = store.uploads(prefix, (&after.0, &after.1), CHUNK)?;
        if next.is_empty() || most == 0 {
            return Ok(page);
        }
        for upload in next {
            let rest = upload.key.get(prefix.len()..).unwrap_or_default();
            let at = rest.find(delimiter).filter(|_| !delimiter.is_empty());
            let common = at.map(|at| upload.key[..prefix.len() + at + delimiter.len()].to_owned());
            let known = common.is_some() && common.as_ref() == page.prefixes.last();
            if !known && page.found.len() + page.prefixes.len() >= most {
                page.end = Some(after);
                return Ok(page);
            }
            after = (upload.key.clone(), upload.id.clone());
            match common {
                Some(_) if known => {}
                Some(common) => page.prefixes.push(common),
                None => page.found.push(upload),
            }
        }
    }
}
