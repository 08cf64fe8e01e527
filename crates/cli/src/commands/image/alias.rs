//! `image alias`.

use wire::{
    Empty, ImageAliasesEntry, ImageAliasesEntryPost, ImageAliasesPost,
    endpoints::images::{ImageAliasCreate, ImageAliasDelete, ImageAliasRename, ImageAliasesList},
};

use super::fingerprint;
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table},
};

/// What to do with aliases.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AliasVerb {
    /// List aliases
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Make an alias
    Create {
        /// Alias
        alias: String,
        /// Fingerprint of the image, or another alias of it
        image: String,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Delete aliases
    #[command(visible_alias = "rm")]
    Delete {
        /// Aliases
        #[arg(required = true)]
        aliases: Vec<String>,
    },
    /// Rename an alias
    Rename {
        /// Its name now
        alias: String,
        /// Its new name
        new_name: String,
    },
}

impl AliasVerb {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(format) => {
                let all = cx.client.get::<ImageAliasesList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Self::Create { alias, image, description } => {
                let target = fingerprint(cx, &image).await?;
                create(cx, alias, target, description).await?;
            }
            Self::Delete { aliases } => {
                for alias in aliases {
                    cx.client.call::<ImageAliasDelete>(&[&alias], &cx.query(), &Empty {}).await?;
                }
            }
            Self::Rename { alias, new_name } => {
                let request = ImageAliasesEntryPost { name: new_name };
                cx.client.call::<ImageAliasRename>(&[&alias], &cx.query(), &request).await?;
            }
        }
        Ok(())
    }
}

/// Makes an alias of the image with this fingerprint.
pub(super) async fn create(
    cx: &Context,
    name: String,
    target: String,
    description: String,
) -> Result<()> {
    let request = ImageAliasesPost { name, description, target, r#type: String::new() };
    cx.client.call::<ImageAliasCreate>(&[], &cx.query(), &request).await?;
    Ok(())
}

fn table(aliases: &[ImageAliasesEntry]) -> Table {
    let mut table = Table::new(["ALIAS", "FINGERPRINT", "TYPE", "DESCRIPTION"]);
    for alias in aliases {
        table.row([
            alias.name.clone(),
            alias.target.chars().take(12).collect(),
            alias.r#type.as_str().to_uppercase(),
            alias.description.clone(),
        ]);
    }
    table
}
