//! Snapshots of custom volumes, called `VOLUME/SNAPSHOT`.

use wire::{
    Empty, StorageVolumePut, StorageVolumeSnapshotPost, StorageVolumeSnapshotPut,
    StorageVolumeSnapshotsPost, Timestamp,
    endpoints::{
        volume_snapshots::{
            VolumeSnapshotCreate, VolumeSnapshotDelete, VolumeSnapshotGet, VolumeSnapshotRename,
            VolumeSnapshotReplace,
        },
        volumes::{StorageVolumeGet, StorageVolumeReplace},
    },
};

use crate::{
    context::Context,
    edit,
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

/// What stands above the text of a snapshot that is edited.
const HEAD: &str = "\
# This is what can be changed of the snapshot, as YAML. Comments like this one mean nothing.
# Save it and leave the editor to make it so; leave it as it is to change nothing.
#
# description: Before the upgrade
# expires_at: 2030-01-31T00:00:00Z     deletes it then
# expires_at: 0001-01-01T00:00:00Z     keeps it
#
";

/// Changes what it is described as, and when it is deleted by itself.
pub(super) async fn edit(cx: &Context, pool: &str, at: (&str, &str)) -> Result<()> {
    let path = path(pool, at);
    if !edit::has_person() {
        return store(cx, &path, &edit::given()?, None).await;
    }
    let request = cx.client.request::<VolumeSnapshotGet>(&path);
    let seen = request.query(&cx.target())?.send().await?;
    let put = seen.reply.writable();
    let text = HEAD.to_owned() + &serde_saphyr::to_string(&put).map_err(Error::Yaml)?;
    edit::on_terminal(cx, &text, async |put: StorageVolumeSnapshotPut| {
        store(cx, &path, &put, seen.etag.clone()).await
    })
    .await
}

async fn store(
    cx: &Context,
    path: &[&str],
    put: &StorageVolumeSnapshotPut,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<VolumeSnapshotReplace>(path).query(&cx.target())?;
    request.body(put)?.if_match(etag).send().await?;
    Ok(())
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
