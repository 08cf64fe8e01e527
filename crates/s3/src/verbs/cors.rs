//! CORS: which sites' pages may use the bucket in a browser. What they allow is told by [`crate::cors`].

use objects::Store;
use s3s::{
    S3Request, S3Result,
    dto::{
        CORSConfiguration, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput,
        GetBucketCorsInput, GetBucketCorsOutput, PutBucketCorsInput, PutBucketCorsOutput,
    },
    s3_error,
};

use crate::{error::off_thread, service::Opened};

/// Its name among the store's documents.
const DOCUMENT: &str = "cors";
/// Rules of a bucket at most, as S3 has it.
const MOST: usize = 100;
/// Methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutBucketCorsInput>,
) -> S3Result<PutBucketCorsOutput> {
    let given = req.input.cors_configuration;
    if !(1..=MOST).contains(&given.cors_rules.len()) {
        return Err(s3_error!(MalformedXML, "1 to {MOST} rules"));
    }
    given.cors_rules.iter().try_for_each(check)?;
    let text = serde_json::to_string(&given).map_err(|_| s3_error!(MalformedXML))?;
    off_thread(move || opened.store.set_document(DOCUMENT, Some(&text))).await?;
    Ok(PutBucketCorsOutput::default())
}

pub(crate) async fn get(
    opened: Opened,
    _: S3Request<GetBucketCorsInput>,
) -> S3Result<GetBucketCorsOutput> {
    let rules = off_thread(move || stored(&opened.store)).await?;
    match rules.is_empty() {
        true => Err(s3_error!(NoSuchCORSConfiguration)),
        false => Ok(GetBucketCorsOutput { cors_rules: Some(rules) }),
    }
}

pub(crate) async fn delete(
    opened: Opened,
    _: S3Request<DeleteBucketCorsInput>,
) -> S3Result<DeleteBucketCorsOutput> {
    off_thread(move || opened.store.set_document(DOCUMENT, None)).await?;
    Ok(DeleteBucketCorsOutput::default())
}

/// The rules of a bucket.
pub(crate) fn stored(store: &Store) -> objects::Result<Vec<CORSRule>> {
    let text = store.document(DOCUMENT)?.unwrap_or_default();
    // It was written by this program; an empty one has no rules.
    let kept = serde_json::from_str::<CORSConfiguration>(&text);
    Ok(kept.map(|kept| kept.cors_rules).unwrap_or_default())
}

fn check(rule: &CORSRule) -> S3Result<()> {
    let method = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str()));
    if let Some(method) = method {
        return Err(s3_error!(InvalidRequest, "no browser is allowed the method {method:?}"));
    }
    let stars = |text: &String| text.matches('*').count() > 1;
    let headers = rule.allowed_headers.iter().flatten();
    match rule.allowed_origins.iter().chain(headers).find(|text| stars(text)) {
        Some(text) => Err(s3_error!(InvalidRequest, "{text:?} has more than one *")),
        None => Ok(()),
    }
}
