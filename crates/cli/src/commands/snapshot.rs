//! `snapshot` and `restore`, and `config` of a snapshot.

use wire::{
    Empty, InstancePut, InstanceSnapshotPut, InstanceSnapshotsPost, Timestamp,
    endpoints::{
        instance_snapshots::{SnapshotCreate, SnapshotDelete, SnapshotGet, SnapshotReplace},
        instances::InstanceReplace,
    },
};

use super::OK;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output::{self, human::name_of},
};

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
    /// Keep the memory of a virtual machine that runs, too
    #[arg(long)]
    stateful: bool,
    /// Replace a snapshot of this name
    #[arg(long, requires = "name")]
    reuse: bool,
}

impl Snapshot {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let named = self.name.is_some();
        let request = InstanceSnapshotsPost {
            name: self.name.unwrap_or_default(),
            stateful: self.stateful,
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
    /// Go on with the memory that is in it, too
    #[arg(long)]
    stateful: bool,
}

impl Restore {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let (restore, stateful) = (self.snapshot, self.stateful);
        let put = InstancePut { restore, stateful, ..InstancePut::default() };
        let path = [self.instance.as_str()];
        let operation = cx.client.call::<InstanceReplace>(&path, &cx.query(), &put).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}

/// What stands above the text of a snapshot that is edited.
const HEAD: &str = "\
# This is what can be changed of the snapshot, as YAML. Comments like this one mean nothing.
# Save it and leave the editor to make it so; leave it as it is to change nothing.
#
# expires_at: 2030-01-31T00:00:00Z     deletes it then
# expires_at: 0001-01-01T00:00:00Z     keeps it
#
";

/// Prints a snapshot, named INSTANCE/SNAPSHOT.
pub(crate) async fn show(cx: &Context, name: &str) -> Result<()> {
    let (instance, snapshot) = name.split_once('/').unwrap_or((name, ""));
    output::yaml(&cx.client.get::<SnapshotGet>(&[instance, snapshot], &cx.query()).await?)
}

/// Changes when a snapshot is deleted by itself.
pub(crate) async fn edit(cx: &Context, name: &str) -> Result<()> {
    let (instance, snapshot) = name.split_once('/').unwrap_or((name, ""));
    let path = [instance, snapshot];
    if !edit::has_person() {
        return store(cx, &path, &edit::given()?, None).await;
    }
    let seen = cx.client.request::<SnapshotGet>(&path).query(&cx.query())?.send().await?;
    let put = seen.reply.writable();
    let text = HEAD.to_owned() + &serde_saphyr::to_string(&put).map_err(Error::Yaml)?;
    edit::on_terminal(cx, &text, async |put: InstanceSnapshotPut| {
        store(cx, &path, &put, seen.etag.clone()).await
    })
    .await
}

async fn store(
    cx: &Context,
    path: &[&str],
    put: &InstanceSnapshotPut,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<SnapshotReplace>(path).query(&cx.query())?;
    let operation = request.body(put)?.if_match(etag).send().await?.reply;
    cx.finish(&operation).await.map(drop)
}
