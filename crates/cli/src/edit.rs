//! Things as YAML that comes on standard input.
//!
//! Left out: an editor on the terminal. It is a program, and only the crate `exec` starts programs; it has no such
//! tool yet.

use std::io::{IsTerminal, Read, stdin};

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// What to do at a terminal.
const HOW: &str = "the YAML is read from standard input: give it with \"< file\" (to edit a thing, write what \
                   \"show\" prints into that file and change it)";

/// The thing as the user wants it.
pub(crate) fn edited<T: DeserializeOwned>() -> Result<T> {
    if stdin().is_terminal() {
        return Err(Error::Usage(HOW));
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(Error::Stdio)?;
    parse(&text)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(Error::Parse)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::ProfilePut;

    use super::*;

    #[test]
    fn any_value_that_was_shown_can_be_given_back() {
        let put: ProfilePut = serde_json::from_value(json!({
            "description": "a: b # c",
            "config": {
                "bool": "true", "number": "1", "empty": "", "null": "null", "date": "2026-01-01", "space": " x ",
                "user.user-data": "#cloud-config\npackages:\n  - vim\n", "tail": "a\n\n", "quote": "\"'\\",
            },
            "devices": { "eth0": { "type": "nic" } },
        }))
        .unwrap();
        let text = serde_saphyr::to_string(&put).unwrap();
        assert_eq!(parse::<ProfilePut>(&text).unwrap(), put, "{text}");
    }

    #[test]
    fn unquoted_values_and_unknown_fields_are_taken() {
        let text = "config:\n  limits.cpu: 2\n  security.nesting: true\nname: x\nused_by: []\n";
        let put: ProfilePut = parse(text).unwrap();
        assert_eq!(
            (put.config["limits.cpu"].as_str(), put.config["security.nesting"].as_str()),
            ("2", "true")
        );
    }
}
