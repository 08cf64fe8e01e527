//! `cluster` and `join`: several machines as one cloud.

use std::{
    fs,
    io::{IsTerminal, stdin},
    path::PathBuf,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use client::Answer;
use serde_json::Value;
use wire::{
    ClusterCertificatePut, ClusterMember, ClusterMemberJoinToken, ClusterMemberPost,
    ClusterMemberPut, ClusterMemberStatePost, ClusterMembersPost, ClusterPut, ClusterRecoverPost,
    ConfigMap, Empty, MovedPut, Operation, Timestamp,
    endpoints::cluster::{
        ClusterCertificateReplace, ClusterGet, ClusterMemberCreate, ClusterMemberDelete,
        ClusterMemberGet, ClusterMemberRename, ClusterMemberReplace, ClusterMemberStateGet,
        ClusterMemberStateSet, ClusterMembersList, ClusterRecover, ClusterReplace, ClusterStanding,
    },
    endpoints::session::{ClusterAddressSet, ClusterMemberReplaced},
    query::{NoQuery, RemoveQuery, StandingQuery},
};

pub(crate) use self::join::{Join, enter};
use self::{group::Group, role::Role};
use super::{OK, tokens};
use crate::{
    context::Context,
    error::{Error, Result},
    output::{self, FormatArg, Table},
    question::is_so,
    thing::Thing,
    verbs::Settings,
};

mod group;
mod join;
mod role;
pub(crate) mod session;

/// How long a server that has joined may take to begin anew.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// The cluster and its members.
#[derive(Debug, clap::Args)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List members
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Show how a member is: load, memory, room in its storage pools
    Info {
        /// Member
        name: String,
    },
    /// Make this server the first member of a cluster
    Enable {
        /// The name it is to have; its own otherwise
        #[arg(default_value = "")]
        name: String,
        /// Where the others are to reach it, host:port
        #[arg(long, default_value = "")]
        address: String,
    },
    /// Wait for machines that join: shows words to be typed at each. With a name, make a token for one
    Add {
        /// The name that the machine is to have; without it, words are shown
        name: Option<String>,
        /// Without a name: end when so many have joined
        #[arg(long, value_name = "N", conflicts_with = "name")]
        count: Option<usize>,
    },
    /// List tokens that wait
    ListTokens(FormatArg),
    /// Take a token back
    RevokeToken {
        /// The name it was made for
        name: String,
    },
    /// Rename a member
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Say where a member is that cannot be found: another one, or this one where its options name an address it lost
    SetAddress {
        /// Member
        name: String,
        /// Where it is, host:port
        address: String,
    },
    /// Remove a member that has nothing; with --force one that is gone for good, with all it had
    #[command(visible_alias = "rm")]
    Remove {
        /// Member
        name: String,
        /// Although it does not answer, or still has something
        #[arg(long)]
        force: bool,
    },
    /// Have another machine take the place of a member that is gone for good: makes a token, with which it has the name,
    /// groups and options of that one. What was on it is gone
    Replace {
        /// Member
        name: String,
    },
    /// Empty a member for maintenance: its instances go to others, or stop
    Evacuate {
        /// Member
        name: String,
        /// What happens to each, in place of its cluster.evacuate: auto, live-migrate, migrate or stop
        #[arg(long, default_value = "")]
        action: String,
    },
    /// Bring back what was on a member before it was evacuated
    Restore {
        /// Member
        name: String,
    },
    /// Go on with this member alone, with all its database has: when the others are lost for good, and too few are left to
    /// change anything
    Recover {
        /// Although others can be reached: what only they know is lost
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Begin anew, alone and empty: on a server that was removed while it was off
    Leave,
    /// Have all members show clients another certificate, PEM, which must then be told of it
    #[command(visible_alias = "update-cert")]
    UpdateCertificate {
        /// File with the certificate
        certificate: PathBuf,
        /// File with its key
        key: PathBuf,
    },
    /// Groups of members
    #[command(subcommand)]
    Group(Group),
    /// Roles of members
    #[command(subcommand)]
    Role(Role),
    #[command(flatten)]
    Settings(Settings),
}

impl Cluster {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let all = cx.client.get::<ClusterMembersList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Verb::Info { name } => {
                let path = [name.as_str()];
                let state = cx.client.get::<ClusterMemberStateGet>(&path, &NoQuery {}).await?;
                output::yaml(&state)?;
            }
            Verb::Enable { name, address } => {
                let put = ClusterPut {
                    server_name: name,
                    server_address: address,
                    enabled: true,
                    ..ClusterPut::default()
                };
                let begun = cx.client.call::<ClusterReplace>(&[], &NoQuery {}, &put).await?;
                cx.client.wait(&begun).await?;
                cx.say("This server is the first member of its cluster. Others: sudo microcloud cluster add");
            }
            Verb::Add { name: None, count } => session::wait(cx, count).await?,
            Verb::Add { name: Some(name), .. } => {
                let post = ClusterMembersPost { server_name: name.clone() };
                let made = cx.client.call::<ClusterMemberCreate>(&[], &NoQuery {}, &post).await?;
                cx.say(format!("On {name}: sudo microcloud join TOKEN, with this token:"));
                outln!("{}", token(&made)?);
            }
            Verb::ListTokens(format) => tokens::list(cx, format, name_of).await?,
            Verb::RevokeToken { name } => tokens::revoke(cx, &name, name_of).await?,
            Verb::Rename { name, new_name } => {
                let post = ClusterMemberPost { server_name: new_name.clone() };
                let path = [name.as_str()];
                cx.client.call::<ClusterMemberRename>(&path, &NoQuery {}, &post).await?;
                cx.say(format!("Member {name} is {new_name} now"));
            }
            Verb::SetAddress { name, address } => {
                let put = MovedPut { address };
                let path = [name.as_str()];
                cx.client.call::<ClusterAddressSet>(&path, &NoQuery {}, &put).await?;
                cx.say(format!("Member {name} is reached at {}", put.address));
            }
            Verb::Remove { name, force } => {
                let (path, query) = ([name.as_str()], RemoveQuery { force });
                cx.client.call::<ClusterMemberDelete>(&path, &query, &Empty {}).await?;
                cx.say(format!("Member {name} removed"));
            }
            Verb::Replace { name } => {
                let path = [name.as_str()];
                let asked = cx.client.call::<ClusterMemberReplaced>(&path, &NoQuery {}, &Empty {});
                let made = asked.await?;
                cx.say(format!("{name} is removed. On the new machine: sudo microcloud join TOKEN, with this token:"));
                outln!("{}", token(&made)?);
            }
            Verb::Evacuate { name, action } => {
                set_state(cx, &name, "evacuate", action).await?;
                cx.say(format!(
                    "Member {name} is empty; bring all back: microcloud cluster restore {name}"
                ));
            }
            Verb::Restore { name } => {
                set_state(cx, &name, "restore", String::new()).await?;
                cx.say(format!("Member {name} has its instances again"));
            }
            Verb::Recover { force, yes } => recover(cx, force, yes).await?,
            Verb::Leave => {
                let put = ClusterPut::default();
                let begun = cx.client.call::<ClusterReplace>(&[], &NoQuery {}, &put).await?;
                ended(cx, &begun).await?;
                until(cx, |cluster| !cluster.enabled).await?;
                cx.say("This server is alone and empty. What its storage pools hold: microcloud recover");
            }
            Verb::UpdateCertificate { certificate, key } => {
                let read = |path: PathBuf| {
                    fs::read_to_string(&path).map_err(|source| Error::File { path, source })
                };
                let put = ClusterCertificatePut {
                    cluster_certificate: read(certificate)?,
                    cluster_certificate_key: read(key)?,
                };
                cx.client.call::<ClusterCertificateReplace>(&[], &NoQuery {}, &put).await?;
                cx.say("All members show this certificate now");
            }
            Verb::Group(verb) => verb.run(cx).await?,
            Verb::Role(verb) => verb.run(cx).await?,
            Verb::Settings(verb) => verb.run::<Members>(cx).await?,
        }
        Ok(OK)
    }
}

async fn set_state(cx: &Context, name: &str, action: &str, mode: String) -> Result<()> {
    let post = ClusterMemberStatePost { action: action.to_owned(), mode };
    let begun = cx.client.call::<ClusterMemberStateSet>(&[name], &NoQuery {}, &post).await?;
    cx.finish(&begun).await.map(drop)
}

/// Has this server go on without the others.
async fn recover(cx: &Context, force: bool, yes: bool) -> Result<()> {
    if !yes {
        if !stdin().is_terminal() {
            return Err(Error::Usage("there is nobody to ask; say --yes"));
        }
        let question =
            "Members that are given up cannot come back as they were. Go on without them?";
        if !is_so(question, false)? {
            return Ok(());
        }
    }
    let post = ClusterRecoverPost { force };
    let begun = cx.client.call::<ClusterRecover>(&[], &NoQuery {}, &post).await?;
    ended(cx, &begun).await?;
    // Answered only where there is a majority, be it of one.
    let settled = async {
        while cx.client.get::<ClusterStanding>(&[], &StandingQuery::default()).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let settled = tokio::time::timeout(PATIENCE, settled).await;
    settled.map_err(|_| Error::Usage("the server does not come back: see its log"))?;
    cx.say("This member goes on alone. The others, and what was on them: microcloud cluster remove NAME --force");
    Ok(())
}

/// Waits for an operation after which the server begins anew, perhaps before it could say so.
async fn ended(cx: &Context, begun: &Operation) -> Result<()> {
    match cx.client.wait(begun).await {
        Err(client::Error::Broken { .. } | client::Error::Connect { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the server is there and its place in a cluster is as wanted.
async fn until(cx: &Context, is: impl Fn(&wire::Cluster) -> bool) -> Result<wire::Cluster> {
    let look = async {
        loop {
            let found = cx.client.get::<ClusterGet>(&[], &NoQuery {}).await;
            if let Ok(found) = found
                && is(&found)
            {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, look).await;
    found.map_err(|_| Error::Usage("the server does not come back: see its log"))
}

/// Members as things with options.
struct Members;

impl Thing for Members {
    const NOUN: &'static str = "cluster member";
    const EXAMPLE: &'static str = "\
description: in the cellar
failure_domain: default
config:
  scheduler.instance: all
groups:
- default
roles:
- database
";
    type Shown = ClusterMember;
    type Put = ClusterMemberPut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<ClusterMember>> {
        Ok(cx.client.request::<ClusterMemberGet>(&[name]).send().await?)
    }

    async fn store(
        cx: &Context,
        name: &str,
        put: &ClusterMemberPut,
        etag: Option<String>,
    ) -> Result<()> {
        let request = cx.client.request::<ClusterMemberReplace>(&[name]);
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &ClusterMember) -> ClusterMemberPut {
        shown.writable()
    }

    fn config(put: &mut ClusterMemberPut) -> &mut ConfigMap {
        &mut put.config
    }
}

fn table(members: &[ClusterMember]) -> Table {
    let mut table = Table::new(["NAME", "ADDRESS", "ROLES", "ARCHITECTURE", "STATUS", "MESSAGE"]);
    for one in members {
        table.row([
            one.server_name.clone(),
            one.url.trim_start_matches("https://").to_owned(),
            one.roles.join(" "),
            one.architecture.clone(),
            one.status.to_uppercase(),
            one.message.clone(),
        ]);
    }
    table
}

/// The text of a token, of what its operation says.
fn token(made: &Operation) -> Result<String> {
    let text =
        |key: &str| tokens::said(made, key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let addresses = tokens::said(made, "addresses").and_then(Value::as_array).into_iter().flatten();
    let until = tokens::said(made, "expiresAt").cloned().unwrap_or_default();
    let token = ClusterMemberJoinToken {
        server_name: text("serverName"),
        fingerprint: text("fingerprint"),
        addresses: addresses.filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        secret: text("secret"),
        expires_at: serde_json::from_value(until).unwrap_or(Timestamp::NEVER),
    };
    Ok(STANDARD.encode(serde_json::to_vec(&token).map_err(Error::Json)?))
}

/// The member that a token was made for.
fn name_of(token: &Operation) -> &str {
    tokens::said(token, "serverName").and_then(Value::as_str).unwrap_or_default()
}
