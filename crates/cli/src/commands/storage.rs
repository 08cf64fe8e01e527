//! `storage`: pools; the volumes in them are in [`super::volume`].

use wire::{
    ConfigMap, Empty, StoragePool, StoragePoolPut, StoragePoolRekeyPost, StoragePoolUnlockPost,
    StoragePoolVerified, StoragePoolsPost,
    endpoints::storage::{
        StoragePoolCreate, StoragePoolDelete, StoragePoolGet, StoragePoolRekey, StoragePoolReplace,
        StoragePoolResourcesGet, StoragePoolUnlock, StoragePoolVerify, StoragePoolsList,
    },
    query::TargetQuery,
};

use super::{OK, bucket::Bucket, volume::Volume};
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table, human},
    pairs, secret,
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
        /// Driver: dir, btrfs, lvm, zfs
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
    /// Look whether all that a pool should hold is there and undamaged
    ///
    /// Reads all of it where the driver keeps checksums (btrfs, zfs), mends what has a second copy, and names the
    /// files that are damaged. Objects of buckets are compared with what was put, whatever the driver.
    Verify {
        /// Pool
        name: String,
    },
    /// Open an encrypted pool whose passphrase is kept nowhere
    Unlock {
        /// Pool
        name: String,
    },
    /// Give an encrypted pool another key
    ///
    /// A new file of the server's own, or a passphrase, which is then asked for after each start of the machine:
    /// `microcloud storage unlock`. The old key opens the pool no more. Lines of the standard input are read where
    /// it is no terminal.
    Rekey {
        /// Pool
        name: String,
        /// Ask for a new passphrase, rather than make a key in a file
        #[arg(long)]
        passphrase: bool,
        /// Ask for the passphrase that the pool has now
        #[arg(long)]
        from_passphrase: bool,
    },
    /// Volumes of a pool
    #[command(subcommand)]
    Volume(Volume),
    /// Buckets of a pool, for S3 clients
    #[command(subcommand)]
    Bucket(Bucket),
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
            Verb::Verify { name } => return verify(cx, &name).await,
            Verb::Unlock { name } => {
                let request = StoragePoolUnlockPost { passphrase: secret::ask("Passphrase")? };
                cx.client.call::<StoragePoolUnlock>(&[&name], &cx.target(), &request).await?;
                cx.say(format!("Storage pool {name} is open"));
            }
            Verb::Rekey { name, passphrase, from_passphrase } => {
                let mut request = StoragePoolRekeyPost::default();
                if from_passphrase {
                    request.passphrase = secret::ask("Passphrase it has now")?;
                }
                if passphrase {
                    request.new_passphrase = secret::ask_new("New passphrase")?;
                }
                cx.client.call::<StoragePoolRekey>(&[&name], &cx.target(), &request).await?;
                cx.say(format!("Storage pool {name} has another key"));
            }
            Verb::Volume(volume) => volume.run(cx).await?,
            Verb::Bucket(bucket) => bucket.run(cx).await?,
        }
        Ok(OK)
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

/// Ends with 1 where something is missing or damaged.
async fn verify(cx: &Context, name: &str) -> Result<u8> {
    let begun = cx.client.call::<StoragePoolVerify>(&[name], &cx.target(), &Empty {}).await?;
    let ended = cx.finish(&begun).await?;
    let fields = ended.metadata.unwrap_or_default().into_iter().collect();
    let found = serde_json::from_value(serde_json::Value::Object(fields));
    let found: StoragePoolVerified = found.unwrap_or_default();
    found.problems.iter().for_each(|problem| outln!("{problem}"));
    let compared = match found.checksums {
        true => format!("{} compared with checksums", human::bytes(found.bytes)),
        false => String::from("its driver keeps no checksums of files"),
    };
    let (repaired, damaged) = (found.repaired, found.damaged);
    cx.say(format!(
        "Storage pool {name}: {compared}, {repaired} places repaired, {damaged} damaged"
    ));
    Ok(if found.problems.is_empty() && damaged == 0 { OK } else { 1 })
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
