//! `config trust`: who may use the server over the network.

use base64::{Engine, engine::general_purpose::STANDARD};
use client::Answer;
use serde_json::Value;
use wire::{
    Certificate, CertificateAddToken, CertificatePut, CertificatesPost, Empty, Operation,
    Timestamp,
    endpoints::certificates::{
        CertificateCreate, CertificateDelete, CertificateGet, CertificateReplace, CertificatesList,
    },
    query::NoQuery,
};

use super::{OK, tokens};
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output::{self, FormatArg, Table, human},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Trust {
    /// Trust a client: the certificate in a file, or whoever brings the token that is made
    Add {
        /// File with the client's certificate, PEM; without one a token is made
        file: Option<std::path::PathBuf>,
        /// Name for the client
        #[arg(long, default_value = "")]
        name: String,
        /// What it is for: `client`, or `metrics` alone
        #[arg(long = "type", default_value = "client", value_parser = ["client", "metrics"])]
        kind: String,
        /// Hold it to some projects
        #[arg(long)]
        restricted: bool,
        /// The projects it is held to
        #[arg(long, value_delimiter = ',', requires = "restricted")]
        projects: Vec<String>,
    },
    /// List clients that are trusted
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Show a client
    Show {
        /// Fingerprint, or the start of it
        fingerprint: String,
    },
    /// Change a client as YAML: in an editor, or from standard input
    Edit {
        /// Fingerprint, or the start of it
        fingerprint: String,
    },
    /// Trust clients no more
    #[command(visible_alias = "rm")]
    Remove {
        /// Fingerprints, or the start of them
        #[arg(required = true)]
        fingerprints: Vec<String>,
    },
    /// List tokens that wait
    ListTokens(FormatArg),
    /// Take a token back
    RevokeToken {
        /// The name it was made for
        name: String,
    },
}

impl Trust {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self {
            Self::Add { file, name, kind, restricted, projects } => {
                let certificate = match &file {
                    Some(path) => std::fs::read_to_string(path)
                        .map_err(|source| Error::File { path: path.clone(), source })?,
                    None => String::new(),
                };
                let token = file.is_none();
                let post = CertificatesPost {
                    certificate,
                    name,
                    r#type: kind,
                    restricted,
                    projects,
                    token,
                    ..CertificatesPost::default()
                };
                add(cx, &post).await?;
            }
            Self::List(format) => {
                let all = cx.client.get::<CertificatesList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Self::Show { fingerprint } => output::yaml(&load(cx, &fingerprint).await?.reply)?,
            Self::Edit { fingerprint } => edit_one(cx, &fingerprint).await?,
            Self::Remove { fingerprints } => {
                for one in fingerprints {
                    let path = [one.as_str()];
                    let gone = cx.client.call::<CertificateDelete>(&path, &NoQuery {}, &Empty {});
                    gone.await?;
                    cx.say(format!("Client {one} is trusted no more"));
                }
            }
            Self::ListTokens(format) => tokens::list(cx, format, name_of).await?,
            Self::RevokeToken { name } => tokens::revoke(cx, &name, name_of).await?,
        }
        Ok(OK)
    }
}

async fn add(cx: &Context, post: &CertificatesPost) -> Result<()> {
    let reply = cx.client.call::<CertificateCreate>(&[], &NoQuery {}, post).await?;
    if !post.token {
        cx.say("Client is trusted");
        return Ok(());
    }
    cx.say(format!("Token for {}:", post.name));
    outln!("{}", token(&reply["metadata"])?);
    Ok(())
}

/// The text of a token, of what its operation says.
fn token(said: &Value) -> Result<String> {
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    let addresses = said["addresses"].as_array().into_iter().flatten();
    let never = Timestamp::NEVER;
    let token = CertificateAddToken {
        client_name: said["request"]["name"].as_str().unwrap_or_default().to_owned(),
        fingerprint: text("fingerprint"),
        addresses: addresses.filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        secret: text("secret"),
        expires_at: serde_json::from_value(said["expiresAt"].clone()).unwrap_or(never),
    };
    Ok(STANDARD.encode(serde_json::to_vec(&token).map_err(Error::Json)?))
}

async fn load(cx: &Context, fingerprint: &str) -> Result<Answer<Certificate>> {
    Ok(cx.client.request::<CertificateGet>(&[fingerprint]).send().await?)
}

async fn store(cx: &Context, name: &str, put: &CertificatePut, etag: Option<String>) -> Result<()> {
    cx.client.request::<CertificateReplace>(&[name]).body(put)?.if_match(etag).send().await?;
    Ok(())
}

async fn edit_one(cx: &Context, fingerprint: &str) -> Result<()> {
    if !edit::has_person() {
        return store(cx, fingerprint, &edit::given()?, None).await;
    }
    let seen = load(cx, fingerprint).await?;
    let text = serde_saphyr::to_string(&seen.reply.writable()).map_err(Error::Yaml)?;
    edit::on_terminal(cx, &text, async |put: CertificatePut| {
        store(cx, fingerprint, &put, seen.etag.clone()).await
    })
    .await
}

fn table(clients: &[Certificate]) -> Table {
    let mut table = Table::new(["TYPE", "NAME", "FINGERPRINT", "RESTRICTED", "PROJECTS"]);
    for one in clients {
        table.row([
            one.r#type.clone(),
            one.name.clone(),
            one.fingerprint.chars().take(12).collect(),
            human::yes(one.restricted).to_owned(),
            one.projects.join(" "),
        ]);
    }
    table
}

/// The client that a token was made for.
fn name_of(token: &Operation) -> &str {
    tokens::said(token, "request").and_then(|request| request["name"].as_str()).unwrap_or_default()
}
