//! `storage bucket export` and `import`.

use std::path::PathBuf;

use client::Content;
use wire::{
    Empty, Operation, StorageBucketBackupsPost,
    endpoints::{
        bucket_backups::{BucketBackupCreate, BucketBackupDelete, BucketBackupExport},
        buckets::BucketCreate,
    },
};

use super::super::backup::{Target, kept};
use crate::{context::Context, error::Result, output::human::name_of};

/// Writes a bucket into a file: its objects with their versions and tags, its options, its keys. S3
/// clients go on.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Pool
    pool: String,
    /// Bucket
    bucket: String,
    /// File, "-" for standard output; by default BUCKET.tar.gz here
    file: Option<PathBuf>,
    /// How to compress it: gzip, zstd, xz, lzma or none, with a level if need be: "zstd -9"
    #[arg(long, value_name = "ALGORITHM", default_value = "")]
    compression: String,
}

impl Export {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let target = Target::of(self.file, &self.bucket)?;
        let request = StorageBucketBackupsPost {
            expires_at: Some(kept()),
            compression_algorithm: self.compression,
            ..StorageBucketBackupsPost::default()
        };
        let (at, query) = ([self.pool.as_str(), &self.bucket], cx.target());
        let begun = cx.client.call::<BucketBackupCreate>(&at, &query, &request).await?;
        let name = target.made(cx, &begun).await?;
        let at = [self.pool.as_str(), &self.bucket, &name];
        let request = cx.client.request::<BucketBackupExport>(&at).query(&query)?;
        let fetched = target.fetch(request).await;
        let deleted = cx.client.call::<BucketBackupDelete>(&at, &query, &Empty {}).await;
        target.done(cx, fetched, deleted?).await
    }
}

/// Makes a bucket of a backup. A key that another bucket has by now gets another name and secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// Pool
    pool: String,
    /// File
    file: PathBuf,
    /// Name for the bucket, if it is to be another
    name: Option<String>,
}

impl Import {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let at = [self.pool.as_str()];
        let mut request = cx.client.request::<BucketCreate>(&at).query(&cx.target())?;
        if let Some(name) = &self.name {
            request = request.header("x-lxd-name", name.as_str());
        }
        let received = request.content(Content::File(self.file)).await?.receive().await?;
        let begun: Operation = received.reply().await?;
        cx.finish(&begun).await?;
        let made = begun.resources.get("storage_buckets").and_then(|urls| urls.first());
        cx.say(format!("Storage bucket name is: {}", made.map_or("", |url| name_of(url))));
        Ok(())
    }
}
