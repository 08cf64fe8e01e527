//! Editing a thing as YAML: in the user's editor, or from standard input when that is no terminal.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{IsTerminal, Read, Write, stdin},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// What stands above the text.
const HEAD: &str = "# Lines that begin with \"#\" are ignored. Save and quit to make the change.\n";

/// The thing as the user wants it; `None` when nothing was changed.
pub(crate) fn edit<T: Serialize + DeserializeOwned>(current: &T) -> Result<Option<T>> {
    if !stdin().is_terminal() {
        let mut text = String::new();
        stdin().read_to_string(&mut text).map_err(Error::Stdio)?;
        return serde_saphyr::from_str(&text).map(Some).map_err(Error::Parse);
    }
    let before = HEAD.to_owned() + &serde_saphyr::to_string(current).map_err(Error::Yaml)?;
    let file = Draft::new(&before)?;
    loop {
        run_editor(&file.0)?;
        let after = fs::read_to_string(&file.0).map_err(|source| file.failed(source))?;
        if after == before {
            return Ok(None);
        }
        match serde_saphyr::from_str(&after) {
            Ok(thing) => return Ok(Some(thing)),
            Err(error) => {
                eprintln!("{error}\nPress enter to edit it again, or ctrl-c to give up.");
                stdin().read_line(&mut String::new()).map_err(Error::Stdio)?;
            }
        }
    }
}

/// A file that only we can read, gone when dropped.
struct Draft(PathBuf);

impl Draft {
    fn new(text: &str) -> Result<Self> {
        let draft = Self(env::temp_dir().join(format!("microcloud-{}.yaml", std::process::id())));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| draft.failed(source))?;
        Ok(draft)
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File { path: self.0.clone(), source }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[allow(clippy::disallowed_methods, reason = "the user's own editor on the user's own terminal")]
fn run_editor(file: &Path) -> Result<()> {
    let editor =
        env::var("VISUAL").or_else(|_| env::var("EDITOR")).unwrap_or_else(|_| "editor".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("editor");
    let status = std::process::Command::new(program).args(words).arg(file).status();
    match status.map_err(|source| Error::Editor(editor.clone(), source))?.success() {
        true => Ok(()),
        false => Err(Error::EditorFailed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::ProfilePut;

    use super::*;

    #[test]
    fn any_value_survives_the_editor() {
        let put: ProfilePut = serde_json::from_value(json!({
            "description": "a: b # c",
            "config": {
                "bool": "true", "number": "1", "empty": "", "null": "null", "date": "2026-01-01", "space": " x ",
                "user.user-data": "#cloud-config\npackages:\n  - vim\n", "tail": "a\n\n", "quote": "\"'\\",
            },
            "devices": { "eth0": { "type": "nic" } },
        }))
        .unwrap();
        let text = HEAD.to_owned() + &serde_saphyr::to_string(&put).unwrap();
        assert_eq!(serde_saphyr::from_str::<ProfilePut>(&text).unwrap(), put, "{text}");
    }

    #[test]
    fn unquoted_values_and_unknown_fields_are_taken() {
        let text = "config:\n  limits.cpu: 2\n  security.nesting: true\nname: x\nused_by: []\n";
        let put: ProfilePut = serde_saphyr::from_str(text).unwrap();
        assert_eq!(
            (put.config["limits.cpu"].as_str(), put.config["security.nesting"].as_str()),
            ("2", "true")
        );
    }
}
