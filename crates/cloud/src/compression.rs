//! How a file is compressed: as the request says, else the project, else the server.

use images::{Compression, Packing};
use options::{Algorithm, Options, Value, project::ProjectOptions, server::ServerOptions};
use serde::{Deserialize, Serialize};
use store::Read;

use crate::{Error, Result, db::server};

/// What is compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Backup,
    Image,
}

/// A compression that this server can do, as it is journaled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wanted(String);

impl Wanted {
    /// Finds out what holds.
    pub(crate) fn find(
        db: &Read<'_>,
        project: &str,
        purpose: Purpose,
        given: &str,
    ) -> Result<Wanted> {
        let found = match given {
            "" => usual(db, project, purpose)?,
            given => options::Compression::parse(given)
                .map_err(|why| Error::invalid("compression_algorithm", why))?,
        };
        let wanted = Wanted(found.to_string());
        wanted.parsed()?;
        Ok(wanted)
    }

    /// The algorithm and its level.
    pub(crate) fn parsed(&self) -> Result<Packing> {
        let bad = |why: String| Error::invalid("compression_algorithm", why);
        let found = options::Compression::parse(&self.0).map_err(|why| bad(why.to_string()))?;
        let compression = match found.algorithm {
            Algorithm::None => Compression::None,
            Algorithm::Gzip => Compression::Gzip,
            Algorithm::Lzma => Compression::Lzma,
            Algorithm::Xz => Compression::Xz,
            Algorithm::Zstd => Compression::Zstd,
            Algorithm::Bzip2 | Algorithm::Lz4 => {
                let why = format!("\"{}\": this server writes gzip, lzma, xz, zstd, none", self.0);
                return Err(bad(why));
            }
        };
        Ok(Packing { compression, level: found.level })
    }
}

fn usual(db: &Read<'_>, project: &str, purpose: Purpose) -> Result<options::Compression> {
    let project = crate::projects::find(db, project)?;
    let own = ProjectOptions::parse(&project.config)?.defaults;
    let server = ServerOptions::parse_known(&server::get(db)?)?;
    Ok(match purpose {
        Purpose::Backup => own.backups_compression.unwrap_or(server.backups_compression),
        Purpose::Image => own.images_compression.unwrap_or(server.images_compression),
    })
}
