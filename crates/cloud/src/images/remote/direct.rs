//! An image at an address of a web server (`source.type=url`). Whoever answers there says in headers, as LXD wants it,
//! where the image is for this machine and which it is:
//!
//! ```text
//! HEAD url   LXD-Server-Architectures: x86_64   ──>   LXD-Image-Hash: sha256   LXD-Image-URL: where
//! ```

use std::path::Path;

use exec::Control;
use images::{
    Files,
    streams::{Part, Web},
};

use super::{Listing, Located, Origin, streams::proxy};
use crate::{Error, Result, World, blocking::blocking, server};

/// What it is for.
const ARCHITECTURES: &str = "LXD-Server-Architectures";
const VERSION: &str = "LXD-Server-Version";
/// What it is.
const HASH: &str = "LXD-Image-Hash";
/// Where it is.
const PLACE: &str = "LXD-Image-URL";

pub(super) async fn locate(world: &World, origin: &Origin) -> Result<Located> {
    let (proxy, url) = (proxy(world, &origin.server)?, origin.server.clone());
    let told =
        [(ARCHITECTURES, world.host.architecture.clone()), (VERSION, server::VERSION.to_owned())];
    let part = blocking("ask for an image", move || {
        let web = Web::new(proxy.as_deref())?;
        let said = web.head(&url, &told)?;
        let header = |name: &str| said.get(name).and_then(|value| value.to_str().ok());
        let sha256 = header(HASH).unwrap_or_default().to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.chars().all(|c| c.is_ascii_hexdigit()) {
            let why = format!("{url} does not say with {HASH} which image is there");
            return Err(Error::invalid("source", why));
        }
        let path = header(PLACE).unwrap_or(&url).to_owned();
        super::check_address(&path, super::Protocol::Direct)?;
        let size = web
            .head(&path, &[])?
            .get("content-length")
            .and_then(|it| it.to_str().ok()?.parse().ok());
        let size = size.ok_or_else(|| {
            Error::invalid("source", format!("{path} does not say how large it is"))
        })?;
        Ok::<_, Error>(Part { path, sha256, size })
    });
    let part = part.await?;
    Ok(Located { fingerprint: part.sha256.clone(), listing: Listing::Direct(part) })
}

pub(super) async fn download(
    world: &World,
    part: &Part,
    folder: &Path,
    control: &Control,
) -> Result<Files> {
    let main = folder.join("main");
    let (proxy, part, to, control) =
        (proxy(world, &part.path)?, part.clone(), main.clone(), control.clone());
    blocking("download image", move || {
        Web::new(proxy.as_deref())?.download(&part.path, &to, &part, &control)
    })
    .await?;
    Ok(Files { main, rootfs: None })
}
