//! One file a verb, or a few that are alike. Each takes the bucket and the request, and gives what is answered.

pub(crate) mod bucket;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod multipart;
pub(crate) mod part;
pub(crate) mod put;
pub(crate) mod tagging;

use objects::Object;
use s3s::{S3Result, dto::ETagCondition, s3_error};

use crate::convert;

/// Nothing has versions yet: all there is of an object is what S3 calls its null version.
fn check_version(version: Option<&String>) -> S3Result<()> {
    match version.map(String::as_str) {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion)),
    }
}

/// What a change wants of the object it replaces.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) matching: Option<ETagCondition>,
    pub(crate) none_matching: Option<ETagCondition>,
}

impl Wanted {
    fn holds(&self, old: Option<&Object>) -> bool {
        let is = |condition: &ETagCondition| {
            old.is_some_and(|old| convert::matches(condition, &old.etag))
        };
        self.matching.as_ref().is_none_or(is) && !self.none_matching.as_ref().is_some_and(is)
    }
}
