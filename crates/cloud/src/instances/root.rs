//! How the root of an instance is made: where, how large, and what its disk says for the beginning (`initial.*`).
//!
//! It is the same however a root comes to be: of an image, empty, as a copy, from a backup, in another pool.

use options::Raw;
use serde::{Deserialize, Serialize};
use storage::Shape;
use store::{Read, Write};

use super::{Kind, options::Typed};
use crate::{
    Result,
    db::{
        instances::{Instance, Made},
        volumes::{self, Volume},
    },
    volumes::config,
};

/// The size of a disk for which nobody says one, as LXD has it: 10 GiB.
const USUAL_DISK: u64 = 10 << 30;

/// A root that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NewRoot {
    pub(crate) pool: String,
    pub(crate) size: Option<u64>,
    /// With files of its own rather than layers: for containers that mount overlays inside.
    #[serde(default)]
    plain: bool,
    /// The options its volume has.
    #[serde(default)]
    pub(super) config: Raw,
}

impl NewRoot {
    /// One of an image, or empty. Fails where its disk says what means nothing to such a root.
    pub(crate) fn new(db: &Read<'_>, kind: Kind, typed: &Typed) -> Result<NewRoot> {
        let pool = crate::storage::find(db, typed.root_pool()?)?;
        config::check_initial(&initial(typed), word(kind), &pool)?;
        let root = NewRoot::filled(db, kind, typed)?;
        Ok(NewRoot { size: usual_size(kind, typed), ..root })
    }

    /// One that gets what is in another, and its size unless its disk says one. What its disk says for pools of
    /// another driver is left out.
    pub(crate) fn filled(db: &Read<'_>, kind: Kind, typed: &Typed) -> Result<NewRoot> {
        let pool = crate::storage::find(db, typed.root_pool()?)?;
        let mut config = initial(typed);
        config::fit(&mut config, &pool.driver);
        config::check_initial(&config, word(kind), &pool)?;
        let (size, plain) = (typed.root_size(), typed.options.security.nesting);
        Ok(NewRoot { pool: pool.name, size, plain, config })
    }

    /// What the pool is to make.
    pub(crate) fn shape(&self, kind: Kind) -> Result<Shape> {
        let shape = config::shape(&self.config, kind.content())?;
        Ok(Shape { size: self.size, plain: self.plain, ..shape })
    }

    /// The row of its volume.
    pub(crate) fn row(&self, instance: &Instance) -> Volume {
        Volume {
            id: 0,
            pool: self.pool.clone(),
            project: instance.project.clone(),
            member: instance.member.clone(),
            kind: instance.kind.clone(),
            name: instance.name.clone(),
            content: word(instance.kind()).to_owned(),
            description: String::new(),
            config: self.config.clone(),
            created_at: instance.created_at,
            made: Made::Ready,
        }
    }
}

/// The size a new root is to have. A disk has one; files have one only if it is asked for.
pub(super) fn usual_size(kind: Kind, typed: &Typed) -> Option<u64> {
    match kind {
        Kind::Container => typed.root_size(),
        Kind::VirtualMachine => Some(typed.root_size().unwrap_or(USUAL_DISK)),
    }
}

/// The options of the volume that an instance's root is.
pub(super) fn options_of(db: &Read<'_>, instance: &Instance) -> Result<Raw> {
    let Instance { project, kind, name, .. } = instance;
    let found = volumes::of_instance(db, project, kind, name)?;
    Ok(found.map(|volume| volume.config).unwrap_or_default())
}

/// Gives them to it.
pub(super) fn set_options(db: &mut Write<'_>, instance: &Instance, config: &Raw) -> Result<()> {
    let Instance { project, kind, name, .. } = instance;
    match volumes::of_instance(db, project, kind, name)? {
        Some(volume) => Ok(volumes::update(db, volume.id, &volume.description, config)?),
        None => Ok(()),
    }
}

/// What a root holds, as rows say it.
fn word(kind: Kind) -> &'static str {
    crate::storage::ids::content(kind.content())
}

/// The options that the root disk gives its volume.
fn initial(typed: &Typed) -> Raw {
    typed.root().map(|disk| Raw(disk.initial.clone())).unwrap_or_default()
}
