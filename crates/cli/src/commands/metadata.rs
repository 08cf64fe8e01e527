//! `config metadata`: what an instance's image said of itself.

use wire::{
    ImageMetadata,
    endpoints::instance_metadata::{InstanceMetadataGet, InstanceMetadataReplace},
};

use super::OK;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Metadata {
    /// Show it as YAML
    Show {
        /// Instance
        instance: String,
    },
    /// Change it as YAML: in an editor, or from standard input
    Edit {
        /// Instance
        instance: String,
    },
}

impl Metadata {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self {
            Self::Show { instance } => {
                let query = cx.query();
                output::yaml(&cx.client.get::<InstanceMetadataGet>(&[&instance], &query).await?)?;
            }
            Self::Edit { instance } if !edit::has_person() => {
                store(cx, &instance, &edit::given()?, None).await?;
            }
            Self::Edit { instance } => {
                let request = cx.client.request::<InstanceMetadataGet>(&[&instance]);
                let seen = request.query(&cx.query())?.send().await?;
                let text = serde_saphyr::to_string(&seen.reply).map_err(Error::Yaml)?;
                edit::on_terminal(cx, &text, async |new: ImageMetadata| {
                    store(cx, &instance, &new, seen.etag.clone()).await
                })
                .await?;
            }
        }
        Ok(OK)
    }
}

async fn store(
    cx: &Context,
    instance: &str,
    new: &ImageMetadata,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<InstanceMetadataReplace>(&[instance]).query(&cx.query())?;
    request.body(new)?.if_match(etag).send().await?;
    Ok(())
}
