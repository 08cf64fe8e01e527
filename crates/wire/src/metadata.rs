//! The description of every option: `/1.0/metadata/configuration`.

use std::collections::BTreeMap;

api! {
    /// Every option the server knows.
    pub struct MetadataConfiguration {
        /// Groups of options by entity (`instance`, `network-bridge`, ...) and name.
        pub configs: BTreeMap<String, BTreeMap<String, ConfigGroup>>,
    }

    /// Options that belong together.
    pub struct ConfigGroup {
        /// Each a map of one entry: the key and what is known of it.
        pub keys: Vec<BTreeMap<String, ConfigKey>>,
    }

    /// What is known of an option.
    pub struct ConfigKey {
        /// `string`, `bool`, `integer` and the like.
        pub r#type: String,
        /// One line.
        pub shortdesc: String,
        /// The rest.
        pub longdesc: String,
        /// The default, in words.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub defaultdesc: String,
        /// What a new thing gets, in words.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub initialvaluedesc: String,
        /// When it counts, in words.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub condition: String,
        /// Whether a change counts while it runs: `yes`, `no`, or in words.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub liveupdate: String,
        /// `global` or `local`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub scope: String,
        /// `yes` when the server sets it itself.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub managed: String,
        /// `yes` or `no`, or in words.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub required: String,
    }
}
