//! The bucket's policy. What it means is in [`crate::policy`].

use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput,
        GetBucketPolicyOutput, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput,
        PolicyStatus, PutBucketPolicyInput, PutBucketPolicyOutput,
    },
    s3_error,
};

use crate::{
    error::off_thread,
    policy::{MOST, Policy},
    rights::POLICY,
    service::Opened,
};

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutBucketPolicyInput>,
) -> S3Result<PutBucketPolicyOutput> {
    let text = req.input.policy;
    if text.len() > MOST {
        return Err(s3_error!(MalformedPolicy, "a policy has {MOST} bytes at most"));
    }
    Policy::parse(&text, &opened.name).map_err(|why| s3_error!(MalformedPolicy, "{why}"))?;
    off_thread(move || opened.store.set_document(POLICY, Some(&text))).await?;
    Ok(PutBucketPolicyOutput::default())
}

pub(crate) async fn get(
    opened: Opened,
    _: S3Request<GetBucketPolicyInput>,
) -> S3Result<GetBucketPolicyOutput> {
    Ok(GetBucketPolicyOutput { policy: Some(text(opened).await?) })
}

pub(crate) async fn status(
    opened: Opened,
    _: S3Request<GetBucketPolicyStatusInput>,
) -> S3Result<GetBucketPolicyStatusOutput> {
    let name = opened.name.clone();
    let policy = Policy::parse(&text(opened).await?, &name);
    let is_public = Some(policy.is_ok_and(|policy| policy.is_public()));
    Ok(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public }) })
}

pub(crate) async fn delete(
    opened: Opened,
    _: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<DeleteBucketPolicyOutput> {
    off_thread(move || opened.store.set_document(POLICY, None)).await?;
    Ok(DeleteBucketPolicyOutput::default())
}

async fn text(opened: Opened) -> S3Result<String> {
    let found = off_thread(move || opened.store.document(POLICY)).await?;
    found.ok_or_else(|| s3_error!(NoSuchBucketPolicy))
}
