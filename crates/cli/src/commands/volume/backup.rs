//! `storage volume export` and `import`.

use std::path::PathBuf;

use client::Content;
use wire::{
    Empty, StorageVolumeBackupsPost,
    endpoints::{
        volume_backups::{VolumeBackupCreate, VolumeBackupDelete, VolumeBackupExport},
        volumes::StorageVolumeCreate,
    },
};

use super::super::backup::{Target, kept};
use crate::{context::Context, error::Result, output::human::name_of};

/// Writes a custom volume with its snapshots into a file. Who uses it goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Pool
    pool: String,
    /// Volume
    volume: String,
    /// File, "-" for standard output; by default VOLUME.tar.gz here
    file: Option<PathBuf>,
    /// Leave the snapshots out
    #[arg(long)]
    volume_only: bool,
    /// Let the storage driver use a form of its own, where it has one
    #[arg(long)]
    optimized_storage: bool,
    /// How to compress it: gzip, zstd, xz, lzma or none, with a level if need be: "zstd -9"
    #[arg(long, value_name = "ALGORITHM", default_value = "")]
    compression: String,
}

impl Export {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let target = Target::of(self.file, &self.volume)?;
        let request = StorageVolumeBackupsPost {
            expires_at: Some(kept()),
            volume_only: self.volume_only,
            optimized_storage: self.optimized_storage,
            compression_algorithm: self.compression,
            ..StorageVolumeBackupsPost::default()
        };
        let (pool, volume) = (self.pool.as_str(), self.volume.as_str());
        let (at, query) = ([pool, "custom", volume], cx.target());
        let begun = cx.client.call::<VolumeBackupCreate>(&at, &query, &request).await?;
        let name = target.made(cx, &begun).await?;
        let at = [pool, "custom", volume, &name];
        let request = cx.client.request::<VolumeBackupExport>(&at).query(&query)?;
        let fetched = target.fetch(request).await;
        let deleted = cx.client.call::<VolumeBackupDelete>(&at, &query, &Empty {}).await;
        target.done(cx, fetched, deleted?).await
    }
}

/// Makes a custom volume of a file: a backup, an ISO, a tarball of files, a disk as qcow2.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// Pool
    pool: String,
    /// File
    file: PathBuf,
    /// Name for the volume; a backup has one itself
    name: Option<String>,
    /// What the file is: backup, iso, tar or qcow2; otherwise iso for FILE.iso, and else backup
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
}

impl Import {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let at = [self.pool.as_str(), "custom"];
        let mut request = cx.client.request::<StorageVolumeCreate>(&at).query(&cx.target())?;
        if let Some(name) = &self.name {
            request = request.header("x-lxd-name", name.as_str());
        }
        let is_disc = self.file.extension().is_some_and(|end| end.eq_ignore_ascii_case("iso"));
        let usual = if is_disc { "iso" } else { "backup" };
        request = request.header("x-lxd-type", self.r#type.as_deref().unwrap_or(usual));
        let sent = request.content(Content::File(self.file)).await?.send().await?;
        cx.finish(&sent.reply).await?;
        let made = sent.reply.resources.get("storage_volumes").and_then(|urls| urls.first());
        cx.say(format!("Storage volume name is: {}", made.map_or("", |url| name_of(url))));
        Ok(())
    }
}
