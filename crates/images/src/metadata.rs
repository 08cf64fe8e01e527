//! `metadata.yaml`: what an image says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Result};

/// The contents of `metadata.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The kernel's name of the processor, such as `x86_64` or `aarch64`.
    pub architecture: String,
    /// Seconds since 1970.
    #[serde(default)]
    pub creation_date: i64,
    /// Seconds since 1970; 0 means never.
    #[serde(default)]
    pub expiry_date: i64,
    /// Free words: `os`, `release`, `description`, `serial`, ...
    #[serde(default, deserialize_with = "words")]
    pub properties: BTreeMap<String, String>,
    /// Files made from templates, by their path in the instance.
    #[serde(default)]
    pub templates: BTreeMap<String, Template>,
}

/// A file that is written from a template when something happens to an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// `create`, `copy`, `start`, `rename`.
    #[serde(default)]
    pub when: Vec<String>,
    /// Whether an existing file stays as it is.
    #[serde(default)]
    pub create_only: bool,
    /// The file in the image's `templates/`.
    pub template: String,
    /// What the template may use.
    #[serde(default, deserialize_with = "words")]
    pub properties: BTreeMap<String, String>,
    /// The file's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The file's group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// The file's mode, in octal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

impl Metadata {
    /// More than any image has; a larger file is not read.
    pub(crate) const MAX_BYTES: u64 = 1 << 20;

    /// Reads the file's text.
    pub fn parse(text: &[u8]) -> Result<Metadata> {
        let text = std::str::from_utf8(text).map_err(|e| invalid(&e))?;
        let metadata: Metadata = serde_saphyr::from_str(text).map_err(|e| invalid(&e))?;
        if metadata.architecture.is_empty() {
            return Err(Error::Metadata { reason: "architecture is missing".to_owned() });
        }
        for template in metadata.templates.values() {
            if template.template.contains('/') || template.template.starts_with('.') {
                let reason = format!("template {:?} is not a plain name", template.template);
                return Err(Error::Metadata { reason });
            }
        }
        Ok(metadata)
    }

    /// Writes the file's text.
    pub fn text(&self) -> Result<String> {
        serde_saphyr::to_string(self).map_err(|e| invalid(&e))
    }
}

/// A map of words, where nothing is a word too.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = Option::<BTreeMap<String, Option<String>>>::deserialize(from)?;
    let pairs = map.into_iter().flatten();
    Ok(pairs.map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

fn invalid(e: &dyn std::fmt::Display) -> Error {
    Error::Metadata { reason: e.to_string().lines().next().unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
architecture: "x86_64"
creation_date: 1716537600
properties:
  description: Ubuntu noble amd64 (20240524_07:42)
  os: Ubuntu
  release: 24.04
  serial: 20240524_07:42
  variant: default
  requirements.cgroup: true
  empty:
templates:
  /etc/hostname:
    when:
      - create
      - copy
    create_only: false
    template: hostname.tpl
    properties: {}
  /etc/machine-id:
    when: [create]
    template: empty.tpl
    mode: 0644
unknown: ignored
"#;

    #[test]
    fn plain_words_stay_words() {
        let metadata = Metadata::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(metadata.properties["release"], "24.04");
        assert_eq!(metadata.properties["serial"], "20240524_07:42");
        assert_eq!(metadata.properties["requirements.cgroup"], "true");
        assert_eq!(metadata.creation_date, 1_716_537_600);
        assert_eq!(metadata.templates["/etc/hostname"].when, ["create", "copy"]);
        assert_eq!(metadata.templates["/etc/machine-id"].mode.as_deref(), Some("0644"));
        assert_eq!(Metadata::parse(metadata.text().unwrap().as_bytes()).unwrap(), metadata);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for bad in ["", "architecture: [1]", "a: &a [*a]", "{", "architecture: ''", "\u{1}"] {
            let error = Metadata::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("metadata.yaml is invalid: ") && error.len() > 28, "{error}");
        }
        let outside = "architecture: x\ntemplates: {/a: {template: ../../etc/shadow}}";
        assert!(Metadata::parse(outside.as_bytes()).is_err());
    }
}
