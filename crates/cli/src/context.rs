//! What every command needs: the client, the project, and how to wait for an operation.

use std::{
    env, fs,
    io::{IsTerminal, stderr},
    path::PathBuf,
};

use client::Client;
use wire::{
    Operation,
    query::{ListQuery, ProjectQuery, TargetQuery},
};

use crate::{
    arguments::Global, error::Result, output::progress::Progress, remotes::Remotes, settings,
};

/// Where the daemon keeps its socket when nothing else is said.
const DEFAULT_FOLDER: &str = "/var/lib/microcloud";

/// What a command runs with.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The name of the server.
    pub(crate) server: String,
    /// The project that was named; the server's default one otherwise.
    pub(crate) project: Option<String>,
    /// Whether to tell nothing but results.
    pub(crate) quiet: bool,
    /// Servers that have names.
    pub(crate) remotes: Remotes,
}

impl Context {
    /// For the server of that name.
    pub(crate) fn new(global: &Global, remotes: Remotes, server: &str) -> Result<Self> {
        let client = match remotes.find(server)? {
            Some(remote) => remote.client()?,
            None => Self::local(),
        };
        let project = global.project.clone();
        let project =
            project.or_else(|| env::var("MICROCLOUD_PROJECT").ok().filter(|name| !name.is_empty()));
        let project = project.or_else(switched_project);
        Ok(Self { client, server: server.to_owned(), project, quiet: global.quiet, remotes })
    }

    /// The daemon of this machine.
    pub(crate) fn local() -> Client {
        Client::new(local_folder().join("unix.socket"))
    }

    pub(crate) fn query(&self) -> ProjectQuery {
        ProjectQuery { project: self.project.clone() }
    }

    pub(crate) fn target(&self) -> TargetQuery {
        TargetQuery { project: self.project.clone(), target: None }
    }

    /// A list of the things themselves.
    pub(crate) fn list(&self) -> ListQuery {
        ListQuery { project: self.project.clone(), recursion: 1, ..ListQuery::default() }
    }

    /// Tells what is being done, unless asked to be quiet.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            outln!("{}", text.as_ref());
        }
    }

    /// Waits for an operation: with its progress on a terminal, and with ctrl-c cancelling it.
    pub(crate) async fn finish(&self, operation: &Operation) -> Result<Operation> {
        let mut progress = Progress::new(!self.quiet && stderr().is_terminal());
        let end = async {
            if progress.shown() {
                self.client.watch(operation, |operation| progress.update(operation)).await
            } else {
                self.client.wait(operation).await
            }
        };
        tokio::pin!(end);
        tokio::select! {
            end = &mut end => return Ok(end?),
            _ = tokio::signal::ctrl_c() => {}
        }
        self.client.cancel(operation).await?;
        Ok(end.await?)
    }
}

/// The state folder of this machine's daemon.
pub(crate) fn local_folder() -> PathBuf {
    env::var_os("MICROCLOUD_DIR").map_or_else(|| DEFAULT_FOLDER.into(), PathBuf::from)
}

/// The file that remembers `project switch`.
pub(crate) fn project_file() -> Option<PathBuf> {
    Some(settings::folder()?.join("project"))
}

fn switched_project() -> Option<String> {
    let name = fs::read_to_string(project_file()?).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
