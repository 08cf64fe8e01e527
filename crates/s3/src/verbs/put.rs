//! Puts an object.

use objects::{New, Store};
use s3s::{
    S3Request, S3Result,
    dto::{ETag, PutObjectInput, PutObjectOutput},
};

use super::{Wanted, version};
use crate::{
    body::{self, told},
    convert::{self, said},
    error::{of_objects, off_thread},
    service::Opened,
};

pub(crate) async fn put(
    opened: Opened,
    mut req: S3Request<PutObjectInput>,
) -> S3Result<PutObjectOutput> {
    let mut attributes = said!(req.input).attributes()?;
    let tags = convert::header_tags(req.input.tagging.as_deref())?;
    let told = told!(req);
    check_room(&opened, told.length)?;
    let (key, body) = (req.input.key, req.input.body.take());
    let wanted = Wanted { matching: req.input.if_match, none_matching: req.input.if_none_match };
    let (written, sums) = body::receive(opened.store.draft(), body, told).await?;
    attributes.checksums.clone_from(&sums);
    let Opened { store, limit, .. } = opened;
    let put = move || {
        let new = New { key: &key, written, attributes, tags };
        store.put(new, limit, |old| wanted.holds(old))
    };
    let object = off_thread(put).await?;
    let sum = |name: &str| sums.get(name).cloned();
    Ok(PutObjectOutput {
        version_id: version(&object),
        e_tag: Some(ETag::Strong(object.etag)),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..PutObjectOutput::default()
    })
}

/// Refuses at once what cannot have room, before it is sent. Whether it has is decided in the end.
pub(crate) fn check_room(opened: &Opened, length: Option<i64>) -> S3Result<()> {
    let (Some(limit), Some(length)) = (opened.limit, length) else { return Ok(()) };
    let length = u64::try_from(length).unwrap_or(0);
    let total = Store::total(&opened.store).map_err(of_objects)?;
    match length > limit || total > limit {
        true => Err(of_objects(objects::Error::Full { limit })),
        false => Ok(()),
    }
}
