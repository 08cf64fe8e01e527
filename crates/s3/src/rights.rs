//! What the sender of a request may do in a bucket: by the role of its key, the bucket's policy, and the lists
//! of bucket and objects.
//!
//! ```text
//! a Deny of the policy    nobody may, not even an admin, but for the policy itself
//! a key of the bucket     an admin may all; a reader may look
//! an Allow of the policy  whoever it names
//! lists                   anybody, or anybody with a key, as they say
//! ```

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use cloud::db::buckets::Role;
use objects::Store;
use s3s::{S3Error, S3Result, s3_error};

use crate::{
    acl::Acl,
    policy::{Asked, Effect, Policy},
};

/// The policy's name among the store's documents.
pub(crate) const POLICY: &str = "policy";
/// The name of the bucket's list.
pub(crate) const ACL: &str = "acl";
/// What an admin may whatever the policy says: or nobody could mend it.
const OF_POLICY: [&str; 3] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/// Who sent a request, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sender {
    /// The access key that signed it.
    pub(crate) key: Option<String>,
    /// What that key may, where it is one of the bucket's own.
    pub(crate) role: Option<Role>,
    /// Where it came from.
    pub(crate) ip: Option<IpAddr>,
    /// What else conditions may ask for, by their keys in small letters.
    pub(crate) facts: BTreeMap<String, String>,
}

/// What it may do.
#[derive(Clone)]
pub(crate) struct Rights {
    bucket: String,
    sender: Sender,
    store: Arc<Store>,
    policy: Option<Arc<Policy>>,
    acl: Acl,
}

impl Rights {
    /// Reads what the bucket says. It blocks.
    pub(crate) fn read(bucket: &str, sender: Sender, store: Arc<Store>) -> objects::Result<Rights> {
        let text = store.document(POLICY)?;
        // It was understood when it was put. One that is not any more lets nobody in but the bucket's keys.
        let policy = text.and_then(|text| Policy::parse(&text, bucket).ok()).map(Arc::new);
        let acl = Acl::kept(&store.document(ACL)?.unwrap_or_default());
        Ok(Rights { bucket: bucket.to_owned(), sender, store, policy, acl })
    }

    /// Refuses an action that may not be. It blocks.
    pub(crate) fn check(
        &self,
        action: &str,
        key: Option<&str>,
        version: Option<&str>,
    ) -> S3Result<()> {
        match self.may(action, key, version) {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    fn refusal(&self) -> S3Error {
        match &self.sender {
            Sender { key: None, .. } => s3_error!(AccessDenied, "the request is not signed"),
            Sender { role: None, .. } => s3_error!(AccessDenied, "the key is of another bucket"),
            Sender { role: Some(Role::ReadOnly), .. } => {
                s3_error!(AccessDenied, "the key is read-only, or the bucket's policy denies it")
            }
            _ => s3_error!(AccessDenied, "the bucket's policy denies it"),
        }
    }

    /// Whether an action may be, on an object where it is of one.
    pub(crate) fn may(&self, action: &str, key: Option<&str>, version: Option<&str>) -> bool {
        let decided = self.decided(action, key, version);
        let admin = self.sender.role == Some(Role::Admin);
        match decided {
            Some(Effect::Deny) => admin && OF_POLICY.contains(&action),
            Some(Effect::Allow) => true,
            None if admin => true,
            None => {
                self.sender.role == Some(Role::ReadOnly) && only_looks(action)
                    || self.listed(action, key, version)
            }
        }
    }

    fn decided(&self, action: &str, key: Option<&str>, version: Option<&str>) -> Option<Effect> {
        let policy = self.policy.as_ref()?;
        let resource = match key {
            Some(key) => format!("arn:aws:s3:::{}/{key}", self.bucket),
            None => format!("arn:aws:s3:::{}", self.bucket),
        };
        let facts = |name: &str| self.fact(name, key, version);
        let who = self.sender.key.as_deref();
        policy.decide(&Asked { who, action, resource: &resource, facts: &facts })
    }

    fn fact(&self, name: &str, key: Option<&str>, version: Option<&str>) -> Option<String> {
        match name {
            // There is no other door.
            "aws:securetransport" => Some(String::from("true")),
            "aws:sourceip" => self.sender.ip.map(|ip| ip.to_canonical().to_string()),
            "aws:username" => self.sender.key.clone(),
            "s3:versionid" => version.map(str::to_owned),
            other => match other.strip_prefix("s3:existingobjecttag/") {
                Some(tag) => self.store.tags(key?, version).ok()?.remove(tag),
                None => self.sender.facts.get(other).cloned(),
            },
        }
    }

    /// What the lists allow: that of the bucket to look what is in it and to change that, those of objects to
    /// get them.
    fn listed(&self, action: &str, key: Option<&str>, version: Option<&str>) -> bool {
        let signed = self.sender.key.is_some();
        match action {
            "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads" => {
                self.acl.reads(signed)
            }
            "s3:PutObject"
            | "s3:DeleteObject"
            | "s3:AbortMultipartUpload"
            | "s3:ListMultipartUploadParts" => self.acl.writes(),
            "s3:GetObject" | "s3:GetObjectVersion" | "s3:GetObjectAttributes" => {
                let object = key.and_then(|key| self.store.get_version(key, version).ok());
                object.is_some_and(|object| Acl::kept(&object.attributes.access).reads(signed))
            }
            _ => false,
        }
    }
}

fn only_looks(action: &str) -> bool {
    ["s3:Get", "s3:List"].iter().any(|verb| action.starts_with(verb))
}

/// The action of an operation, as policies call it.
pub(crate) fn action(operation: &str, of_version: bool) -> String {
    let name = match operation {
        "HeadObject" | "GetObject" | "SelectObjectContent" => "GetObject",
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "PutObject",
        "DeleteObjects" => "DeleteObject",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "GetBucketCors" => "GetBucketCORS",
        "PutBucketCors" | "DeleteBucketCors" => "PutBucketCORS",
        "DeleteBucketTagging" => "PutBucketTagging",
        other => other,
    };
    let versioned = [
        "GetObject",
        "DeleteObject",
        "GetObjectTagging",
        "PutObjectTagging",
        "DeleteObjectTagging",
        "GetObjectAcl",
        "PutObjectAcl",
    ];
    match (of_version && versioned.contains(&name), name) {
        (true, "GetObject" | "DeleteObject") => format!("s3:{name}Version"),
        (true, name) => {
            let (verb, what) = name.split_once("Object").unwrap_or((name, ""));
            format!("s3:{verb}ObjectVersion{what}")
        }
        (false, name) => format!("s3:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_called_as_policies_call_them() {
        for (operation, of_version, name) in [
            ("HeadObject", false, "s3:GetObject"),
            ("GetObject", true, "s3:GetObjectVersion"),
            ("ListObjectsV2", false, "s3:ListBucket"),
            ("UploadPart", false, "s3:PutObject"),
            ("DeleteObjects", false, "s3:DeleteObject"),
            ("GetObjectTagging", true, "s3:GetObjectVersionTagging"),
            ("GetObjectAcl", true, "s3:GetObjectVersionAcl"),
            ("PutBucketPolicy", false, "s3:PutBucketPolicy"),
        ] {
            assert_eq!(action(operation, of_version), name);
        }
    }

    #[test]
    fn a_key_that_only_reads_changes_nothing() {
        for name in ["GetObject", "HeadBucket", "ListObjectsV2", "GetObjectTagging"] {
            assert!(only_looks(&action(name, false)), "{name}");
        }
        for name in
            ["PutObject", "DeleteObjects", "CopyObject", "CreateMultipartUpload", "UploadPart"]
        {
            assert!(!only_looks(&action(name, false)), "{name}");
        }
    }
}
