//! `move`.

use wire::{InstancePost, endpoints::instances::InstanceRename, query::TargetQuery};

use super::{
    OK,
    between::{Away, Wish},
    mode::Mode,
    rename::Rename,
};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Moves an instance: to another name, storage pool or project, to another member of the cluster or another server.
#[derive(Debug, clap::Args)]
pub(crate) struct Move {
    /// Its name now, on another server with NAME: before it; of a snapshot INSTANCE/SNAPSHOT, which can only be renamed
    name: String,
    /// Its new name
    new_name: Option<String>,
    /// Storage pool to move to
    #[arg(short, long)]
    storage: Option<String>,
    /// Leave the snapshots behind: they are deleted
    #[arg(long)]
    instance_only: bool,
    /// Member of the cluster to move to
    #[arg(long, value_name = "MEMBER")]
    target: Option<String>,
    /// Project to move to
    #[arg(long, value_name = "PROJECT")]
    target_project: Option<String>,
    /// Between two servers, who connects to whom; the one that can be reached is connected to otherwise
    #[arg(long)]
    mode: Option<Mode>,
}

impl Move {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        if let Some(away) = Away::of(cx, &self.name)? {
            let project = self.target_project.clone().or_else(|| cx.project.clone());
            let wish = Wish {
                name: self.new_name.as_deref(),
                pool: self.storage.as_deref(),
                instance_only: self.instance_only,
                moves: true,
                mode: self.mode,
                to: TargetQuery { project, target: self.target.clone() },
                ..Wish::default()
            };
            away.bring(cx, &wish).await?;
            return Ok(OK);
        }
        if self.mode.is_some() {
            return Err(Error::Usage("--mode is for a move to another server"));
        }
        let places = [&self.storage, &self.target_project, &self.target];
        let new_name = match (self.new_name, places.into_iter().any(Option::is_some)) {
            (Some(new_name), false) => {
                return Rename { name: self.name, new_name }.run(cx).await;
            }
            (None, false) => {
                return Err(Error::Usage(
                    "a new name, --storage, --target-project or --target is needed",
                ));
            }
            (new_name, true) => new_name,
        };
        let request = InstancePost {
            name: new_name.unwrap_or_else(|| self.name.clone()),
            migration: true,
            pool: self.storage.unwrap_or_default(),
            project: self.target_project.unwrap_or_default(),
            instance_only: self.instance_only,
            ..InstancePost::default()
        };
        let path = [self.name.as_str()];
        let query = TargetQuery { target: self.target, ..cx.target() };
        let operation = cx.client.call::<InstanceRename>(&path, &query, &request).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}
