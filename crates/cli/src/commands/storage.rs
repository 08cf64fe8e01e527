//! `storage`: pools, and the volumes in them.

use wire::{
    ConfigMap, StoragePool, StoragePoolPut, StoragePoolsPost, StorageVolume,
    endpoints::storage::{
        StoragePoolCreate, StoragePoolDelete, StoragePoolGet, StoragePoolReplace,
        StoragePoolResourcesGet, StoragePoolsList, StorageVolumeGet, StorageVolumesList,
    },
    query::TargetQuery,
};

use super::{OK, bucket::Bucket};
use crate::{
    context::Context,
    error::Result,
    output::{self, FormatArg, Table, human},
    pairs,
    thing::Thing,
    verbs::{Named, Verbs},
};

/// Storage pools and volumes.
#[derive(Debug, clap::Args)]
pub(crate) struct Storage {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List pools
    #[command(visible_alias = "ls")]
    List(FormatArg),
    #[command(flatten)]
    Common(Verbs),
    /// Make a pool
    Create {
        /// Pool
        name: String,
        /// Driver: dir
        driver: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show the room in a pool
    Info {
        /// Pool
        name: String,
        /// Print bytes
        #[arg(long)]
        bytes: bool,
    },
    /// Volumes of a pool
    #[command(subcommand)]
    Volume(Volume),
    /// Buckets of a pool, for S3 clients
    #[command(subcommand)]
    Bucket(Bucket),
}

/// Volumes.
#[derive(Debug, clap::Subcommand)]
enum Volume {
    /// List the volumes of a pool
    #[command(visible_alias = "ls")]
    List {
        /// Pool
        pool: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show a volume
    Show {
        /// Pool
        pool: String,
        /// Volume: data (a custom one), container/web, image/FINGERPRINT
        volume: String,
    },
}

impl Storage {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let all = cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Verb::Create { name, driver, options, description } => {
                let request =
                    StoragePoolsPost { name, description, driver, config: pairs::map(&options)? };
                cx.client.call::<StoragePoolCreate>(&[], &cx.target(), &request).await?;
                cx.say(format!("Storage pool {} created", request.name));
            }
            Verb::Common(verbs) => verbs.run::<Pools>(cx).await?,
            Verb::Info { name, bytes } => info(cx, &name, bytes).await?,
            Verb::Volume(volume) => volume.run(cx).await?,
            Verb::Bucket(bucket) => bucket.run(cx).await?,
        }
        Ok(OK)
    }
}

impl Volume {
    async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List { pool, format } => {
                let all =
                    cx.client.get::<StorageVolumesList>(&[&pool], &cx.list()).await?.into_full();
                format.print(&all, volume_table)
            }
            Self::Show { pool, volume } => {
                let (kind, name) = volume.split_once('/').unwrap_or(("custom", &volume));
                let path = [pool.as_str(), kind, name];
                output::yaml(&cx.client.get::<StorageVolumeGet>(&path, &cx.target()).await?)
            }
        }
    }
}

async fn info(cx: &Context, name: &str, exact: bool) -> Result<()> {
    let pool = Pools::load(cx, name).await?.reply;
    let room = cx.client.get::<StoragePoolResourcesGet>(&[name], &cx.target()).await?;
    let show = |bytes: u64| if exact { bytes.to_string() } else { human::bytes(bytes) };
    outln!("info:");
    outln!(
        "  description: {:?}\n  driver: {}\n  name: {}",
        pool.description,
        pool.driver,
        pool.name
    );
    outln!("  space used: {}\n  total space: {}", show(room.space.used), show(room.space.total));
    outln!("used by:");
    for url in &pool.used_by {
        outln!("- {url}");
    }
    Ok(())
}

fn table(pools: &[StoragePool]) -> Table {
    let mut table = Table::new(["NAME", "DRIVER", "SOURCE", "DESCRIPTION", "USED BY", "STATE"]);
    for pool in pools {
        table.row([
            pool.name.clone(),
            pool.driver.clone(),
            pool.config.get("source").cloned().unwrap_or_default(),
            pool.description.clone(),
            pool.used_by.len().to_string(),
            pool.status.to_uppercase(),
        ]);
    }
    table
}

fn volume_table(volumes: &[StorageVolume]) -> Table {
    let mut table = Table::new(["TYPE", "NAME", "DESCRIPTION", "CONTENT-TYPE", "USED BY"]);
    for volume in volumes {
        table.row([
            volume.r#type.clone(),
            volume.name.clone(),
            volume.description.clone(),
            volume.content_type.clone(),
            volume.used_by.len().to_string(),
        ]);
    }
    table
}

/// Storage pools, as things with options.
pub(crate) struct Pools;

impl Named for Pools {
    const NOUN: &'static str = "storage pool";
    const EXAMPLE: &'static str = "\
description: On the large disk
config:
  user.bought: \"2026\"
";
    type Shown = StoragePool;
    type Put = StoragePoolPut;
    type Query = TargetQuery;
    type Get = StoragePoolGet;
    type Replace = StoragePoolReplace;
    type Delete = StoragePoolDelete;

    fn query(cx: &Context) -> TargetQuery {
        cx.target()
    }

    fn writable(shown: &StoragePool) -> StoragePoolPut {
        shown.writable()
    }

    fn config(put: &mut StoragePoolPut) -> &mut ConfigMap {
        &mut put.config
    }
}
