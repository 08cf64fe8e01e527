//! Lists of access, by their usual names.

use s3s::{
    S3Request, S3Result,
    dto::{
        AccessControlPolicy, BucketCannedACL, GetBucketAclInput, GetBucketAclOutput,
        GetObjectAclInput, GetObjectAclOutput, ObjectCannedACL, PutBucketAclInput,
        PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput,
    },
    s3_error,
};

use crate::{
    acl::{self, Acl},
    error::off_thread,
    rights::ACL,
    service::Opened,
};

pub(crate) async fn get_of_bucket(
    opened: Opened,
    _: S3Request<GetBucketAclInput>,
) -> S3Result<GetBucketAclOutput> {
    let kept = off_thread(move || opened.store.document(ACL)).await?.unwrap_or_default();
    let grants = Some(Acl::kept(&kept).grants());
    Ok(GetBucketAclOutput { grants, owner: Some(acl::owner()) })
}

pub(crate) async fn put_of_bucket(
    opened: Opened,
    req: S3Request<PutBucketAclInput>,
) -> S3Result<PutBucketAclOutput> {
    let given = req.input;
    acl::no_grants(&[
        &given.grant_full_control,
        &given.grant_read,
        &given.grant_read_acp,
        &given.grant_write,
        &given.grant_write_acp,
    ])?;
    let word = given.acl.as_ref().map(BucketCannedACL::as_str);
    let acl = said(word, given.access_control_policy.as_ref())?;
    let kept = (acl != Acl::Private).then(|| acl.word());
    off_thread(move || opened.store.set_document(ACL, kept)).await?;
    Ok(PutBucketAclOutput::default())
}

pub(crate) async fn get(
    opened: Opened,
    req: S3Request<GetObjectAclInput>,
) -> S3Result<GetObjectAclOutput> {
    let (key, version) = (req.input.key, req.input.version_id);
    let object = off_thread(move || opened.store.get_version(&key, version.as_deref())).await?;
    Ok(GetObjectAclOutput {
        grants: Some(Acl::kept(&object.attributes.access).grants()),
        owner: Some(acl::owner()),
        ..GetObjectAclOutput::default()
    })
}

pub(crate) async fn put(
    opened: Opened,
    req: S3Request<PutObjectAclInput>,
) -> S3Result<PutObjectAclOutput> {
    let given = req.input;
    acl::no_grants(&[
        &given.grant_full_control,
        &given.grant_read,
        &given.grant_read_acp,
        &given.grant_write,
        &given.grant_write_acp,
    ])?;
    let word = given.acl.as_ref().map(ObjectCannedACL::as_str);
    let access = kept(said(word, given.access_control_policy.as_ref())?);
    off_thread(move || {
        let change = |attributes: &mut objects::Attributes| attributes.access = access;
        opened.store.set_attributes(&given.key, given.version_id.as_deref(), change)
    })
    .await?;
    Ok(PutObjectAclOutput::default())
}

/// What a new object says of it.
pub(crate) fn of_new(
    word: Option<&ObjectCannedACL>,
    grants: &[&Option<String>],
) -> S3Result<String> {
    acl::no_grants(grants)?;
    Ok(kept(Acl::read(word.map(ObjectCannedACL::as_str))?))
}

/// As it stands in an object: nothing for what nothing says.
fn kept(acl: Acl) -> String {
    if acl == Acl::Private { String::new() } else { acl.word().to_owned() }
}

fn said(word: Option<&str>, list: Option<&AccessControlPolicy>) -> S3Result<Acl> {
    match (word, list) {
        (Some(_), Some(_)) => Err(s3_error!(UnexpectedContent, "a name and a list")),
        (None, None) => Err(s3_error!(MissingSecurityHeader, "x-amz-acl, or a list")),
        (word, None) => Acl::read(word),
        (None, Some(list)) => Acl::of_list(list),
    }
}
