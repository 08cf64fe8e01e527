//! `snapshot` and `restore`.

use wire::{
    Empty, InstancePut, InstanceSnapshotsPost, Timestamp,
    endpoints::{
        instance_snapshots::{SnapshotCreate, SnapshotDelete},
        instances::InstanceReplace,
    },
};

use super::OK;
use crate::{context::Context, error::Result, output::human::name_of};

/// Takes a snapshot of an instance. One that runs is paused meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// Instance
    instance: String,
    /// Name; the server finds one by snapshots.pattern otherwise
    name: Option<String>,
    /// Keep it until it is deleted, whatever snapshots.expiry says
    #[arg(long)]
    no_expiry: bool,
    /// Replace a snapshot of this name
    #[arg(long, requires = "name")]
    reuse: bool,
}

impl Snapshot {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let named = self.name.is_some();
        let request = InstanceSnapshotsPost {
            name: self.name.unwrap_or_default(),
            stateful: false,
            expires_at: self.no_expiry.then_some(Timestamp::NEVER),
        };
        if self.reuse {
            forget(cx, &self.instance, &request.name).await?;
        }
        let path = [self.instance.as_str()];
        let operation = cx.client.call::<SnapshotCreate>(&path, &cx.query(), &request).await?;
        cx.finish(&operation).await?;
        if !named {
            let taken = operation.resources.get("instances_snapshots");
            let taken = taken.and_then(|urls| urls.first()).map_or("", |url| name_of(url));
            let label = if cx.quiet { "" } else { "Snapshot name is: " };
            outln!("{label}{taken}");
        }
        Ok(OK)
    }
}

/// Deletes a snapshot if it is there.
async fn forget(cx: &Context, instance: &str, name: &str) -> Result<()> {
    match cx.client.call::<SnapshotDelete>(&[instance, name], &cx.query(), &Empty {}).await {
        Ok(operation) => cx.finish(&operation).await.map(drop),
        Err(client::Error::Api { code: 404, .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Puts an instance back to a snapshot. One that runs is stopped and started again.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// Instance
    instance: String,
    /// Snapshot
    snapshot: String,
}

impl Restore {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let put = InstancePut { restore: self.snapshot, ..InstancePut::default() };
        let path = [self.instance.as_str()];
        let operation = cx.client.call::<InstanceReplace>(&path, &cx.query(), &put).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}
