//! Lifecycle: rules by which objects, older versions and uploads are deleted.

use objects::{Due, Rule, Store, Tags};
use s3s::{
    S3Request, S3Result,
    dto::{
        BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
        ExpirationStatus, GetBucketLifecycleConfigurationInput,
        GetBucketLifecycleConfigurationOutput, LifecycleRule, LifecycleRuleFilter,
        PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput, Tag,
    },
    s3_error,
};

use crate::{convert, error::off_thread, service::Opened};

/// Its name among the store's documents.
const DOCUMENT: &str = "lifecycle";
/// Rules of a bucket at most, as S3 has it.
const MOST: usize = 1000;

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<PutBucketLifecycleConfigurationOutput> {
    let given = req.input.lifecycle_configuration;
    let given = given.ok_or_else(|| s3_error!(MalformedXML, "no rules"))?;
    if !(1..=MOST).contains(&given.rules.len()) {
        return Err(s3_error!(MalformedXML, "a lifecycle has 1 to {MOST} rules"));
    }
    let rules = given.rules.iter().map(rule).collect::<S3Result<Vec<_>>>()?;
    let text = serde_json::to_string(&given).map_err(|_| s3_error!(MalformedXML))?;
    let store = opened.store;
    off_thread(move || {
        store.set_document(DOCUMENT, Some(&text))?;
        // What is due by them need not wait for the hour.
        store.expire(&rules.into_iter().flatten().collect::<Vec<_>>())
    })
    .await?;
    Ok(PutBucketLifecycleConfigurationOutput::default())
}

pub(crate) async fn get(
    opened: Opened,
    _: S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    let kept = off_thread(move || stored(&opened.store)).await?;
    let kept = kept.ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration))?;
    let rules = Some(kept.rules);
    Ok(GetBucketLifecycleConfigurationOutput {
        rules,
        ..GetBucketLifecycleConfigurationOutput::default()
    })
}

pub(crate) async fn delete(
    opened: Opened,
    _: S3Request<DeleteBucketLifecycleInput>,
) -> S3Result<DeleteBucketLifecycleOutput> {
    off_thread(move || opened.store.set_document(DOCUMENT, None)).await?;
    Ok(DeleteBucketLifecycleOutput::default())
}

fn stored(store: &Store) -> objects::Result<Option<BucketLifecycleConfiguration>> {
    let text = store.document(DOCUMENT)?;
    // It was written by this program.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Does what a bucket's rules say, if it has any.
pub(crate) fn apply(store: &Store) -> objects::Result<objects::Expired> {
    let rules = stored(store)?.map(|kept| kept.rules).unwrap_or_default();
    let rules: Vec<Rule> = rules.iter().filter_map(|given| rule(given).ok().flatten()).collect();
    store.expire(&rules)
}

/// A rule as the store knows it; `None` when it is off.
fn rule(given: &LifecycleRule) -> S3Result<Option<Rule>> {
    if given.transitions.is_some() || given.noncurrent_version_transitions.is_some() {
        return Err(s3_error!(NotImplemented, "there is one storage class"));
    }
    let mut rule = filter(given)?;
    if let Some(expiration) = &given.expiration {
        rule.objects = match (expiration.days, &expiration.date) {
            (Some(days), None) => Some(days_of(days)?),
            (None, Some(date)) => Some(Due::At(convert::milliseconds(date))),
            (None, None) => None,
            _ => return Err(s3_error!(MalformedXML, "days and a date")),
        };
        rule.markers = expiration.expired_object_delete_marker.unwrap_or(false);
    }
    if let Some(older) = &given.noncurrent_version_expiration {
        let days = older.noncurrent_days.ok_or_else(|| s3_error!(MalformedXML, "no days"))?;
        rule.versions = Some(days_of(days)?);
        rule.kept = usize::try_from(older.newer_noncurrent_versions.unwrap_or(0)).unwrap_or(0);
    }
    if let Some(uploads) = &given.abort_incomplete_multipart_upload {
        let days = uploads.days_after_initiation;
        rule.uploads = Some(days_of(days.ok_or_else(|| s3_error!(MalformedXML, "no days"))?)?);
    }
    let does = rule.objects.is_some() || rule.versions.is_some() || rule.uploads.is_some();
    if !does && !rule.markers {
        return Err(s3_error!(MalformedXML, "a rule that does nothing"));
    }
    match given.status.as_str() {
        ExpirationStatus::ENABLED => Ok(Some(rule)),
        ExpirationStatus::DISABLED => Ok(None),
        _ => Err(s3_error!(MalformedXML, "a status is Enabled or Disabled")),
    }
}

fn filter(given: &LifecycleRule) -> S3Result<Rule> {
    let none = LifecycleRuleFilter::default();
    let filter = given.filter.as_ref().unwrap_or(&none);
    let and = filter.and.clone().unwrap_or_default();
    let prefixes = [&given.prefix, &filter.prefix, &and.prefix];
    let prefix = prefixes.into_iter().flatten().next().cloned().unwrap_or_default();
    let tags = filter.tag.iter().cloned().chain(and.tags.unwrap_or_default());
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    let tags: Tags = tags.map(pair).collect();
    let bytes = |one: Option<i64>, other: Option<i64>| {
        one.or(other).map(u64::try_from).transpose().map_err(|_| s3_error!(MalformedXML))
    };
    Ok(Rule {
        prefix,
        tags,
        above: bytes(filter.object_size_greater_than, and.object_size_greater_than)?,
        below: bytes(filter.object_size_less_than, and.object_size_less_than)?,
        ..Rule::default()
    })
}

fn days_of(days: i32) -> S3Result<Due> {
    let days = u32::try_from(days).ok().filter(|days| *days > 0);
    days.map(Due::Days).ok_or_else(|| s3_error!(InvalidArgument, "days are 1 or more"))
}
