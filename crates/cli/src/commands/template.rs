//! `config template`: templates of an instance's files. Which file is made of which, and when, its metadata says.

use std::io::{Read, stdin};

use client::Content;
use wire::{
    endpoints::instance_metadata::{
        InstanceTemplateDelete, InstanceTemplateGet, InstanceTemplatePut,
    },
    query::TemplateQuery,
};

use super::OK;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output::{FormatArg, Table},
    stdout,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Template {
    /// List templates
    #[command(visible_alias = "ls")]
    List {
        /// Instance
        instance: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Print a template
    Show(One),
    /// Make an empty template
    Create(One),
    /// Change a template: in an editor, or from standard input
    Edit(One),
    /// Delete a template
    #[command(visible_alias = "rm")]
    Delete(One),
}

/// A template of an instance.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// Instance
    instance: String,
    /// Name of the template, such as hostname.tpl
    template: String,
}

impl Template {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self {
            Self::List { instance, format } => {
                let request = cx.client.request::<InstanceTemplateGet>(&[&instance]);
                let names = request.query(&query(cx, ""))?.send().await?.reply;
                format.print(&names, table)?;
            }
            Self::Show(one) => stdout::write_bytes(&one.load(cx).await?),
            Self::Create(one) => one.store(cx, Vec::new()).await?,
            Self::Edit(one) if !edit::has_person() => one.store(cx, input()?).await?,
            Self::Edit(one) => {
                let text = String::from_utf8(one.load(cx).await?);
                let text = text.map_err(|_| Error::Usage("the template is no text"))?;
                edit::text_on_terminal(cx, (".tpl", &text), async |new| {
                    one.store(cx, new.into()).await
                })
                .await?;
            }
            Self::Delete(one) => {
                let request = cx.client.request::<InstanceTemplateDelete>(&[&one.instance]);
                request.query(&query(cx, &one.template))?.send().await?;
            }
        }
        Ok(OK)
    }
}

impl One {
    async fn load(&self, cx: &Context) -> Result<Vec<u8>> {
        let request = cx.client.request::<InstanceTemplateGet>(&[&self.instance]);
        let mut text = Vec::new();
        let received = request.query(&query(cx, &self.template))?.receive().await?;
        received.copy_to(&mut text).await?;
        Ok(text)
    }

    async fn store(&self, cx: &Context, text: Vec<u8>) -> Result<()> {
        let request = cx.client.request::<InstanceTemplatePut>(&[&self.instance]);
        let request = request.query(&query(cx, &self.template))?;
        request.content(Content::Bytes(text.into())).await?.send().await?;
        Ok(())
    }
}

fn query(cx: &Context, path: &str) -> TemplateQuery {
    TemplateQuery { project: cx.project.clone(), path: path.to_owned() }
}

fn input() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    stdin().read_to_end(&mut text).map_err(Error::Stdio)?;
    Ok(text)
}

fn table(names: &[String]) -> Table {
    let mut table = Table::new(["FILENAME"]);
    for name in names {
        table.row([name.clone()]);
    }
    table
}
