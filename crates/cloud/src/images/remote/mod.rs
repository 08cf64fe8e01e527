//! Images of other servers: found there by name or fingerprint, and fetched.
//!
//! ```text
//! Origin   what a client says: which server, what it speaks, what is wanted
//!   locate: is asked what that is just now          streams (simplestreams), server (LXD's API)
//! Located  a fingerprint, and where its files are
//!   fetch:  files come into the cache, are looked into, and kept
//! Image    a row
//! ```
//! A server of images is not believed: what came must have the fingerprint that was announced.

mod direct;
mod download;
mod follow;
mod refresh;
mod server;
mod streams;

use std::path::Path;

use exec::Control;
use images::Files;
use options::{Options, server::ServerOptions};
use serde::{Deserialize, Serialize};

pub(super) use self::server::client;
pub(crate) use self::{download::Download, refresh::Refresh, streams::Catalogs};
pub use self::{download::download, follow::Follow, refresh::refresh};
use super::{files, import::write_row};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{
        images::{self as rows, Image, Source},
        instances::Made,
        server as server_row,
    },
    instances::Kind,
};

/// What servers of images speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Its API.
    Lxd,
    /// Lists and files of a web server.
    Simplestreams,
    /// An image at an address.
    Direct,
}

/// An image of another server, as a client names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Origin {
    server: String,
    protocol: Protocol,
    /// That of the server, PEM.
    certificate: String,
    /// What lets a stranger have a private image.
    secret: String,
    /// Of the other server.
    project: String,
    alias: String,
    /// Or the start of it.
    fingerprint: String,
}

/// What both kinds of requests say of an image of another server.
pub(crate) struct Said<'a> {
    pub(crate) server: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) certificate: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) project: &'a str,
    pub(crate) alias: &'a str,
    pub(crate) fingerprint: &'a str,
}

impl Origin {
    pub(crate) fn new(said: &Said<'_>) -> Result<Origin> {
        let protocol = Protocol::read(said.protocol)?;
        check_address(said.server, protocol)?;
        if said.alias.is_empty() && said.fingerprint.is_empty() {
            return Err(Error::invalid("source", "an alias or a fingerprint is needed"));
        }
        if protocol == Protocol::Lxd {
            server::check(said.certificate)?;
        }
        // The stock client sends a name as a fingerprint when it copies an image of simplestreams.
        let is_hex = said.fingerprint.chars().all(|c| c.is_ascii_hexdigit());
        let (alias, fingerprint) =
            if is_hex { (said.alias, said.fingerprint) } else { (said.fingerprint, "") };
        Ok(Origin {
            server: said.server.trim_end_matches('/').to_owned(),
            protocol,
            certificate: said.certificate.to_owned(),
            secret: said.secret.to_owned(),
            project: said.project.to_owned(),
            alias: alias.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })
    }

    /// The image at an address.
    pub(crate) fn at(url: &str) -> Result<Origin> {
        check_address(url, Protocol::Direct)?;
        Ok(Origin {
            server: url.to_owned(),
            protocol: Protocol::Direct,
            certificate: String::new(),
            secret: String::new(),
            project: String::new(),
            // It is not looked for again.
            alias: String::new(),
            fingerprint: String::new(),
        })
    }

    /// Where an image came from, if that is another server and it has a name there.
    fn of_row(image: &Image) -> Option<Origin> {
        let Source { server, protocol, certificate, alias, .. } = &image.source;
        let protocol = Protocol::read(protocol).ok()?;
        (!server.is_empty() && !alias.is_empty()).then(|| Origin {
            server: server.clone(),
            protocol,
            certificate: certificate.clone(),
            secret: String::new(),
            project: String::new(),
            alias: alias.clone(),
            fingerprint: String::new(),
        })
    }

    fn source(&self) -> Source {
        Source {
            protocol: self.protocol.word().to_owned(),
            alias: self.alias.clone(),
            server: self.server.clone(),
            certificate: self.certificate.clone(),
            task: String::new(),
        }
    }

    /// What it is called there.
    fn wanted(&self) -> &str {
        if self.fingerprint.is_empty() { &self.alias } else { &self.fingerprint }
    }

    pub(super) fn not_there(&self) -> Error {
        Error::not_found("image", &format!("{} of {}", self.wanted(), self.server))
    }
}

impl Protocol {
    fn read(word: &str) -> Result<Protocol> {
        match word {
            // LXD's servers are meant where nothing is said.
            "" | "lxd" => Ok(Protocol::Lxd),
            "simplestreams" => Ok(Protocol::Simplestreams),
            other => Err(Error::invalid("protocol", format!("\"{other}\": lxd or simplestreams"))),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Protocol::Lxd => "lxd",
            Protocol::Simplestreams => "simplestreams",
            Protocol::Direct => "direct",
        }
    }
}

fn check_address(server: &str, protocol: Protocol) -> Result<()> {
    let plain = (protocol != Protocol::Lxd).then(|| server.strip_prefix("http://"));
    let rest = server.strip_prefix("https://").or(plain.flatten());
    let host = rest.and_then(|rest| rest.split('/').next()).filter(|host| !host.is_empty());
    let clean = !server.contains(|c: char| c.is_whitespace() || c.is_control());
    match host {
        Some(_) if clean => Ok(()),
        _ => Err(Error::invalid(
            "server",
            format!("\"{server}\": an address such as https://images.example.org"),
        )),
    }
}

/// What another server has.
struct Located {
    fingerprint: String,
    listing: Listing,
}

enum Listing {
    Streams(Box<images::streams::Listed>),
    Server(Box<wire::Image>),
    Direct(images::streams::Part),
}

/// How old may be what a server said that it has.
#[derive(Clone, Copy, PartialEq)]
enum Age {
    /// As old as it is usual.
    Usual,
    /// It is asked anew.
    Now,
}

/// Asks the server. `kind` counts where a name means images of both.
async fn locate(
    world: &World,
    origin: &Origin,
    (kind, age): (Kind, Age),
    control: &Control,
) -> Result<Located> {
    match origin.protocol {
        Protocol::Simplestreams => streams::locate(world, origin, (kind, age), control).await,
        Protocol::Lxd => server::locate(origin, kind).await,
        Protocol::Direct => direct::locate(world, origin).await,
    }
}

/// Gets its files, keeps them, and makes the row, which is not written.
async fn fetch(
    world: &World,
    home: &str,
    (origin, located): (&Origin, &Located),
    control: &Control,
) -> Result<Image> {
    let folder = tempfile::tempdir_in(world.dirs.cache())
        .map_err(Error::file("make a folder in", &world.dirs.cache()))?;
    let held = files::hold(world).await?;
    let here = files::of(&held, &located.fingerprint);
    // Another project may have it.
    let (came, new, held) = match here.main.exists() {
        true => (here, false, Some(held)),
        false => {
            drop(held);
            (files_of(world, (origin, located), folder.path(), control).await?, true, None)
        }
    };
    let (looked, watched) = (came.clone(), control.clone());
    let found = blocking("look into image", move || images::inspect(&looked, &watched)).await?;
    drop(held);
    if found.fingerprint != located.fingerprint {
        let why = format!("{} was announced, {} came", located.fingerprint, found.fingerprint);
        return Err(Error::invalid("image", why));
    }
    let mut image = files::row(&found, home, &name(&origin.server), origin.source());
    match &located.listing {
        Listing::Streams(listed) => streams::describe(&mut image, listed),
        Listing::Server(there) => server::describe(&mut image, there),
        Listing::Direct(_) => {}
    }
    if new {
        files::keep(world, came, &image.fingerprint).await?;
    }
    Ok(image)
}

async fn files_of(
    world: &World,
    (origin, located): (&Origin, &Located),
    folder: &Path,
    control: &Control,
) -> Result<Files> {
    match &located.listing {
        Listing::Streams(listed) => {
            streams::download(world, &origin.server, listed, folder, control).await
        }
        Listing::Server(_) => {
            control.report(exec::Progress::stage("download image"));
            server::download(origin, &located.fingerprint, folder).await
        }
        Listing::Direct(part) => direct::download(world, part, folder, control).await,
    }
}

/// What the file of an image is called that has no name of its own: as its server is.
fn name(server: &str) -> String {
    let host = server.split("//").nth(1).unwrap_or(server);
    host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// The image that somebody wants to use: as the server has it now, else as it was when it could be asked last. Of two who
/// want it, one waits for the other.
pub(super) async fn provide(
    world: &World,
    project: &str,
    (origin, kind): (&Origin, Kind),
    control: &Control,
) -> Result<Image> {
    let (home, follows) = world.store.read(|db| {
        let options = ServerOptions::parse_known(&server_row::get(db)?)?;
        Ok::<_, Error>((super::home(db, project)?, options.images_auto_update_cached))
    })?;
    let _guard = alone(world, origin, control).await?;
    let located = match locate(world, origin, (kind, Age::Usual), control).await {
        Ok(located) => located,
        Err(error @ (Error::NotFound { .. } | Error::Invalid { .. })) => return Err(error),
        Err(error) => return kept(world, &home, (origin, kind))?.ok_or(error),
    };
    if let Some(image) = known(world, &home, &located.fingerprint)? {
        return Ok(image);
    }
    let mut image = fetch(world, &home, (origin, &located), control).await?;
    image.cached = true;
    image.auto_update = follows && !image.source.alias.is_empty();
    write_row(world, &image, std::iter::empty()).await?;
    world.store.read(|db| super::find(db, project, &image.fingerprint))
}

async fn alone(world: &World, origin: &Origin, control: &Control) -> Result<tasks::Guard> {
    let name = format!("image-fetch/{}/{}", origin.server, origin.wanted());
    let guard = world.locks().lock(&[tasks::Claim::alone(name)], "the download of the image").await;
    control.check()?;
    Ok(guard)
}

/// The row of an image that the project has.
fn known(world: &World, home: &str, fingerprint: &str) -> Result<Option<Image>> {
    let row = world.store.read(|db| Ok::<_, Error>(rows::get(db, home, fingerprint)?))?;
    Ok(row.filter(|row| row.made == Made::Ready))
}

/// The newest that came from there by that name.
fn kept(world: &World, home: &str, (origin, kind): (&Origin, Kind)) -> Result<Option<Image>> {
    let same = |image: &Image| {
        image.project == home
            && image.made == Made::Ready
            && Kind::of(&image.kind) == kind
            && image.source.server == origin.server
            && image.source.alias == origin.alias
            && image.fingerprint.starts_with(&origin.fingerprint)
    };
    let rows = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    Ok(rows.into_iter().filter(same).max_by_key(|image| image.uploaded_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_protocols_are_checked() {
        for (server, protocol, well) in [
            ("https://images.example.org", Protocol::Simplestreams, true),
            ("http://10.0.0.1/images/", Protocol::Simplestreams, true),
            ("http://10.0.0.1:8443", Protocol::Lxd, false),
            ("images.example.org", Protocol::Simplestreams, false),
            ("https://", Protocol::Lxd, false),
            ("https:///x", Protocol::Lxd, false),
            ("https://a b", Protocol::Simplestreams, false),
        ] {
            assert_eq!(check_address(server, protocol).is_ok(), well, "{server}");
        }
        assert_eq!(Protocol::read("").unwrap(), Protocol::Lxd);
        assert!(Protocol::read("ftp").unwrap_err().to_string().contains("\"ftp\""));
        assert_eq!(name("https://a.b:8443/c"), "a.b-8443-c");
    }
}
