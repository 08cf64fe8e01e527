//! Parts of an upload.

use std::ops::Range;

use s3s::{
    S3Request, S3Result,
    dto::{
        self, CopyPartResult, ETag, ListPartsInput, ListPartsOutput, UploadPartCopyInput,
        UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use super::{copy, get::If, put::check_room};
use crate::{
    body::{self, told},
    convert,
    error::off_thread,
    service::Opened,
};

/// Parts in one answer at most, as S3 has it.
const MOST: i32 = 1000;
/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;

pub(crate) async fn put(
    opened: Opened,
    mut req: S3Request<UploadPartInput>,
) -> S3Result<UploadPartOutput> {
    let told = told!(req);
    check_room(&opened, told.length)?;
    let UploadPartInput { key, upload_id, part_number, body, .. } = req.input;
    let number = number(part_number)?;
    let (store, of) = (opened.store.clone(), (key.clone(), upload_id.clone()));
    // Before the body comes: it may be large.
    off_thread(move || store.upload(&of.0, &of.1)).await?;
    let (written, sums) = body::receive(opened.store.draft_part(), body, told).await?;
    let e_tag = Some(ETag::Strong(written.etag().to_owned()));
    let Opened { store, limit, .. } = opened;
    off_thread(move || store.put_part((&key, &upload_id), number, written, limit)).await?;
    let sum = |name: &str| sums.get(name).cloned();
    Ok(UploadPartOutput {
        e_tag,
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..UploadPartOutput::default()
    })
}

pub(crate) async fn copy(
    opened: Opened,
    req: S3Request<UploadPartCopyInput>,
) -> S3Result<UploadPartCopyOutput> {
    let input = req.input;
    let number = number(input.part_number)?;
    let (source, from) = copy::source(&opened, &input.copy_source)?;
    let store = opened.store.clone();
    let object = off_thread(move || store.get_version(&source, from.as_deref())).await?;
    let if_ = If {
        matching: input.copy_source_if_match.as_ref(),
        none_matching: input.copy_source_if_none_match.as_ref(),
        modified: input.copy_source_if_modified_since.as_ref(),
        unmodified: input.copy_source_if_unmodified_since.as_ref(),
    };
    if_.check(&object).map_err(|_| s3_error!(PreconditionFailed))?;
    let range = match &input.copy_source_range {
        None => 0..object.size,
        Some(text) => range(text, object.size)?,
    };
    check_room(&opened, Some(convert::size(range.end - range.start)))?;
    let Opened { store, limit, .. } = opened;
    let (key, id) = (input.key, input.upload_id);
    let copied = off_thread(move || {
        store.upload(&key, &id)?;
        let (mut reader, mut draft) = (store.reader(&object, range)?, store.draft_part());
        loop {
            match reader.next(CHUNK)? {
                bytes if bytes.is_empty() => break,
                bytes => draft.write(&bytes)?,
            }
        }
        let written = draft.finish()?;
        let etag = written.etag().to_owned();
        store.put_part((&key, &id), number, written, limit)?;
        let found = store.parts(&key, &id, number - 1, 1)?;
        Ok((etag, found.first().map_or(0, |part| part.modified)))
    });
    let (etag, modified) = copied.await?;
    let result = CopyPartResult {
        e_tag: Some(ETag::Strong(etag)),
        last_modified: Some(convert::time(modified)),
        ..CopyPartResult::default()
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

pub(crate) async fn list(
    opened: Opened,
    req: S3Request<ListPartsInput>,
) -> S3Result<ListPartsOutput> {
    let input = req.input;
    let most = input.max_parts.unwrap_or(MOST).clamp(0, MOST);
    let count = usize::try_from(most).unwrap_or(0);
    let after = input.part_number_marker.and_then(|after| u32::try_from(after).ok()).unwrap_or(0);
    let (key, id) = (input.key.clone(), input.upload_id.clone());
    let store = opened.store;
    let mut found = off_thread(move || store.parts(&key, &id, after, count + 1)).await?;
    let more = found.len() > count;
    found.truncate(count);
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let last = found.last().filter(|_| more).map(|part| signed(part.number));
    let part = |part: objects::Part| dto::Part {
        part_number: Some(signed(part.number)),
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(convert::time(part.modified)),
        size: Some(convert::size(part.size)),
        ..dto::Part::default()
    };
    Ok(ListPartsOutput {
        bucket: Some(opened.name),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        parts: Some(found.into_iter().map(part).collect()),
        is_truncated: Some(more),
        max_parts: Some(most),
        part_number_marker: input.part_number_marker,
        next_part_number_marker: last,
        ..ListPartsOutput::default()
    })
}

fn number(number: i32) -> S3Result<u32> {
    let right = u32::try_from(number).ok().filter(|n| (1..=objects::MOST_PARTS).contains(n));
    right.ok_or_else(|| {
        s3_error!(InvalidArgument, "a part's number is 1 to {}", objects::MOST_PARTS)
    })
}

/// `bytes=first-last`, both named, within the object.
fn range(text: &str, size: u64) -> S3Result<Range<u64>> {
    let bounds = text.strip_prefix("bytes=").and_then(|rest| rest.split_once('-'));
    let bounds = bounds
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    match bounds {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some(_) => Err(s3_error!(InvalidRange)),
        None => Err(s3_error!(InvalidArgument, "the range of a copy is bytes=first-last")),
    }
}
