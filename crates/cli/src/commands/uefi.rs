//! `config uefi`: the variables of a virtual machine's firmware.

use client::Answer;
use wire::{
    InstanceUEFIVariable, InstanceUEFIVars,
    endpoints::instances::{InstanceUefiGet, InstanceUefiReplace},
};

use super::OK;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output, pairs,
};

/// What a new variable is: it lasts, and is there before and while the system runs.
const USUAL: u32 = 7;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Uefi {
    /// Show the variables of a virtual machine that does not run
    Show {
        /// Instance
        instance: String,
    },
    /// Print what a variable holds, hexadecimal
    Get {
        /// Instance
        instance: String,
        /// Name and GUID, with a hyphen between
        variable: String,
    },
    /// Set variables
    Set {
        /// Instance
        instance: String,
        /// Name and GUID, and what it is to hold, hexadecimal
        #[arg(required = true, value_name = "NAME-GUID=HEX")]
        variables: Vec<String>,
    },
    /// Take a variable away
    Unset {
        /// Instance
        instance: String,
        /// Name and GUID, with a hyphen between
        variable: String,
    },
    /// Change them as YAML: in an editor, or from standard input
    Edit {
        /// Instance
        instance: String,
    },
}

impl Uefi {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self {
            Self::Show { instance } => output::yaml(&load(cx, &instance).await?.reply)?,
            Self::Get { instance, variable } => {
                let found = load(cx, &instance).await?.reply;
                let one = found.variables.get(&variable).ok_or_else(absent)?;
                outln!("{}", one.data);
            }
            Self::Set { instance, variables } => {
                let mut seen = load(cx, &instance).await?;
                for (name, data) in pairs::map(&variables)? {
                    let new =
                        InstanceUEFIVariable { attr: USUAL, ..InstanceUEFIVariable::default() };
                    seen.reply.variables.entry(name).or_insert(new).data = data;
                }
                store(cx, &instance, &seen.reply, seen.etag).await?;
            }
            Self::Unset { instance, variable } => {
                let mut seen = load(cx, &instance).await?;
                seen.reply.variables.remove(&variable).ok_or_else(absent)?;
                store(cx, &instance, &seen.reply, seen.etag).await?;
            }
            Self::Edit { instance } => edit_all(cx, &instance).await?,
        }
        Ok(OK)
    }
}

fn absent() -> Error {
    Error::Usage("there is no variable of that name")
}

async fn load(cx: &Context, instance: &str) -> Result<Answer<InstanceUEFIVars>> {
    Ok(cx.client.request::<InstanceUefiGet>(&[instance]).query(&cx.query())?.send().await?)
}

async fn store(
    cx: &Context,
    instance: &str,
    new: &InstanceUEFIVars,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<InstanceUefiReplace>(&[instance]).query(&cx.query())?;
    request.body(new)?.if_match(etag).send().await?;
    Ok(())
}

async fn edit_all(cx: &Context, instance: &str) -> Result<()> {
    if !edit::has_person() {
        return store(cx, instance, &edit::given()?, None).await;
    }
    let seen = load(cx, instance).await?;
    let text = serde_saphyr::to_string(&seen.reply).map_err(Error::Yaml)?;
    edit::on_terminal(cx, &text, async |new: InstanceUEFIVars| {
        store(cx, instance, &new, seen.etag.clone()).await
    })
    .await
}
