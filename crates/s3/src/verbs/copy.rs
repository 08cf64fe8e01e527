//! Copies an object within its bucket.

use objects::New;
use s3s::{
    S3Request, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, MetadataDirective,
        TaggingDirective,
    },
    s3_error,
};

use super::{get::If, version};
use crate::{
    convert::{self, said},
    error::off_thread,
    service::Opened,
};

pub(crate) async fn copy(
    opened: Opened,
    mut req: S3Request<CopyObjectInput>,
) -> S3Result<CopyObjectOutput> {
    let said = said!(req.input).attributes()?;
    let input = req.input;
    let (source, from) = source(&opened, &input.copy_source)?;
    let is = |given: Option<&str>, word: &str| given == Some(word);
    let directive = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
    let new_attributes = is(directive, MetadataDirective::REPLACE);
    let directive = input.tagging_directive.as_ref().map(TaggingDirective::as_str);
    let new_tags = is(directive, TaggingDirective::REPLACE);
    if source == input.key && from.is_none() && !new_attributes && !new_tags {
        return Err(s3_error!(InvalidRequest, "a copy of an object to itself changes nothing"));
    }
    let tags = convert::header_tags(input.tagging.as_deref())?;
    let (store, key, named) = (opened.store.clone(), source.clone(), from.clone());
    let object = off_thread(move || store.get_version(&key, named.as_deref())).await?;
    let copy_source_version_id = version(&object);
    let if_ = If {
        matching: input.copy_source_if_match.as_ref(),
        none_matching: input.copy_source_if_none_match.as_ref(),
        modified: input.copy_source_if_modified_since.as_ref(),
        unmodified: input.copy_source_if_unmodified_since.as_ref(),
    };
    // Whoever copies has nothing yet that could be unmodified.
    if_.check(&object).map_err(|_| s3_error!(PreconditionFailed))?;
    let Opened { store, limit, .. } = opened;
    let copied = off_thread(move || {
        let written = store.copy(&object)?;
        let tags = if new_tags { tags } else { store.tags(&source, from.as_deref())? };
        let checksums = object.attributes.checksums.clone();
        let attributes = match new_attributes {
            true => objects::Attributes { checksums, ..said },
            // Who may read it is said anew.
            false => objects::Attributes { access: said.access, ..object.attributes },
        };
        store.put(New { key: &input.key, written, attributes, tags }, limit, |_| true)
    });
    let object = copied.await?;
    let result = CopyObjectResult {
        e_tag: Some(convert::etag(&object)),
        last_modified: Some(convert::time(object.modified)),
        ..CopyObjectResult::default()
    };
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id,
        version_id: version(&object),
        ..CopyObjectOutput::default()
    })
}

/// The key, and perhaps the version, of what is copied: of the same bucket, as a key opens one.
pub(super) fn source(opened: &Opened, source: &CopySource) -> S3Result<(String, Option<String>)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } if **bucket == *opened.name => {
            Ok((key.to_string(), version_id.as_deref().map(str::to_owned)))
        }
        CopySource::Bucket { .. } => Err(s3_error!(AccessDenied, "the key is of another bucket")),
        _ => Err(s3_error!(NotImplemented)),
    }
}
