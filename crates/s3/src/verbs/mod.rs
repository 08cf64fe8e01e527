//! One file a verb, or a few that are alike. Each takes the bucket and the request, and gives what is answered.

pub(crate) mod absent;
pub(crate) mod acl;
pub(crate) mod attributes;
pub(crate) mod bucket;
pub(crate) mod copy;
pub(crate) mod cors;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod multipart;
pub(crate) mod part;
pub(crate) mod policy;
pub(crate) mod put;
pub(crate) mod tagging;

use objects::Object;
use s3s::dto::ETagCondition;

use crate::convert;

/// The version that a client may have to know: none where versions were never kept.
fn version(object: &Object) -> Option<String> {
    (object.version != objects::NULL).then(|| object.version.clone())
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
