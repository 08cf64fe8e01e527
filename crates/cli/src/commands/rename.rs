//! `rename`.

use wire::{
    InstancePost, InstanceSnapshotPost,
    endpoints::{instance_snapshots::SnapshotRename, instances::InstanceRename},
};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Renames an instance that is stopped, or a snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct Rename {
    /// Its name now; of a snapshot INSTANCE/SNAPSHOT
    pub(super) name: String,
    /// Its new name
    pub(super) new_name: String,
}

impl Rename {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        if let Some((instance, snapshot)) = self.name.split_once('/') {
            return rename_snapshot(cx, instance, snapshot, &self.new_name).await;
        }
        let request = InstancePost { name: self.new_name, ..InstancePost::default() };
        let operation =
            cx.client.call::<InstanceRename>(&[&self.name], &cx.target(), &request).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}

/// The new name may come with the instance's or without.
async fn rename_snapshot(cx: &Context, instance: &str, from: &str, to: &str) -> Result<u8> {
    let name = match to.split_once('/') {
        Some((same, name)) if same == instance => name,
        Some(_) => return Err(Error::Usage("a snapshot stays with its instance")),
        None => to,
    };
    let request = InstanceSnapshotPost { name: name.to_owned(), ..Default::default() };
    let operation =
        cx.client.call::<SnapshotRename>(&[instance, from], &cx.query(), &request).await?;
    cx.finish(&operation).await?;
    Ok(OK)
}
