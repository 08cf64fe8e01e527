//! Things as YAML: in the user's editor on a terminal, from standard input otherwise.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write, stdin},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};

use crate::{
    context::Context,
    error::{self, Error, Result},
};

/// Whether a person is there to edit.
pub(crate) fn has_person() -> bool {
    stdin().is_terminal()
}

/// The thing as it comes on standard input.
pub(crate) fn given<T: DeserializeOwned>() -> Result<T> {
    if has_person() {
        return Err(Error::Usage("the YAML is read from standard input: give it with \"< file\""));
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(Error::Stdio)?;
    parse(&text)
}

/// Lets the user edit a text until `store` takes what is in it, or he gives up: then the text stays
/// in its file, and nothing else changes.
pub(crate) async fn on_terminal<T: DeserializeOwned>(
    cx: &Context,
    text: &str,
    store: impl AsyncFn(T) -> Result<()>,
) -> Result<()> {
    let nothing = |new: &str| new == text || says_nothing(new);
    rounds(cx, (".yaml", text), nothing, async |new: &str| store(parse(new)?).await).await
}

/// The same with a text that is no YAML; `ending` is how the name of such files ends.
pub(crate) async fn text_on_terminal(
    cx: &Context,
    (ending, text): (&str, &str),
    store: impl AsyncFn(&str) -> Result<()>,
) -> Result<()> {
    rounds(cx, (ending, text), |new| new == text, store).await
}

async fn rounds(
    cx: &Context,
    (ending, text): (&str, &str),
    nothing: impl Fn(&str) -> bool,
    store: impl AsyncFn(&str) -> Result<()>,
) -> Result<()> {
    // From now on ctrl-c is a key of the editor, and no end of this program.
    let _mine = signal(SignalKind::interrupt()).map_err(Error::Terminal)?;
    let file = draft(ending, text)?;
    loop {
        open(file.path()).await?;
        let new = read(file.path())?;
        if nothing(&new) {
            cx.say("Nothing was changed");
            return Ok(());
        }
        let Err(error) = store(&new).await else { return Ok(()) };
        if is_final(&error) || !again(&error).await? {
            let path = kept(file)?;
            eprintln!("Your text is in {}", path.display());
            return Err(error);
        }
    }
}

/// The text in a file that editors know by its ending, and only its user can read.
fn draft(ending: &str, text: &str) -> Result<NamedTempFile> {
    let made = tempfile::Builder::new().prefix("microcloud-").suffix(ending).tempfile();
    let failed = |source| Error::File { path: std::env::temp_dir(), source };
    let mut file = made.map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file)
}

async fn open(path: &Path) -> Result<()> {
    let path = path.to_owned();
    let ended = spawn_blocking(move || exec::editor::edit(&path)).await;
    ended.map_err(|panic| Error::Terminal(io::Error::other(panic)))?.map_err(Error::Program)
}

/// By its name: many editors put a new file in the place of the old one.
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn kept(file: NamedTempFile) -> Result<PathBuf> {
    let path = file.path().to_owned();
    let kept = file.into_temp_path().keep();
    kept.map_err(|error| Error::File { path, source: error.error })
}

/// Whether all of it is comments.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Whether no other text would do: somebody else changed the thing meanwhile.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Client(error) if error.code() == Some(412))
}

/// Shows what is wrong and asks whether to go on.
async fn again(error: &Error) -> Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Terminal)?;
    eprint!("{}Press Enter to edit it again, or ctrl-c to give up: ", error::text(error));
    let line = spawn_blocking(|| stdin().read_line(&mut String::new()));
    tokio::select! {
        // The end of input is no Enter.
        read = line => Ok(matches!(read, Ok(Ok(1..)))),
        _ = interrupt.recv() => {
            eprintln!();
            Ok(false)
        }
    }
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
    fn comments_alone_say_nothing() {
        assert!(says_nothing("# a\n\n  # b\n") && says_nothing(""));
        assert!(!says_nothing("# a\nconfig: {}\n"));
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
