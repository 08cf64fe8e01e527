//! How the API reads JSON: an absent field and `null` both mean the default, as in Go.

use serde::{Deserialize, Deserializer};

/// Reads a field of which `null` means the default.
pub(crate) fn field<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a switch in a query: `1`, `true`, `yes` and `on` are yes, in any case.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?.to_ascii_lowercase();
    Ok(matches!(text.as_str(), "1" | "true" | "yes" | "on"))
}

/// True for `false`; leaves switches that are off out of a query.
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// True for zero; leaves numbers that say nothing out of a query.
pub(crate) fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// Declares types of the API: the usual derives, and every field read by [`field`].
macro_rules! api {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )* }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        pub struct $name { $(
            $(#[$field_meta])*
            #[serde(deserialize_with = "crate::lenient::field")]
            pub $field: $type,
        )* }
    )* };
}
