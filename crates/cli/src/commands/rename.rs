//! `rename`.

use wire::{InstancePost, endpoints::instances::InstanceRename};

use super::OK;
use crate::{context::Context, error::Result};

/// Renames an instance that is stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Rename {
    /// Its name now
    name: String,
    /// Its new name
    new_name: String,
}

impl Rename {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let request = InstancePost { name: self.new_name, ..InstancePost::default() };
        let operation =
            cx.client.call::<InstanceRename>(&[&self.name], &cx.target(), &request).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}
