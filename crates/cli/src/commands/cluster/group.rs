//! `cluster group`: groups of members.

use client::Answer;
use wire::{
    ClusterGroup, ClusterGroupPost, ClusterGroupPut, ClusterGroupsPost, Empty,
    endpoints::cluster::{
        ClusterGroupCreate, ClusterGroupDelete, ClusterGroupGet, ClusterGroupRename,
        ClusterGroupReplace, ClusterGroupsList,
    },
    query::NoQuery,
};

use super::Members;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output::{self, FormatArg, Table},
    thing,
};

/// Groups of members.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Group {
    /// List groups
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Show one
    Show {
        /// Group
        name: String,
    },
    /// Change one as YAML: in an editor, or from standard input
    Edit {
        /// Group
        name: String,
    },
    /// Make a group
    Create {
        /// Group
        name: String,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
        /// Members that are in it from the beginning
        members: Vec<String>,
    },
    /// Put a member into just these groups
    Assign {
        /// Member
        member: String,
        /// Groups, parted by commas
        groups: String,
    },
    /// Put a member into one more group
    Add {
        /// Member
        member: String,
        /// Group
        group: String,
    },
    /// Take a member out of a group
    Remove {
        /// Member
        member: String,
        /// Group
        group: String,
    },
    /// Rename a group
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Delete groups that no member is in
    #[command(visible_alias = "rm")]
    Delete {
        /// Groups
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Group {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(format) => {
                let all = cx.client.get::<ClusterGroupsList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Self::Show { name } => output::yaml(&load(cx, &name).await?.reply)?,
            Self::Edit { name } => change(cx, &name).await?,
            Self::Create { name, description, members } => {
                let post = ClusterGroupsPost { name: name.clone(), description, members };
                cx.client.call::<ClusterGroupCreate>(&[], &NoQuery {}, &post).await?;
                cx.say(format!("Cluster group {name} created"));
            }
            Self::Assign { member, groups } => {
                let names = groups.split(',').filter(|name| !name.is_empty());
                let names = names.map(str::to_owned).collect();
                of_member(cx, &member, |groups| {
                    *groups = names;
                    Ok(())
                })
                .await?;
            }
            Self::Add { member, group } => {
                of_member(cx, &member, |groups| {
                    groups.push(group);
                    Ok(())
                })
                .await?;
            }
            Self::Remove { member, group } => {
                of_member(cx, &member, |groups| {
                    let at = groups.iter().position(|name| *name == group);
                    let absent = || thing::absent::<Members>(&member, "group", &group);
                    groups.remove(at.ok_or_else(absent)?);
                    Ok(())
                })
                .await?;
            }
            Self::Rename { name, new_name } => {
                let post = ClusterGroupPost { name: new_name.clone() };
                let path = [name.as_str()];
                cx.client.call::<ClusterGroupRename>(&path, &NoQuery {}, &post).await?;
                cx.say(format!("Cluster group {name} is {new_name} now"));
            }
            Self::Delete { names } => {
                for name in names {
                    let path = [name.as_str()];
                    cx.client.call::<ClusterGroupDelete>(&path, &NoQuery {}, &Empty {}).await?;
                    cx.say(format!("Cluster group {name} deleted"));
                }
            }
        }
        Ok(())
    }
}

async fn load(cx: &Context, name: &str) -> Result<Answer<ClusterGroup>> {
    Ok(cx.client.request::<ClusterGroupGet>(&[name]).send().await?)
}

async fn store(
    cx: &Context,
    name: &str,
    put: &ClusterGroupPut,
    etag: Option<String>,
) -> Result<()> {
    let request = cx.client.request::<ClusterGroupReplace>(&[name]);
    request.body(put)?.if_match(etag).send().await?;
    Ok(())
}

async fn change(cx: &Context, name: &str) -> Result<()> {
    if !edit::has_person() {
        return store(cx, name, &edit::given()?, None).await;
    }
    let seen = load(cx, name).await?;
    let text = serde_saphyr::to_string(&seen.reply.writable()).map_err(Error::Yaml)?;
    edit::on_terminal(cx, &text, async |put: ClusterGroupPut| {
        store(cx, name, &put, seen.etag.clone()).await
    })
    .await
}

/// Changes the groups that a member is in.
async fn of_member(
    cx: &Context,
    member: &str,
    with: impl FnOnce(&mut Vec<String>) -> Result<()>,
) -> Result<()> {
    thing::change::<Members>(cx, member, |put| with(&mut put.groups)).await
}

fn table(groups: &[ClusterGroup]) -> Table {
    let mut table = Table::new(["NAME", "DESCRIPTION", "MEMBERS"]);
    for one in groups {
        table.row([one.name.clone(), one.description.clone(), one.members.join(" ")]);
    }
    table
}
