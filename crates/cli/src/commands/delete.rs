//! `delete`.

use wire::{
    Empty, InstanceStatePut, StateAction, StatusCode,
    endpoints::{
        instance_snapshots::SnapshotDelete,
        instances::{InstanceDelete, InstanceGet},
    },
    query::ThingQuery,
};

use super::{AT_ONCE, OK, some_at_once, state};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Deletes instances with their snapshots, and single snapshots.
#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    /// Instances; snapshots as INSTANCE/SNAPSHOT
    #[arg(required = true)]
    names: Vec<String>,
    /// Stop those that run
    #[arg(short, long)]
    force: bool,
}

impl Delete {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        // Snapshots of one instance go one after the other: each has the instance for itself.
        let snapshots = self.names.iter().any(|name| name.contains('/'));
        let most = if snapshots { 1 } else { AT_ONCE };
        some_at_once(most, self.names, async |name| delete(cx, &name, self.force).await).await?;
        Ok(OK)
    }
}

async fn delete(cx: &Context, name: &str, force: bool) -> Result<()> {
    if let Some((instance, snapshot)) = name.split_once('/') {
        let path = [instance, snapshot];
        let operation = cx.client.call::<SnapshotDelete>(&path, &cx.query(), &Empty {}).await?;
        return cx.finish(&operation).await.map(drop);
    }
    if force && stop(cx, name).await? == Stopped::AndGone {
        return Ok(());
    }
    let operation = cx.client.call::<InstanceDelete>(&[name], &cx.query(), &Empty {}).await?;
    cx.finish(&operation).await.map(drop)
}

#[derive(PartialEq, Eq)]
enum Stopped {
    StillThere,
    /// An ephemeral one is deleted when it stops.
    AndGone,
}

async fn stop(cx: &Context, name: &str) -> Result<Stopped> {
    let query = ThingQuery { project: cx.project.clone(), ..ThingQuery::default() };
    let instance = cx.client.get::<InstanceGet>(&[name], &query).await?.instance;
    if instance.status_code == StatusCode::STOPPED {
        return Ok(Stopped::StillThere);
    }
    let put =
        InstanceStatePut { action: StateAction::Stop, timeout: -1, force: true, stateful: false };
    match state::change(cx, name, &put).await {
        Ok(()) if instance.ephemeral => Ok(Stopped::AndGone),
        Ok(()) => Ok(Stopped::StillThere),
        // It stopped by itself meanwhile, or went.
        Err(Error::Client(client::Error::Api { code: 404, .. })) if instance.ephemeral => {
            Ok(Stopped::AndGone)
        }
        Err(error) => Err(error),
    }
}
