//! What a task that gets an image from elsewhere knows of it, and how that is undone.

use serde::{Deserialize, Serialize};

use super::delete::drop_all;
use crate::{Result, World, db::images::Image};

/// An image whose files are here.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Got {
    pub(super) image: Option<Image>,
    /// The project had the very same image before: it stays whatever becomes of the task.
    pub(super) known: bool,
}

impl Got {
    /// Files without a row that these notes do not name yet go at the next start.
    pub(super) async fn drop_files(&self, world: &World) -> Result<()> {
        match &self.image {
            Some(image) if !self.known => drop_all(world, &image.fingerprint).await,
            _ => Ok(()),
        }
    }
}
