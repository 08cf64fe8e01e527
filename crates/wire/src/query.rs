//! What stands behind the `?` of an address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DEFAULT_PROJECT, lenient};

macro_rules! queries {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )* }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }
    )* };
}

/// Gives a query its project.
macro_rules! projects {
    ($($name:ident)*) => { $(
        impl $name {
            /// The project that is meant; the default one when none is named.
            pub fn project(&self) -> &str {
                self.project.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_PROJECT)
            }
        }
    )* };
}

projects!(FileQuery TemplateQuery ProjectQuery ListQuery ThingQuery EventsQuery TargetQuery ImageQuery);

queries! {
    /// Nothing.
    pub struct NoQuery {}

    /// The project.
    pub struct ProjectQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
    }

    /// The project, and the member that should answer.
    pub struct TargetQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Member.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target: Option<String>,
    }

    /// A list.
    pub struct ListQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Whether to list those of every project.
        #[serde(rename = "all-projects", deserialize_with = "lenient::flag", skip_serializing_if = "lenient::is_false")]
        pub all_projects: bool,
        /// 0: addresses; 1: the things; 2: with what costs more to find out.
        #[serde(skip_serializing_if = "lenient::is_zero")]
        pub recursion: u8,
        /// Only those that match, such as `status eq Running`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Only those on this member.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target: Option<String>,
    }

    /// One thing, perhaps with more about it.
    pub struct ThingQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// 1: with what costs more to find out.
        #[serde(skip_serializing_if = "lenient::is_zero")]
        pub recursion: u8,
        /// Member.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target: Option<String>,
    }

    /// A file of an instance.
    pub struct FileQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Where it is, from the instance's root on.
        pub path: String,
    }

    /// A template of an instance.
    pub struct TemplateQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Its name; all of them where it is empty.
        pub path: String,
    }

    /// An image, perhaps a private one with a secret.
    pub struct ImageQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Secret that lets anybody fetch it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub secret: Option<String>,
    }

    /// How to remove a member.
    pub struct RemoveQuery {
        /// Whether it goes although it does not answer, or still has something.
        #[serde(deserialize_with = "lenient::flag", skip_serializing_if = "lenient::is_false")]
        pub force: bool,
    }

    /// Which member asks.
    pub struct StandingQuery {
        /// Its number.
        pub member: u64,
    }

    /// Which events.
    pub struct EventsQuery {
        /// Project.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Whether from every project.
        #[serde(rename = "all-projects", deserialize_with = "lenient::flag", skip_serializing_if = "lenient::is_false")]
        pub all_projects: bool,
        /// Kinds, joined by commas; all when absent.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kinds: Option<String>,
    }

    /// How to wait for an operation.
    pub struct WaitQuery {
        /// Seconds; -1 or absent is as long as it takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub timeout: Option<i64>,
        /// Secret of the operation, in place of being trusted.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub secret: Option<String>,
    }

    /// Which websocket of an operation.
    pub struct SecretQuery {
        /// Its secret.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub secret: Option<String>,
    }
}
