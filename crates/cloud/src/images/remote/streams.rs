//! Servers that speak simplestreams. What one has is remembered for a while, as everybody asks for the same few.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use exec::Control;
use images::{
    Files,
    streams::{Catalog, Listed, Web},
};
use options::{Options, server::ServerOptions};

use super::{Age, Listing, Located, Origin};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{images::Image, server as server_row},
    instances::Kind,
};

/// How long what a server has is believed; they renew their images once a day.
const USUAL: Duration = Duration::from_secs(60 * 60);

/// What servers have, by their addresses.
#[derive(Default)]
pub(crate) struct Catalogs(Mutex<HashMap<String, (Instant, Arc<Catalog>)>>);

impl Catalogs {
    fn known(&self, server: &str) -> Option<Arc<Catalog>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(server).filter(|(read, _)| read.elapsed() < USUAL).map(|(_, known)| known.clone())
    }

    fn keep(&self, server: &str, catalog: Arc<Catalog>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (read, _)| read.elapsed() < USUAL);
        all.insert(server.to_owned(), (Instant::now(), catalog));
    }
}

pub(super) async fn locate(
    world: &World,
    origin: &Origin,
    (kind, age): (Kind, Age),
    control: &Control,
) -> Result<Located> {
    let catalog = catalog(world, &origin.server, age, control).await?;
    let architecture = world.store.read(|db| {
        let options = ServerOptions::parse_known(&server_row::get(db)?)?;
        Ok::<_, Error>(options.images_default_architecture)
    })?;
    let architecture = architecture.as_ref().unwrap_or(&world.host.architecture);
    let listed = match origin.fingerprint.as_str() {
        "" => match catalog.by_alias(&origin.alias, architecture, kind.of_image()) {
            // The stock client sends a fingerprint as an alias when it cannot tell.
            None if is_fingerprint(&origin.alias) => catalog.by_fingerprint(&origin.alias)?,
            found => found,
        },
        start => catalog.by_fingerprint(start)?,
    };
    let listed = listed.ok_or_else(|| origin.not_there())?.clone();
    let fingerprint = listed.fingerprint.clone();
    Ok(Located { fingerprint, listing: Listing::Streams(Box::new(listed)) })
}

/// Whether it can be the start of one; a name that short could be a name.
fn is_fingerprint(word: &str) -> bool {
    (12..=64).contains(&word.len()) && word.chars().all(|c| c.is_ascii_hexdigit())
}

async fn catalog(world: &World, server: &str, age: Age, control: &Control) -> Result<Arc<Catalog>> {
    if let Some(known) = world.catalogs.known(server).filter(|_| age == Age::Usual) {
        return Ok(known);
    }
    let (proxy, from, watched) = (proxy(world, server)?, server.to_owned(), control.clone());
    let read = blocking("read list of images", move || {
        Catalog::read(&Web::new(proxy.as_deref())?, &from, &watched)
    });
    let catalog = Arc::new(read.await?);
    world.catalogs.keep(server, catalog.clone());
    Ok(catalog)
}

/// Who is asked for what is elsewhere, if the server's options say it.
pub(super) fn proxy(world: &World, server: &str) -> Result<Option<String>> {
    let options = world
        .store
        .read(|db| Ok::<_, Error>(ServerOptions::parse_known(&server_row::get(db)?)?))?;
    let host = server.split("//").nth(1).unwrap_or(server).split(['/', ':']).next();
    let ignored = options.proxy_ignore_hosts.iter().flat_map(|names| names.iter());
    let ignored = ignored.into_iter().any(|name| Some(name.as_str()) == host);
    let proxy = match server.starts_with("https:") {
        true => options.proxy_https,
        false => options.proxy_http,
    };
    Ok(proxy.filter(|_| !ignored).map(|proxy| proxy.to_string()))
}

pub(super) async fn download(
    world: &World,
    server: &str,
    listed: &Listed,
    folder: &Path,
    control: &Control,
) -> Result<Files> {
    let files = Files { main: folder.join("main"), rootfs: Some(folder.join("rootfs")) };
    let pairs = [(&listed.metadata, files.main.clone()), (&listed.root, folder.join("rootfs"))];
    let proxy = proxy(world, server)?;
    let control = control.clone();
    let wanted = pairs.map(|(part, to)| {
        (format!("{server}/{}", part.path.trim_start_matches('/')), to, part.clone())
    });
    blocking("download image", move || {
        let web = Web::new(proxy.as_deref())?;
        wanted.iter().try_for_each(|(url, to, part)| web.download(url, to, part, &control))
    })
    .await?;
    Ok(files)
}

/// Puts in what the list says beyond the image's own metadata.
pub(super) fn describe(image: &mut Image, listed: &Listed) {
    image.properties.extend(listed.properties.clone());
    if let Some(made) = listed.made_at() {
        image.created_at = made;
    }
    if let Some(until) = listed.expires_at() {
        image.expires_at = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_taken_for_fingerprints() {
        assert!(is_fingerprint("0123456789ab"));
        assert!(
            !is_fingerprint("22.04") && !is_fingerprint("decade") && !is_fingerprint("debian/12")
        );
    }
}
