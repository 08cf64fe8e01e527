//! `remote`: servers by name.

use std::io::{BufRead, IsTerminal, stdin};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use tls::Pin;
use wire::{
    CertificateAddToken, CertificatesPost,
    endpoints::{certificates::CertificateCreate, server::ServerGet},
    query::{NoQuery, TargetQuery},
};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
    output::{FormatArg, Table, human},
    remotes::{self, IMAGES, LOCAL, Remote as Server, Remotes, SIMPLESTREAMS},
    secret,
};

/// Names that images are built by, which a server of that name would hide.
const TAKEN: [&str; 2] = ["debian", "ubuntu"];

/// Servers.
#[derive(Debug, clap::Args)]
pub(crate) struct Remote {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Give a server a name, and get trusted there
    Add {
        /// Name
        name: String,
        /// Its address, https://HOST:PORT, or a token that its "config trust add" told
        server: String,
        /// A token, beside an address
        #[arg(long)]
        token: Option<String>,
        /// Take the server's certificate unseen
        #[arg(long)]
        accept_certificate: bool,
        /// What it speaks: lxd, or simplestreams for a server of images
        #[arg(long, value_parser = ["lxd", SIMPLESTREAMS], default_value = "lxd")]
        protocol: String,
    },
    /// List servers
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Forget servers
    #[command(visible_alias = "rm")]
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Give a server another name
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Use this server when none is named
    Switch {
        /// Name
        name: String,
    },
    /// Say where a server is now; it is known by its certificate
    SetUrl {
        /// Name
        name: String,
        /// Its address
        url: String,
    },
    /// Print the server that is used when none is named
    GetDefault,
}

impl Remote {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let mut known = Remotes::load()?;
        match self.verb {
            Verb::Add { name, server, token, accept_certificate, protocol } => {
                free(&known, &name)?;
                let added = match protocol == SIMPLESTREAMS {
                    true => of_images(&server, protocol)?,
                    false => add(cx, &server, token, accept_certificate).await?,
                };
                known.remotes.insert(name.clone(), added);
                known.store()?;
                cx.say(format!("Server {name} added"));
            }
            Verb::List(format) => {
                format.print(&listed(&known), table)?;
            }
            Verb::Remove { names } => {
                for name in &names {
                    known.find(name)?.ok_or(Error::Usage("local is always there"))?;
                    known.remotes.remove(name);
                    if known.default == *name {
                        known.default.clear();
                    }
                }
                known.store()?;
            }
            Verb::Rename { name, new_name } => {
                free(&known, &new_name)?;
                known.find(&name)?.ok_or(Error::Usage("local is always there"))?;
                if let Some(server) = known.remotes.remove(&name) {
                    known.remotes.insert(new_name.clone(), server);
                }
                if known.default == name {
                    known.default = new_name;
                }
                known.store()?;
            }
            Verb::Switch { name } => {
                if known.find(&name)?.is_some_and(Server::is_of_images) {
                    return Err(Error::OfImages(name));
                }
                known.default = name;
                known.store()?;
            }
            Verb::SetUrl { name, url } => {
                let old = known.find(&name)?.ok_or(Error::Usage("local is always there"))?;
                match old.is_of_images() {
                    true => drop(of_images(&url, SIMPLESTREAMS.to_owned())?),
                    false => drop(remotes::place(&url)?),
                }
                known.remotes.entry(name).and_modify(|server| server.url = url);
                known.store()?;
            }
            Verb::GetDefault => outln!("{}", known.default_name()),
        }
        Ok(OK)
    }
}

fn free(known: &Remotes, name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return Err(Error::Form { word: name.to_owned(), form: "letters, digits, - _ and ." });
    }
    match known.has(name) || TAKEN.contains(&name) {
        true => Err(Error::Usage("that name means something already")),
        false => Ok(()),
    }
}

/// A server of images; whether one is there is seen when it is used.
fn of_images(url: &str, protocol: String) -> Result<Server> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => {
            let url = url.trim_end_matches('/').to_owned();
            Ok(Server { url, fingerprint: String::new(), protocol })
        }
        _ => Err(Error::Form { word: url.to_owned(), form: "https://HOST or https://HOST/FOLDER" }),
    }
}

/// Finds the server, makes sure of it, and gets trusted there.
async fn add(cx: &Context, server: &str, token: Option<String>, accept: bool) -> Result<Server> {
    let given = decode(server);
    let (urls, promised) = match &given {
        Some(given) => (given.addresses.clone(), Some(given.fingerprint.clone())),
        None => {
            let promised = token.as_deref().and_then(decode).map(|token| token.fingerprint);
            (vec![server.to_owned()], promised)
        }
    };
    let (url, fingerprint) = meet(&urls).await?;
    match promised {
        Some(promised) if promised != fingerprint => {
            return Err(Error::Usage("another server answers there than the token is of"));
        }
        Some(_) => {}
        None if accept => {}
        None if remotes::is_signed(&url).await? => {}
        None => agree(&fingerprint)?,
    }
    let found = Server { url, fingerprint, protocol: String::new() };
    let client = found.client()?;
    let target = TargetQuery::default();
    if client.get::<ServerGet>(&[], &target).await?.auth != "trusted" {
        let text = match given {
            Some(_) => server.to_owned(),
            None => token.map_or_else(|| secret::ask("Token"), Ok)?,
        };
        let post = CertificatesPost { trust_token: text, ..CertificatesPost::default() };
        client.call::<CertificateCreate>(&[], &NoQuery {}, &post).await?;
        cx.say("The server trusts this user now");
    }
    Ok(found)
}

fn decode(text: &str) -> Option<CertificateAddToken> {
    let token: CertificateAddToken = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    (!token.secret.is_empty()).then_some(token)
}

/// The first address where a server answers, and its certificate's fingerprint.
async fn meet(urls: &[String]) -> Result<(String, String)> {
    let mut last = Error::Usage("the token names no address: set core.https_address at the server");
    for url in urls {
        let (host, port) = remotes::place(url)?;
        match tls::connect(&host, port, &Pin::Anybody, None).await {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let fingerprint = shown.map(|der| tls::fingerprint(der)).unwrap_or_default();
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                return Ok((format!("https://{host}:{port}"), fingerprint));
            }
            Err(source) => {
                let address = format!("{host}:{port}");
                last = client::Error::Unreachable { address, source }.into();
            }
        }
    }
    Err(last)
}

/// Asks whether this is the server that is meant.
fn agree(fingerprint: &str) -> Result<()> {
    outln!("The server's certificate: {fingerprint}");
    if !stdin().is_terminal() {
        return Err(Error::Usage("compare it with the server's and use --accept-certificate"));
    }
    outln!("Is it the same as \"microcloud info\" shows there? (yes/no)");
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(Error::Stdio)?;
    match answer.trim() {
        "yes" | "y" => Ok(()),
        _ => Err(Error::Usage("the server was not added")),
    }
}

/// A server as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    url: String,
    protocol: String,
    fingerprint: String,
    default: bool,
}

fn listed(known: &Remotes) -> Vec<Listed> {
    let own = |url: &str, protocol: &str| Server {
        url: url.to_owned(),
        protocol: protocol.to_owned(),
        fingerprint: String::new(),
    };
    let (local, images) = (own("unix://", ""), own(IMAGES.1, SIMPLESTREAMS));
    let all = [(LOCAL, &local), (IMAGES.0, &images)].into_iter();
    let all = all.chain(known.remotes.iter().map(|(name, server)| (name.as_str(), server)));
    let one = |(name, server): (&str, &Server)| Listed {
        name: name.to_owned(),
        url: server.url.clone(),
        protocol: if server.protocol.is_empty() { "lxd".into() } else { server.protocol.clone() },
        fingerprint: server.fingerprint.clone(),
        default: name == known.default_name(),
    };
    all.map(one).collect()
}

fn table(servers: &[Listed]) -> Table {
    let mut table = Table::new(["NAME", "URL", "PROTOCOL", "FINGERPRINT", "DEFAULT"]);
    for one in servers {
        table.row([
            one.name.clone(),
            one.url.clone(),
            one.protocol.clone(),
            one.fingerprint.chars().take(12).collect(),
            human::yes(one.default).to_owned(),
        ]);
    }
    table
}
