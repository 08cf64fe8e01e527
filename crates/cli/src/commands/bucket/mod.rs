//! `storage bucket`: buckets of a pool, and the keys to them.

use client::Answer;
use wire::{
    ConfigMap, Empty, StorageBucket, StorageBucketKey, StorageBucketKeyPut, StorageBucketKeysPost,
    StorageBucketPut, StorageBucketsPost,
    endpoints::buckets::{
        BucketCreate, BucketDelete, BucketGet, BucketKeyCreate, BucketKeyDelete, BucketKeyGet,
        BucketKeyReplace, BucketKeysList, BucketReplace, BucketsList,
    },
};

use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output::{self, FormatArg, Table},
    pairs,
    thing::{self, Thing},
};

mod backup;

/// Buckets.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bucket {
    /// List the buckets of a pool
    #[command(visible_alias = "ls")]
    List {
        /// Pool
        pool: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Make a bucket, and a key to it
    Create {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show a bucket
    Show {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
    },
    /// Delete a bucket with what is in it
    #[command(visible_alias = "rm")]
    Delete {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
    },
    /// Change a bucket as YAML: in an editor, or from standard input
    Edit {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
    },
    /// Print the value of an option
    Get {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Option
        key: String,
    },
    /// Set options
    Set {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Options; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Option
        key: String,
    },
    /// Write a bucket into a file
    Export(backup::Export),
    /// Make a bucket of a backup
    Import(backup::Import),
    /// Keys to a bucket
    #[command(subcommand)]
    Key(Key),
}

/// Keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    /// List the keys to a bucket
    #[command(visible_alias = "ls")]
    List {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Make a key
    Create {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Key
        key: String,
        /// What it allows: admin or read-only
        #[arg(long, default_value = "read-only")]
        role: String,
        /// The server finds one otherwise
        #[arg(long, default_value = "")]
        access_key: String,
        /// The server finds one otherwise
        #[arg(long, default_value = "")]
        secret_key: String,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show a key
    Show {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Key
        key: String,
    },
    /// Change a key as YAML: in an editor, or from standard input
    Edit {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Key
        key: String,
    },
    /// Delete a key
    #[command(visible_alias = "rm")]
    Delete {
        /// Pool
        pool: String,
        /// Bucket
        bucket: String,
        /// Key
        key: String,
    },
}

impl Bucket {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        let of = |pool: String, bucket: String| format!("{pool}/{bucket}");
        match self {
            Self::List { pool, format } => {
                let all = cx.client.get::<BucketsList>(&[&pool], &cx.list()).await?.into_full();
                format.print(&all, table)
            }
            Self::Create { pool, bucket, options, description } => {
                let config = pairs::map(&options)?;
                let request = StorageBucketsPost { name: bucket, config, description };
                let made = cx.client.call::<BucketCreate>(&[&pool], &cx.target(), &request).await?;
                cx.say(format!("Storage bucket {} created", request.name));
                tell(&made);
                Ok(())
            }
            Self::Delete { pool, bucket } => {
                let path = [pool.as_str(), &bucket];
                cx.client.call::<BucketDelete>(&path, &cx.target(), &Empty {}).await?;
                cx.say(format!("Storage bucket {bucket} deleted"));
                Ok(())
            }
            Self::Show { pool, bucket } => thing::show::<Buckets>(cx, &of(pool, bucket)).await,
            Self::Edit { pool, bucket } => thing::edit::<Buckets>(cx, &of(pool, bucket)).await,
            Self::Get { pool, bucket, key } => {
                thing::get::<Buckets>(cx, &of(pool, bucket), &key).await
            }
            Self::Set { pool, bucket, options } => {
                thing::set::<Buckets>(cx, &of(pool, bucket), &options).await
            }
            Self::Unset { pool, bucket, key } => {
                thing::unset::<Buckets>(cx, &of(pool, bucket), &key).await
            }
            Self::Export(export) => export.run(cx).await,
            Self::Import(import) => import.run(cx).await,
            Self::Key(key) => key.run(cx).await,
        }
    }
}

impl Key {
    async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List { pool, bucket, format } => {
                let path = [pool.as_str(), &bucket];
                let all = cx.client.get::<BucketKeysList>(&path, &cx.list()).await?.into_full();
                format.print(&all, key_table)
            }
            Self::Create { pool, bucket, key, role, access_key, secret_key, description } => {
                let request =
                    StorageBucketKeysPost { name: key, description, role, access_key, secret_key };
                let path = [pool.as_str(), &bucket];
                let made = cx.client.call::<BucketKeyCreate>(&path, &cx.target(), &request).await?;
                cx.say(format!("Storage bucket key {} created", made.name));
                tell(&made);
                Ok(())
            }
            Self::Show { pool, bucket, key } => {
                let path = [pool.as_str(), &bucket, &key];
                output::yaml(&cx.client.get::<BucketKeyGet>(&path, &cx.target()).await?)
            }
            Self::Edit { pool, bucket, key } => edit_key(cx, &[&pool, &bucket, &key]).await,
            Self::Delete { pool, bucket, key } => {
                let path = [pool.as_str(), &bucket, &key];
                cx.client.call::<BucketKeyDelete>(&path, &cx.target(), &Empty {}).await?;
                cx.say(format!("Storage bucket key {key} deleted"));
                Ok(())
            }
        }
    }
}

fn tell(key: &StorageBucketKey) {
    outln!("Access key: {}", key.access_key);
    outln!("Secret key: {}", key.secret_key);
}

fn table(buckets: &[StorageBucket]) -> Table {
    let mut table = Table::new(["NAME", "DESCRIPTION", "URL"]);
    for bucket in buckets {
        table.row([bucket.name.clone(), bucket.description.clone(), bucket.s3_url.clone()]);
    }
    table
}

fn key_table(keys: &[StorageBucketKey]) -> Table {
    let mut table = Table::new(["NAME", "DESCRIPTION", "ROLE", "ACCESS KEY"]);
    for key in keys {
        let (name, description) = (key.name.clone(), key.description.clone());
        table.row([name, description, key.role.clone(), key.access_key.clone()]);
    }
    table
}

/// The parts of `pool/bucket`: neither has a slash in its name.
fn parts(name: &str) -> Vec<&str> {
    name.split('/').collect()
}

/// Buckets, as things with options; one is called `pool/bucket`.
pub(crate) struct Buckets;

impl Thing for Buckets {
    const NOUN: &'static str = "storage bucket";
    const EXAMPLE: &'static str = "\
description: Photos
config:
  size: 20GiB
";
    type Shown = StorageBucket;
    type Put = StorageBucketPut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<StorageBucket>> {
        Ok(cx.client.request::<BucketGet>(&parts(name)).query(&cx.target())?.send().await?)
    }

    async fn store(
        cx: &Context,
        name: &str,
        put: &StorageBucketPut,
        etag: Option<String>,
    ) -> Result<()> {
        let request = cx.client.request::<BucketReplace>(&parts(name)).query(&cx.target())?;
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &StorageBucket) -> StorageBucketPut {
        shown.writable()
    }

    fn config(put: &mut StorageBucketPut) -> &mut ConfigMap {
        &mut put.config
    }
}

/// Replaces a key's changeable part by what the user writes. A key has no options, so it is no
/// [`Thing`].
async fn edit_key(cx: &Context, path: &[&str]) -> Result<()> {
    if !edit::has_person() {
        return store_key(cx, path, &edit::given()?, None).await;
    }
    let seen = cx.client.request::<BucketKeyGet>(path).query(&cx.target())?.send().await?;
    let text = serde_saphyr::to_string(&seen.reply.writable()).map_err(Error::Yaml)?;
    let text = format!("# This is the key {}, as YAML.\n{text}", seen.reply.name);
    let store = async |put| store_key(cx, path, &put, seen.etag.clone()).await;
    edit::on_terminal(cx, &text, store).await
}

async fn store_key(
    cx: &Context,
    path: &[&str],
    put: &StorageBucketKeyPut,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<BucketKeyReplace>(path).query(&cx.target())?;
    request.body(put)?.if_match(etag).send().await?;
    Ok(())
}
