//! The images that both get: a whole Debian, built once and kept, and the small one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::groups::Groups;
use super::peer::{Client, Peer};
use super::place::Place;
use super::say;

/// Where what takes long to make is kept from one run to the next.
const CACHE: &str = "/var/cache/microcloud-bench";

pub(super) struct Images {
    debian: PathBuf,
    busybox: PathBuf,
}

/// Builds what is not there yet.
pub(super) fn prepare(place: &Place, binary: &Path, groups: &mut Groups) -> Result<Images> {
    let cached = Path::new(CACHE).join("debian-12.image");
    let images = Images { debian: cached, busybox: place.path().join("busybox.image") };
    let mut builder = Peer::builder(place, binary, groups)?;
    builder.start()?;
    if !images.debian.is_file() {
        say("building debian:12, once");
        fs::create_dir_all(CACHE).with_context(|| format!("make {CACHE}"))?;
        // A run that is killed must not leave half a file under the right name.
        let part = images.debian.with_extension("part");
        export(&builder, "debian:12", &part)?;
        fs::rename(&part, &images.debian).context("keep the image of Debian")?;
    }
    export(&builder, "busybox", &images.busybox)?;
    builder.stop()?;
    Ok(images)
}

fn export(builder: &Peer, recipe: &str, file: &Path) -> Result<()> {
    builder.must(Client::Own, &["image", "build", recipe, "--alias", "made"])?;
    builder.must(Client::Own, &["image", "export", "made", &file.to_string_lossy()])?;
    builder.must(Client::Own, &["image", "delete", "made"])
}

impl Images {
    /// Puts both into a daemon, and into its pool: what is measured is a launch from a cached image.
    pub(super) fn import(&self, peer: &Peer) -> Result<()> {
        for (name, file) in [("debian", &self.debian), ("busybox", &self.busybox)] {
            let words = ["image", "import", &file.to_string_lossy(), "--alias", name];
            peer.must(Client::Stock, &words)?;
            peer.must(Client::Stock, &["launch", name, "warm"])?;
            peer.must(Client::Stock, &["delete", "--force", "warm"])?;
        }
        Ok(())
    }
}
