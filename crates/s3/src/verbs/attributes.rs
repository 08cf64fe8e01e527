//! What is known of an object, as much of it as is asked for.

use s3s::{
    S3Request, S3Result,
    dto::{
        Checksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
        ObjectAttributes, ObjectPart, StorageClass,
    },
    s3_error,
};

use super::version;
use crate::{convert, error::off_thread, service::Opened};

/// Parts in one answer at most, as S3 has it.
const MOST: i32 = 1000;

pub(crate) async fn get(
    opened: Opened,
    req: S3Request<GetObjectAttributesInput>,
) -> S3Result<GetObjectAttributesOutput> {
    let input = req.input;
    // Some clients send a header for each, some one for all.
    let named = |one: &ObjectAttributes| one.as_str().to_owned();
    let all = input.object_attributes.iter().map(named).collect::<Vec<_>>().join(",");
    let wants = |word: &str| all.split(',').any(|one| one.trim() == word);
    if input.object_attributes.is_empty() {
        return Err(s3_error!(InvalidArgument, "x-amz-object-attributes names what is wanted"));
    }
    let (key, named) = (input.key.clone(), input.version_id.clone());
    let found = off_thread(move || {
        let object = opened.store.get_version(&key, named.as_deref())?;
        let sizes = opened.store.part_sizes(&object)?;
        Ok((object, sizes))
    });
    let (object, sizes) = found.await?;
    let sum = |name: &str| object.attributes.checksums.get(name).cloned();
    let checksum = Checksum {
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..Checksum::default()
    };
    let has_sum = !object.attributes.checksums.is_empty();
    let class = || StorageClass::from_static(StorageClass::STANDARD);
    let after = input.part_number_marker.unwrap_or(0);
    let parts = (object.etag.contains('-') && wants(ObjectAttributes::OBJECT_PARTS))
        .then(|| parts(&sizes, input.max_parts.unwrap_or(MOST), after));
    Ok(GetObjectAttributesOutput {
        checksum: (has_sum && wants(ObjectAttributes::CHECKSUM)).then_some(checksum),
        // Here alone an etag has no quotes.
        e_tag: wants(ObjectAttributes::ETAG).then(|| convert::etag(&object)),
        last_modified: Some(convert::time(object.modified)),
        object_parts: parts,
        object_size: wants(ObjectAttributes::OBJECT_SIZE).then(|| convert::size(object.size)),
        storage_class: wants(ObjectAttributes::STORAGE_CLASS).then(class),
        version_id: version(&object),
        ..GetObjectAttributesOutput::default()
    })
}

fn parts(sizes: &[u64], most: i32, after: i32) -> GetObjectAttributesParts {
    let (most, after) = (most.clamp(0, MOST), after.max(0));
    let numbered = sizes.iter().zip(1_i32..).filter(|(_, number)| *number > after);
    let part = |(size, number): (&u64, i32)| ObjectPart {
        part_number: Some(number),
        size: Some(convert::size(*size)),
        ..ObjectPart::default()
    };
    let shown: Vec<ObjectPart> =
        numbered.take(usize::try_from(most).unwrap_or(0)).map(part).collect();
    let last = shown.last().and_then(|part| part.part_number).unwrap_or(after);
    let total = i32::try_from(sizes.len()).unwrap_or(i32::MAX);
    GetObjectAttributesParts {
        is_truncated: Some(last < total),
        max_parts: Some(most),
        next_part_number_marker: Some(last),
        part_number_marker: Some(after),
        parts: Some(shown),
        total_parts_count: Some(total),
    }
}
