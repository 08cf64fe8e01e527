//! What can go wrong, in words that say what to do next.

use std::{error::Error as _, io, path::PathBuf};

/// A result of this crate.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The daemon could not be reached, or refused.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// Some of many failed; each was told of already.
    #[error("{failed} of {total} failed:\n{}", lines.join("\n"))]
    Several { failed: usize, total: usize, lines: Vec<String> },
    /// A word that should be `key=value`.
    #[error("{word:?} is not of the form {form}")]
    Form { word: String, form: &'static str },
    /// A thing without this key.
    #[error("{noun} {name} has no {what} {key:?}")]
    Absent { noun: &'static str, name: String, what: &'static str, key: String },
    /// A thing that is there already.
    #[error("{noun} {name} has a {what} {key:?} already")]
    Present { noun: &'static str, name: String, what: &'static str, key: String },
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// A member of a cluster keeps its name.
    #[error(
        "this server is member \"{is}\" of a cluster, not \"{wanted}\": microcloud cluster rename"
    )]
    Named { is: String, wanted: String },
    /// A member waits no more for machines that join.
    #[error("it waits no more: {0}")]
    Ended(String),
    /// A server of images.
    #[error("cannot ask a server of images")]
    Images(#[source] images::Error),
    /// A name of nothing there.
    #[error("there is no image {name:?} of {server}")]
    NoSuchImage { name: String, server: String },
    /// A server that holds images and nothing else.
    #[error("{0:?} is a server of images: launch, image list, image info and image copy know it")]
    OfImages(String),
    /// A server that was given no name.
    #[error("there is no server {0:?}: see \"microcloud remote list\"")]
    NoRemote(String),
    /// A word that stands for nothing.
    #[error("there is no alias {0:?}: see \"microcloud alias list\"")]
    NoAlias(String),
    /// YAML that cannot be read.
    #[error("cannot understand the YAML")]
    Parse(#[source] serde_saphyr::Error),
    /// YAML that cannot be written.
    #[error("cannot write YAML")]
    Yaml(#[source] serde_saphyr::SerializeError),
    /// JSON that cannot be read or written.
    #[error("cannot understand or write JSON")]
    Json(#[source] serde_json::Error),
    /// A file of ours.
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A folder without an image in it.
    #[error("{} holds no image: no metadata file (metadata.tar.xz or the like) or no root file system", .0.display())]
    NoImage(PathBuf),
    /// A program of the user's: an editor, a viewer.
    #[error(transparent)]
    Program(#[from] exec::Error),
    /// The terminal.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    /// Standard input or output.
    #[error("cannot read or write")]
    Stdio(#[source] io::Error),
    /// The daemon's process.
    #[error("cannot stop the daemon")]
    Shutdown(#[source] io::Error),
    /// A shutdown that takes longer than was to be waited.
    #[error("instances still stop after {0} s; the shutdown goes on")]
    StillStopping(u64),
    /// An instance that was not as one wanted it in time.
    #[error("instance {name} is not so after {seconds} s")]
    NotYet { name: String, seconds: u64 },
    /// The runtime.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

/// The error as it is shown: `Error: ` with its causes on one line, then what to do.
pub(crate) fn text(error: &Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        cause = error.source();
    }
    let advice = advice(error).map_or(String::new(), |advice| format!("{advice}\n"));
    format!("Error: {line}\n{advice}")
}

fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::Client(client::Error::Connect { source, .. }) => match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Some(
                "The daemon does not run. Start it with \"sudo systemctl start microcloud\", \
                 or by hand with \"sudo microcloud daemon\".\n\
                 If its folder is not /var/lib/microcloud, set MICROCLOUD_DIR.",
            ),
            io::ErrorKind::PermissionDenied => Some(
                "Only root and the members of the group \"microcloud\" may use the daemon. \
                 Join with \"sudo usermod -aG microcloud $USER\" and log in again.",
            ),
            _ => None,
        },
        Error::Shutdown(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Some("Only root may. Try \"sudo microcloud shutdown\".")
        }
        Error::Client(client::Error::Broken { .. }) => {
            Some("The daemon may have stopped. See \"journalctl -u microcloud\".")
        }
        Error::Client(client::Error::Api { code: 412, .. }) => {
            Some("Somebody else changed it meanwhile. Look again and repeat the change.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(kind: io::ErrorKind) -> String {
        let path = "/var/lib/microcloud/unix.socket".into();
        text(&Error::Client(client::Error::Connect { path, source: kind.into() }))
    }

    #[test]
    fn a_daemon_that_does_not_run_is_told_how_to_start() {
        let text = connect(io::ErrorKind::NotFound);
        assert!(
            text.starts_with("Error: cannot connect to /var/lib/microcloud/unix.socket: "),
            "{text}"
        );
        assert!(text.contains("sudo systemctl start microcloud"), "{text}");
    }

    #[test]
    fn a_user_without_rights_is_told_of_the_group() {
        assert!(connect(io::ErrorKind::PermissionDenied).contains("usermod -aG microcloud"));
    }

    #[test]
    fn the_daemons_words_stand_alone() {
        let error = client::Error::Api { code: 404, message: "Instance not found".into() };
        assert_eq!(text(&Error::Client(error)), "Error: Instance not found\n");
    }
}
