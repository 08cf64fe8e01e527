//! `rebuild`.

use wire::{InstanceRebuildPost, InstanceSource, endpoints::instances::InstanceRebuild};

use super::{OK, source};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Gives an instance that is stopped a new root; its options and devices stay.
#[derive(Debug, clap::Args)]
pub(crate) struct Rebuild {
    /// Image and instance; only the instance with --empty
    #[arg(required = true, num_args = 1..=2, value_names = ["IMAGE", "INSTANCE"])]
    words: Vec<String>,
    /// Make the root empty
    #[arg(long)]
    empty: bool,
}

impl Rebuild {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let (source, name) = match &self.words[..] {
            [name] if self.empty => {
                (InstanceSource { r#type: "none".into(), ..InstanceSource::default() }, name)
            }
            [image, name] if !self.empty => (source::of_instance(image, &cx.remotes), name),
            _ => return Err(Error::Usage("an image and an instance, or --empty and an instance")),
        };
        let request = InstanceRebuildPost { source };
        let operation = cx.client.call::<InstanceRebuild>(&[name], &cx.query(), &request).await?;
        cx.finish(&operation).await?;
        Ok(OK)
    }
}
