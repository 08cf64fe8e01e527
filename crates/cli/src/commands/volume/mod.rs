//! `storage volume`: volumes of pools. A custom one is called by its name, others with their kind: `container/web`.

use client::Answer;
use wire::{
    ConfigMap, Empty, Operation, StorageVolume, StorageVolumePost, StorageVolumePut,
    StorageVolumesPost,
    endpoints::{
        volume_snapshots::VolumeSnapshotsList,
        volumes::{
            AllVolumesList, StorageVolumeCreate, StorageVolumeDelete, StorageVolumeGet,
            StorageVolumeRename, StorageVolumeReplace, StorageVolumeStateGet, StorageVolumesList,
        },
    },
    query::ListQuery,
};

use super::{
    config::Instances,
    file::{File, Form},
    profile::Profiles,
};
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table, human},
    pairs,
    thing::{self, Thing},
};

mod attach;
mod backup;
mod copy;
mod snapshots;

/// What volumes are of, besides custom ones.
const KINDS: [&str; 3] = ["container", "virtual-machine", "image"];

/// Volumes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Volume {
    /// List the volumes of a pool, or of all
    #[command(visible_alias = "ls")]
    List {
        /// Pool
        pool: Option<String>,
        /// Those of every project
        #[arg(long)]
        all_projects: bool,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Make a custom volume
    Create {
        /// Pool
        pool: String,
        /// Its name
        volume: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// What it holds: filesystem or block
        #[arg(long, default_value = "filesystem")]
        r#type: String,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Show a volume
    Show {
        /// Pool
        pool: String,
        /// Volume: data (a custom one), data/snap0, container/web, image/FINGERPRINT
        volume: String,
    },
    /// Show how much room a volume takes
    Info {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
    },
    /// Change a volume or a snapshot as YAML: in an editor, or from standard input
    Edit {
        /// Pool
        pool: String,
        /// Volume, or VOLUME/SNAPSHOT
        volume: String,
    },
    /// Print the value of an option
    Get {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Option
        key: String,
    },
    /// Set options
    Set {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Options; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Option
        key: String,
    },
    /// Rename a custom volume, or a snapshot: VOLUME/SNAPSHOT
    Rename {
        /// Pool
        pool: String,
        /// Its name
        volume: String,
        /// Its new name
        to: String,
    },
    /// Files of custom volumes, in use or not: POOL/VOLUME/PATH
    File(File),
    /// Give an instance a volume, at once if it runs
    Attach {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Instance
        instance: String,
        /// Name of the device, otherwise that of the volume; where it is to be mounted
        #[arg(num_args = 0..=2, value_names = ["DEVICE", "PATH"])]
        words: Vec<String>,
    },
    /// Take a volume from an instance
    Detach {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Instance
        instance: String,
        /// Name of the device, where it has the volume more than once
        device: Option<String>,
    },
    /// Give a profile a volume
    AttachProfile {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Profile
        profile: String,
        /// Name of the device, otherwise that of the volume; where it is to be mounted
        #[arg(num_args = 0..=2, value_names = ["DEVICE", "PATH"])]
        words: Vec<String>,
    },
    /// Take a volume from a profile
    DetachProfile {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Profile
        profile: String,
        /// Name of the device, where it has the volume more than once
        device: Option<String>,
    },
    /// Take a snapshot of a custom volume. Instances that have it mounted are paused meanwhile
    Snapshot {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Name; the server finds one by snapshots.pattern otherwise
        name: Option<String>,
        /// Keep it until it is deleted, whatever snapshots.expiry says
        #[arg(long)]
        no_expiry: bool,
        /// Replace a snapshot of this name
        #[arg(long, requires = "name")]
        reuse: bool,
    },
    /// Copy a custom volume with its snapshots, or make one from a snapshot
    Copy {
        /// What to copy: POOL/VOLUME or POOL/VOLUME/SNAPSHOT
        source: String,
        /// The copy: POOL/VOLUME
        target: String,
        /// Project for the copy
        #[arg(long, value_name = "PROJECT")]
        target_project: Option<String>,
        /// Leave the snapshots out
        #[arg(long)]
        volume_only: bool,
        /// Bring a copy that is there up to date, writing only what differs
        #[arg(long)]
        refresh: bool,
    },
    /// Move a custom volume to another pool or project
    #[command(visible_alias = "mv")]
    Move {
        /// POOL/VOLUME
        source: String,
        /// Where to: POOL/VOLUME
        target: String,
        /// Project to move it to
        #[arg(long, value_name = "PROJECT")]
        target_project: Option<String>,
    },
    /// Put the files of a custom volume back to a snapshot
    Restore {
        /// Pool
        pool: String,
        /// Volume
        volume: String,
        /// Snapshot
        snapshot: String,
    },
    /// Write a custom volume with its snapshots into a file
    Export(backup::Export),
    /// Make a custom volume of a file
    Import(backup::Import),
    /// Delete custom volumes with their snapshots, or snapshots: VOLUME/SNAPSHOT
    #[command(visible_alias = "rm")]
    Delete {
        /// Pool
        pool: String,
        /// Their names
        #[arg(required = true)]
        volumes: Vec<String>,
    },
}

impl Volume {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List { pool, all_projects, format } => list(cx, pool, all_projects, format).await,
            Self::Create { pool, volume, options, r#type, description } => {
                let request = StorageVolumesPost {
                    name: volume,
                    r#type: String::from("custom"),
                    content_type: r#type,
                    description,
                    config: pairs::map(&options)?,
                    ..StorageVolumesPost::default()
                };
                let path = [pool.as_str(), "custom"];
                let made =
                    cx.client.call::<StorageVolumeCreate>(&path, &cx.target(), &request).await?;
                finish(cx, &made).await?;
                cx.say(format!("Storage volume {} created", request.name));
                Ok(())
            }
            Self::Show { pool, volume } => match snapshots::split(&volume) {
                Some(snapshot) => snapshots::show(cx, &pool, snapshot).await,
                None => thing::show::<Volumes>(cx, &at(&pool, &volume)).await,
            },
            Self::Snapshot { pool, volume, name, no_expiry, reuse } => {
                snapshots::take(cx, &pool, &volume, name, no_expiry, reuse).await
            }
            Self::Copy { source, target, target_project, volume_only, refresh } => {
                copy::copy(cx, &source, &target, target_project, volume_only, refresh).await
            }
            Self::Move { source, target, target_project } => {
                copy::relocate(cx, &source, &target, target_project).await
            }
            Self::Restore { pool, volume, snapshot } => {
                snapshots::restore(cx, &pool, &volume, snapshot).await
            }
            Self::Export(export) => export.run(cx).await,
            Self::Import(import) => import.run(cx).await,
            Self::Info { pool, volume } => info(cx, &at(&pool, &volume)).await,
            Self::Edit { pool, volume } => match snapshots::split(&volume) {
                Some(snapshot) => snapshots::edit(cx, &pool, snapshot).await,
                None => thing::edit::<Volumes>(cx, &at(&pool, &volume)).await,
            },
            Self::Get { pool, volume, key } => {
                thing::get::<Volumes>(cx, &at(&pool, &volume), &key).await
            }
            Self::Set { pool, volume, options } => {
                thing::set::<Volumes>(cx, &at(&pool, &volume), &options).await
            }
            Self::Unset { pool, volume, key } => {
                thing::unset::<Volumes>(cx, &at(&pool, &volume), &key).await
            }
            Self::Rename { pool, volume, to } => match snapshots::split(&volume) {
                Some(snapshot) => snapshots::rename(cx, &pool, snapshot, &to).await,
                None => rename(cx, &pool, &volume, to).await,
            },
            Self::File(file) => file.run_in(cx, Form::Volume).await,
            Self::Attach { pool, volume, instance, words } => {
                attach::attach::<Instances>(cx, pool, volume, &instance, &words).await
            }
            Self::Detach { pool, volume, instance, device } => {
                let device = device.as_deref();
                attach::detach::<Instances>(cx, &pool, &volume, &instance, device).await
            }
            Self::AttachProfile { pool, volume, profile, words } => {
                attach::attach::<Profiles>(cx, pool, volume, &profile, &words).await
            }
            Self::DetachProfile { pool, volume, profile, device } => {
                let device = device.as_deref();
                attach::detach::<Profiles>(cx, &pool, &volume, &profile, device).await
            }
            Self::Delete { pool, volumes } => {
                for volume in volumes {
                    delete(cx, &pool, &volume).await?;
                    cx.say(format!("Storage volume {volume} deleted"));
                }
                Ok(())
            }
        }
    }
}

/// Waits for what goes on as an operation; what was done at once has none.
async fn finish(cx: &Context, operation: &Operation) -> Result<()> {
    match operation.id.as_str() {
        "" => Ok(()),
        _ => cx.finish(operation).await.map(drop),
    }
}

/// Kind and name of a volume.
fn kind_of(volume: &str) -> (&str, &str) {
    volume.split_once('/').unwrap_or(("custom", volume))
}

/// A volume as [`Volumes`] is told of it; no pool has a slash in its name.
fn at(pool: &str, volume: &str) -> String {
    format!("{pool}/{volume}")
}

async fn list(
    cx: &Context,
    pool: Option<String>,
    all_projects: bool,
    format: FormatArg,
) -> Result<()> {
    let query = ListQuery { all_projects, ..cx.list() };
    let found = match &pool {
        Some(pool) => cx.client.get::<StorageVolumesList>(&[pool], &query).await?,
        None => cx.client.get::<AllVolumesList>(&[], &query).await?,
    };
    let (with_pool, with_project) = (pool.is_none(), all_projects);
    format.print(&found.into_full(), |all| table(all, with_pool, with_project))
}

fn table(volumes: &[StorageVolume], with_pool: bool, with_project: bool) -> Table {
    let more = [("POOL", with_pool), ("PROJECT", with_project)];
    let more = more.into_iter().filter_map(|(head, wanted)| wanted.then_some(head));
    let usual = ["TYPE", "NAME", "DESCRIPTION", "CONTENT-TYPE", "USED BY"];
    let mut table = Table::new(more.chain(usual));
    for volume in volumes {
        let mut row = Vec::new();
        row.extend(with_pool.then(|| volume.pool.clone()));
        row.extend(with_project.then(|| volume.project.clone()));
        let snapshot = if volume.name.contains('/') { " (snapshot)" } else { "" };
        row.extend([
            format!("{}{snapshot}", volume.r#type),
            volume.name.clone(),
            volume.description.clone(),
            volume.content_type.clone(),
            volume.used_by.len().to_string(),
        ]);
        table.row(row);
    }
    table
}

async fn delete(cx: &Context, pool: &str, volume: &str) -> Result<()> {
    if let Some(snapshot) = snapshots::split(volume) {
        return snapshots::delete(cx, pool, snapshot).await;
    }
    let (kind, name) = kind_of(volume);
    cx.client.call::<StorageVolumeDelete>(&[pool, kind, name], &cx.target(), &Empty {}).await?;
    Ok(())
}

async fn info(cx: &Context, at: &str) -> Result<()> {
    let volume = Volumes::load(cx, at).await?.reply;
    let path = Volumes::path(at);
    let state = cx.client.get::<StorageVolumeStateGet>(&path, &cx.target()).await?;
    outln!("Name: {}", volume.name);
    if !volume.description.is_empty() {
        outln!("Description: {}", volume.description);
    }
    outln!("Type: {}", volume.r#type);
    outln!("Content type: {}", volume.content_type);
    if let Some(usage) = state.usage {
        outln!("Usage: {}", human::bytes(usage.used));
        if usage.total > 0 {
            outln!("Total: {}", human::bytes(usage.total));
        }
    }
    outln!("Created: {}", volume.created_at);
    let found = cx.client.get::<VolumeSnapshotsList>(&path, &cx.list()).await?.into_full();
    if !found.is_empty() {
        outln!("\nSnapshots:");
        let mut table = Table::new(["NAME", "DESCRIPTION", "EXPIRES AT"]);
        for one in found {
            let end =
                if one.expires_at.is_never() { String::new() } else { one.expires_at.to_string() };
            table.row([one.name, one.description, end]);
        }
        out!("{}", table.boxed());
    }
    Ok(())
}

async fn rename(cx: &Context, pool: &str, volume: &str, to: String) -> Result<()> {
    let (kind, name) = kind_of(volume);
    let path = [pool, kind, name];
    let request = StorageVolumePost { name: to, ..StorageVolumePost::default() };
    let begun = cx.client.call::<StorageVolumeRename>(&path, &cx.target(), &request).await?;
    finish(cx, &begun).await?;
    cx.say(format!("Storage volume {volume} renamed to {}", request.name));
    Ok(())
}

/// Volumes, as things with options; one is named by its pool and a slash before its own name.
pub(crate) struct Volumes;

impl Volumes {
    fn path(name: &str) -> [&str; 3] {
        let (pool, volume) = name.split_once('/').unwrap_or(("", name));
        let (kind, volume) = kind_of(volume);
        [pool, kind, volume]
    }
}

impl Thing for Volumes {
    const NOUN: &'static str = "storage volume";
    const EXAMPLE: &'static str = "\
description: Photos of the family
config:
  size: 50GiB
  snapshots.schedule: \"@daily\"
";
    type Shown = StorageVolume;
    type Put = StorageVolumePut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<StorageVolume>> {
        let request = cx.client.request::<StorageVolumeGet>(&Self::path(name));
        Ok(request.query(&cx.target())?.send().await?)
    }

    async fn store(
        cx: &Context,
        name: &str,
        put: &StorageVolumePut,
        etag: Option<String>,
    ) -> Result<()> {
        let request = cx.client.request::<StorageVolumeReplace>(&Self::path(name));
        request.query(&cx.target())?.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &StorageVolume) -> StorageVolumePut {
        shown.writable()
    }

    fn config(put: &mut StorageVolumePut) -> &mut ConfigMap {
        &mut put.config
    }
}
