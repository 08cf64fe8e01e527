//! `export` and `import`.

use std::{io::IsTerminal, path::PathBuf};

use client::{Content, Request};
use tokio::{fs::OpenOptions, io::AsyncWriteExt};
use wire::{
    Empty, Endpoint, InstanceBackupsPost, Operation, Timestamp,
    endpoints::{
        instance_backups::{BackupCreate, BackupDelete, BackupExport},
        instances::InstanceCreate,
    },
};

use super::{OK, create, file::pull};
use crate::{
    context::Context,
    error::{Error, Result},
    output::human::name_of,
};

/// What stands for standard output.
const STDOUT: &str = "-";
/// Seconds until the server deletes a backup that nobody fetched.
const KEPT: i64 = 24 * 60 * 60;

/// Writes an instance with its snapshots into a file. One that runs goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Instance
    instance: String,
    /// File, "-" for standard output; by default INSTANCE.tar.gz here
    file: Option<PathBuf>,
    /// Leave the snapshots out
    #[arg(long)]
    instance_only: bool,
    /// Let the storage driver use a form of its own, where it has one
    #[arg(long)]
    optimized_storage: bool,
    /// How to compress it: gzip, zstd, xz, lzma or none, with a level if need be: "zstd -9"
    #[arg(long, value_name = "ALGORITHM", default_value = "")]
    compression: String,
}

impl Export {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let target = Target::of(self.file, &self.instance)?;
        let request = InstanceBackupsPost {
            expires_at: Some(kept()),
            instance_only: self.instance_only,
            optimized_storage: self.optimized_storage,
            compression_algorithm: self.compression,
            ..InstanceBackupsPost::default()
        };
        let (at, query) = ([self.instance.as_str()], cx.query());
        let begun = cx.client.call::<BackupCreate>(&at, &query, &request).await?;
        let name = target.made(cx, &begun).await?;
        let at = [self.instance.as_str(), &name];
        let fetched = target.fetch(cx.client.request::<BackupExport>(&at).query(&query)?).await;
        let deleted = cx.client.call::<BackupDelete>(&at, &query, &Empty {}).await;
        target.done(cx, fetched, deleted?).await?;
        Ok(OK)
    }
}

/// When the server deletes a backup that nobody fetched.
pub(super) fn kept() -> Timestamp {
    Timestamp::from_unix(clock::utc().timestamp() + KEPT)
}

/// Where a backup goes to.
pub(super) struct Target {
    path: PathBuf,
    /// Who may read it, as far as the user's mask lets them.
    mode: u32,
}

impl Target {
    /// The file that is named, else one called as what it is of.
    pub(super) fn of(file: Option<PathBuf>, owner: &str) -> Result<Target> {
        let path = file.unwrap_or_else(|| format!("{owner}.tar.gz").into());
        if path.as_os_str() == STDOUT && std::io::stdout().is_terminal() {
            return Err(Error::Usage("a backup is not written to a terminal: name a file"));
        }
        Ok(Target { path, mode: 0o666 })
    }

    /// The same for a file that nobody else is to read.
    pub(super) fn secret(file: PathBuf) -> Result<Target> {
        Ok(Target { mode: 0o600, ..Target::of(Some(file), "")? })
    }

    /// Waits until the server has made it, and says what it is called there.
    pub(super) async fn made(&self, cx: &Context, begun: &Operation) -> Result<String> {
        let done = cx.finish(begun).await?;
        let made = done.resources.get("backups").and_then(|urls| urls.first());
        Ok(made.map_or("", |url| name_of(url)).to_owned())
    }

    /// Fetches it.
    pub(super) async fn fetch<E: Endpoint>(&self, request: Request<'_, E>) -> Result<()> {
        let path = &self.path;
        let failed = |source| Error::File { path: path.clone(), source };
        if path.as_os_str() == STDOUT {
            let mut out = pull::stdout()?;
            request.download(&mut out).await?;
            return out.flush().await.map_err(failed);
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(self.mode);
        let mut file = options.open(path).await.map_err(failed)?;
        let written = request.download(&mut file).await;
        if written.is_err() {
            // Half a backup is no backup; what is wrong is told.
            let _ = tokio::fs::remove_file(path).await;
        }
        Ok(written?)
    }

    /// Waits until the server has deleted it.
    pub(super) async fn done(
        &self,
        cx: &Context,
        fetched: Result<()>,
        deleted: Operation,
    ) -> Result<()> {
        fetched?;
        cx.finish(&deleted).await?;
        self.told(cx);
        Ok(())
    }

    /// Says where it is.
    pub(super) fn told(&self, cx: &Context) {
        if self.path.as_os_str() != STDOUT {
            cx.say(format!("Backup written to {}", self.path.display()));
        }
    }
}

/// Makes an instance of a backup that this server wrote, or LXD.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// File
    file: PathBuf,
    /// Name for the instance, if it is to be another
    name: Option<String>,
    /// Storage pool for the instance, if it is to be another
    #[arg(short, long)]
    storage: Option<String>,
}

impl Import {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let mut request = cx.client.request::<InstanceCreate>(&[]).query(&cx.target())?;
        let headers = [("x-lxd-name", &self.name), ("x-lxd-pool", &self.storage)];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value.as_str());
            }
        }
        let sent = request.content(Content::File(self.file)).await?.send().await?;
        let operation = sent.reply;
        cx.finish(&operation).await?;
        cx.say(format!("Instance name is: {}", create::made(&operation)));
        Ok(OK)
    }
}
