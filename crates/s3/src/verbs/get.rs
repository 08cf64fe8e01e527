//! Gets an object, a part of it, or what is said of it.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use objects::{Object, Reader, Store};
use s3s::{
    S3ErrorCode, S3Request, S3Result,
    dto::{
        ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
        Range as Wish, StreamingBlob, Timestamp,
    },
    s3_error,
};

use super::version;
use crate::{
    convert::{self, CONTENT_TYPE},
    error::off_thread,
    service::Opened,
};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

pub(crate) async fn get(
    opened: Opened,
    req: S3Request<GetObjectInput>,
) -> S3Result<GetObjectOutput> {
    let input = req.input;
    let (key, store) = (input.key, opened.store.clone());
    let object = find(store, key, input.version_id).await?;
    let if_ = If {
        matching: input.if_match.as_ref(),
        none_matching: input.if_none_match.as_ref(),
        modified: input.if_modified_since.as_ref(),
        unmodified: input.if_unmodified_since.as_ref(),
    };
    if_.check(&object)?;
    let (range, content_range, parts_count) =
        range(&opened.store, &object, input.range, input.part_number).await?;
    let (store, wanted) = (opened.store, (object.clone(), range.clone()));
    let reader = off_thread(move || store.reader(&wanted.0, wanted.1)).await?;
    let sum = |name: &str| sum(&object, name, content_range.is_none());
    Ok(GetObjectOutput {
        accept_ranges: Some(String::from("bytes")),
        body: Some(blob(reader)),
        cache_control: convert::header(&object, "cache-control"),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        content_disposition: convert::header(&object, "content-disposition"),
        content_encoding: convert::header(&object, "content-encoding"),
        content_language: convert::header(&object, "content-language"),
        content_length: Some(convert::size(range.end - range.start)),
        content_range,
        content_type: Some(content_type(&object)),
        e_tag: Some(convert::etag(&object)),
        expires: convert::expires(&object),
        last_modified: Some(convert::time(object.modified)),
        metadata: convert::metadata(&object),
        parts_count,
        version_id: version(&object),
        tag_count: i32::try_from(object.tags).ok().filter(|count| *count > 0),
        ..GetObjectOutput::default()
    })
}

pub(crate) async fn head(
    opened: Opened,
    req: S3Request<HeadObjectInput>,
) -> S3Result<HeadObjectOutput> {
    let input = req.input;
    let (key, store) = (input.key, opened.store);
    let object = find(store.clone(), key, input.version_id).await?;
    let if_ = If {
        matching: input.if_match.as_ref(),
        none_matching: input.if_none_match.as_ref(),
        modified: input.if_modified_since.as_ref(),
        unmodified: input.if_unmodified_since.as_ref(),
    };
    if_.check(&object)?;
    let (range, content_range, parts_count) =
        range(&store, &object, input.range, input.part_number).await?;
    let sum = |name: &str| sum(&object, name, content_range.is_none());
    Ok(HeadObjectOutput {
        accept_ranges: Some(String::from("bytes")),
        cache_control: convert::header(&object, "cache-control"),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        content_disposition: convert::header(&object, "content-disposition"),
        content_encoding: convert::header(&object, "content-encoding"),
        content_language: convert::header(&object, "content-language"),
        content_length: Some(convert::size(range.end - range.start)),
        content_range,
        content_type: Some(content_type(&object)),
        e_tag: Some(convert::etag(&object)),
        expires: convert::expires(&object),
        last_modified: Some(convert::time(object.modified)),
        metadata: convert::metadata(&object),
        parts_count,
        version_id: version(&object),
        ..HeadObjectOutput::default()
    })
}

/// An object, or a version of it. One that was deleted says so.
async fn find(store: Arc<Store>, key: String, version: Option<String>) -> S3Result<Object> {
    let named = version.is_some();
    let found = off_thread(move || match store.get_version(&key, version.as_deref()) {
        Err(objects::Error::NoObject { .. }) if version.is_none() => Ok(Err(store.marker(&key)?)),
        other => other.map(Ok),
    });
    match found.await {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(marker)) => {
            let mut error = s3_error!(NoSuchKey);
            if let Some(version) = marker {
                error.set_headers(deleted(&version));
            }
            Err(error)
        }
        // What was looked for by a version's name is a version that is not there.
        Err(error) if named && *error.code() == S3ErrorCode::NoSuchKey => {
            Err(s3_error!(NoSuchVersion))
        }
        Err(error) => Err(error),
    }
}

fn deleted(version: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    // A version's name is letters and digits.
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("x-amz-version-id", version);
    }
    headers
}

fn content_type(object: &Object) -> String {
    convert::header(object, "content-type").unwrap_or_else(|| CONTENT_TYPE.to_owned())
}

/// A checksum is of the whole.
fn sum(object: &Object, name: &str, whole: bool) -> Option<String> {
    object.attributes.checksums.get(name).filter(|_| whole).cloned()
}

/// Conditions of whoever may have it already (RFC 9110, 13.2.2).
pub(super) struct If<'a> {
    pub(super) matching: Option<&'a ETagCondition>,
    pub(super) none_matching: Option<&'a ETagCondition>,
    pub(super) modified: Option<&'a Timestamp>,
    pub(super) unmodified: Option<&'a Timestamp>,
}

impl If<'_> {
    pub(super) fn check(&self, object: &Object) -> S3Result<()> {
        let holds = match (self.matching, self.unmodified) {
            (Some(condition), _) => convert::matches(condition, &object.etag),
            (None, Some(time)) => !convert::newer(object, time),
            (None, None) => true,
        };
        if !holds {
            return Err(s3_error!(PreconditionFailed));
        }
        let news = match (self.none_matching, self.modified) {
            (Some(condition), _) => !convert::matches(condition, &object.etag),
            (None, Some(time)) => convert::newer(object, time),
            (None, None) => true,
        };
        if news { Ok(()) } else { Err(s3_error!(NotModified)) }
    }
}

/// The bytes that are wanted, the header that says which they are when they are not all, and how many parts
/// the object came in when one was asked for.
async fn range(
    store: &Arc<Store>,
    object: &Object,
    wish: Option<Wish>,
    part: Option<i32>,
) -> S3Result<(Range<u64>, Option<String>, Option<i32>)> {
    let (range, count) = match (wish, part) {
        (None, None) => return Ok((0..object.size, None, None)),
        (Some(_), Some(_)) => {
            return Err(s3_error!(InvalidRequest, "a range and the number of a part"));
        }
        (Some(wish), None) => (wish.check(object.size)?, None),
        (None, Some(number)) => {
            let (from, of) = (store.clone(), object.clone());
            let sizes = off_thread(move || from.part_sizes(&of)).await?;
            let range = part_of(&sizes, number).ok_or_else(|| s3_error!(InvalidPart))?;
            // An object that came at once has one part, which is all of it.
            if !object.etag.contains('-') {
                return Ok((range, None, None));
            }
            (range, i32::try_from(sizes.len()).ok())
        }
    };
    let header = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), object.size);
    Ok((range, Some(header), count))
}

fn part_of(sizes: &[u64], number: i32) -> Option<Range<u64>> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let size = sizes.get(index)?;
    let start: u64 = sizes[..index].iter().sum();
    Some(start..start + size)
}

/// The rest of a reader, as it is taken.
fn blob(reader: Reader) -> StreamingBlob {
    StreamingBlob::wrap(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        let read = tokio::task::spawn_blocking(move || {
            let bytes = reader.next(CHUNK)?;
            Ok::<_, objects::Error>((bytes, reader))
        });
        match read.await.map_err(std::io::Error::other) {
            Ok(Ok((bytes, reader))) if bytes.is_empty() => {
                // Fewer bytes than there should be break the connection off, and are noticed.
                if reader.left() > 0 {
                    tracing::error!(left = reader.left(), "an object is shorter than it should be");
                }
                None
            }
            Ok(Ok((bytes, reader))) => Some((Ok(Bytes::from(bytes)), Some(reader))),
            Ok(Err(error)) => Some((Err(std::io::Error::other(error)), None)),
            Err(error) => Some((Err(error), None)),
        }
    }))
}
