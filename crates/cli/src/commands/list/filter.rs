//! Filters of the list of instances.

use wire::InstanceFull;

/// What an instance must have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A name that begins like this.
    Name(String),
    /// A property or an option with this value.
    Is { key: String, value: String },
}

impl Filter {
    pub(super) fn parse(word: &str) -> Self {
        match word.split_once('=') {
            Some((key, value)) => Self::Is { key: key.to_owned(), value: value.to_owned() },
            None => Self::Name(word.to_owned()),
        }
    }

    pub(super) fn accepts(&self, full: &InstanceFull) -> bool {
        let instance = &full.instance;
        let (key, value) = match self {
            Self::Name(start) => return instance.name.starts_with(start),
            Self::Is { key, value } => (key.as_str(), value),
        };
        let have = match key {
            "name" => instance.name.as_str(),
            "status" | "state" => instance.status.as_str(),
            "type" => instance.r#type.as_str(),
            "architecture" => instance.architecture.as_str(),
            "location" => instance.location.as_str(),
            "profile" => return instance.profiles.contains(value),
            option => instance.expanded_config.get(option).map_or("", String::as_str),
        };
        have.eq_ignore_ascii_case(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepts(word: &str) -> bool {
        let web =
            json!({ "name": "web1", "status": "Running", "expanded_config": { "user.team": "a" } });
        Filter::parse(word).accepts(&serde_json::from_value(web).unwrap())
    }

    #[test]
    fn words_are_starts_of_names() {
        assert!(accepts("web"));
        assert!(!accepts("eb1"));
    }

    #[test]
    fn pairs_are_properties_or_options() {
        assert!(accepts("status=running"));
        assert!(accepts("user.team=a"));
        assert!(!accepts("user.team=b"));
        assert!(accepts("user.none="));
    }
}
