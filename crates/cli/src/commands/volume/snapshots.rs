//! Snapshots of custom volumes, called `VOLUME/SNAPSHOT`.

use wire::{
    Empty, StorageVolumePut, StorageVolumeSnapshotPost, StorageVolumeSnapshotsPost, Timestamp,
    endpoints::{
        volume_snapshots::{
            VolumeSnapshotCreate, VolumeSnapshotDelete, VolumeSnapshotGet, VolumeSnapshotRename,
        },
        volumes::{StorageVolumeGet, StorageVolumeReplace},
    },
};

use crate::{
    context::Context,
    error::{Error, Result},
    output::{self, human::name_of},
};

/// The volume and the snapshot, where a word names one of a custom volume.
pub(super) fn split(word: &str) -> Option<(&str, &str)> {
    let word = word.strip_prefix("custom/").unwrap_or(word);
    word.split_once('/').filter(|(first, _)| !super::KINDS.contains(first))
}

fn path<'a>(pool: &'a str, (volume, snapshot): (&'a str, &'a str)) -> [&'a str; 4] {
    [pool, "custom", volume, snapshot]
}

pub(super) async fn take(
    cx: &Context,
    pool: &str,
    volume: &str,
    name: Option<String>,
    no_expiry: bool,
    reuse: bool,
) -> Result<()> {
    let named = name.is_some();
    let request = StorageVolumeSnapshotsPost {
        name: name.unwrap_or_default(),
        expires_at: no_expiry.then_some(Timestamp::NEVER),
        ..StorageVolumeSnapshotsPost::default()
    };
    if reuse {
        match delete(cx, pool, (volume, &request.name)).await {
            Err(Error::Client(client::Error::Api { code: 404, .. })) => {}
            done => done?,
        }
    }
    let path = [pool, "custom", volume];
    let begun = cx.client.call::<VolumeSnapshotCreate>(&path, &cx.target(), &request).await?;
    cx.finish(&begun).await?;
    if !named {
        let taken = begun.resources.get("storage_volume_snapshots");
        let taken = taken.and_then(|urls| urls.first()).map_or("", |url| name_of(url));
        let label = if cx.quiet { "" } else { "Snapshot name is: " };
        outln!("{label}{taken}");
    }
    Ok(())
}

pub(super) async fn show(cx: &Context, pool: &str, at: (&str, &str)) -> Result<()> {
    output::yaml(&cx.client.get::<VolumeSnapshotGet>(&path(pool, at), &cx.target()).await?)
}

pub(super) async fn rename(cx: &Context, pool: &str, at: (&str, &str), to: &str) -> Result<()> {
    // Also `data/new`, as the stock client has it.
    let name = to.rsplit_once('/').map_or(to, |(_, name)| name).to_owned();
    let request = StorageVolumeSnapshotPost { name };
    let path = path(pool, at);
    let begun = cx.client.call::<VolumeSnapshotRename>(&path, &cx.target(), &request).await?;
    cx.finish(&begun).await.map(drop)
}

pub(super) async fn delete(cx: &Context, pool: &str, at: (&str, &str)) -> Result<()> {
    let path = path(pool, at);
    let begun = cx.client.call::<VolumeSnapshotDelete>(&path, &cx.target(), &Empty {}).await?;
    cx.finish(&begun).await.map(drop)
}

pub(super) async fn restore(
    cx: &Context,
    pool: &str,
    volume: &str,
    snapshot: String,
) -> Result<()> {
    let path = [pool, "custom", volume];
    let now = cx.client.get::<StorageVolumeGet>(&path, &cx.target()).await?;
    let put = StorageVolumePut { restore: snapshot, ..now.writable() };
    cx.client.call::<StorageVolumeReplace>(&path, &cx.target(), &put).await?;
    Ok(())
}
