//! The OSD pool of a pool: found or made, marked, and removed.

use std::path::Path;

use exec::rbd::Done;
use uuid::Uuid;

use super::images::Images;
use super::{RECORD, names};
use crate::{Error, PoolSpec, Result, VolumeKind};

/// Placement groups of a new OSD pool, where it is not said: as LXD's.
const GROUPS: u32 = 32;

/// The name of the OSD pool.
pub(super) fn name(spec: &PoolSpec) -> String {
    let source = spec.source.as_ref().map(|source| source.display().to_string());
    source.or_else(|| spec.options.ceph.pool.clone()).unwrap_or_else(|| spec.name.clone())
}

pub(super) fn images(spec: &PoolSpec) -> Images {
    Images::new(&name(spec), &spec.options.ceph)
}

/// Whose an OSD pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is no OSD pool.
    Absent,
    /// It has no mark, and maybe images.
    Nobody,
    /// It is marked so.
    Ours {
        /// Whether it was made for the pool.
        own: bool,
    },
    /// It has another's mark.
    Other(Uuid),
}

pub(super) fn owner(images: &Images, id: Option<Uuid>) -> Result<Owner> {
    let Some(all) = images.names()? else { return Ok(Owner::Absent) };
    let marks: Vec<(Uuid, bool)> = all.iter().filter_map(|image| names::marked(image)).collect();
    let ours = |mark: &&(Uuid, bool)| mark.0 == id.unwrap_or_default();
    Ok(match marks.iter().find(|mark| !ours(mark)) {
        Some((other, _)) => Owner::Other(*other),
        None if marks.is_empty() => Owner::Nobody,
        None => Owner::Ours { own: marks.iter().any(|(_, own)| *own) },
    })
}

/// Fails unless the pool is there.
pub(super) fn check(images: &Images, id: Option<Uuid>, path: &Path) -> Result<()> {
    let path = path.to_owned();
    match owner(images, id)? {
        Owner::Ours { .. } => Ok(()),
        Owner::Absent | Owner::Nobody => Err(Error::NoPool { path }),
        Owner::Other(_) => Err(Error::ForeignPool { path }),
    }
}

/// Makes an OSD pool, or takes one that is nobody's; one that is ours is Ok.
pub(super) fn make(images: &Images, spec: &PoolSpec) -> Result<()> {
    let (rbd, options) = (&images.rbd, &spec.options.ceph);
    let own = match owner(images, spec.id)? {
        Owner::Ours { .. } => return Ok(()),
        Owner::Other(_) => return Err(Error::ForeignPool { path: rbd.name.clone().into() }),
        Owner::Nobody => {
            refuse_others(images, spec)?;
            false
        }
        Owner::Absent => {
            let groups = options.pg_num.unwrap_or(GROUPS);
            rbd.cluster
                .make_pool(&rbd.name, groups, options.replicas)
                .map_err(images.failed("make OSD pool", ""))?;
            true
        }
    };
    let marker = names::marker(spec.id, own);
    rbd.create(&marker, 0).map_err(images.failed("mark", &marker))?;
    // Of two that take it at once, both see it.
    match owner(images, spec.id)? {
        Owner::Ours { .. } => Ok(()),
        _ => {
            rbd.remove(&marker).map_err(images.failed("remove", &marker))?;
            Err(Error::ForeignPool { path: rbd.name.clone().into() })
        }
    }
}

fn refuse_others(images: &Images, spec: &PoolSpec) -> Result<()> {
    let others = images.names()?.is_some_and(|all| !all.is_empty());
    match others && !spec.options.ceph.reuse {
        true => Err(Error::Source {
            path: images.rbd.name.clone().into(),
            why: "this OSD pool has images of others: name another, or set ceph.osd.force_reuse",
        }),
        false => Ok(()),
    }
}

/// Removes a pool that has no volumes but images; and the OSD pool, if it was made for it. Another's stays.
pub(super) fn remove(images: &Images, spec: &PoolSpec) -> Result<()> {
    let Owner::Ours { own } = owner(images, spec.id)? else { return Ok(()) };
    let rbd = &images.rbd;
    if own && rbd.cluster.remove_pool(&rbd.name).map_err(images.failed("remove OSD pool", ""))? {
        return Ok(());
    }
    for image in images.names()?.unwrap_or_default() {
        if is_ours(&image) {
            images.discard(&image)?;
        }
    }
    rbd.cluster.remove(&rbd.name, RECORD).map_err(images.failed("remove", RECORD))?;
    // The mark goes last, so that a pool half removed can be removed again.
    for own in [true, false] {
        let marker = names::marker(spec.id, own);
        rbd.remove(&marker).map(|_: Done| ()).map_err(images.failed("remove", &marker))?;
    }
    Ok(())
}

/// How many volumes there are that are no images of instances.
pub(super) fn kept(images: &Images) -> Result<usize> {
    let all = images.names()?.unwrap_or_default();
    let volumes = all.iter().filter_map(|image| names::volume(image));
    Ok(volumes.filter(|id| id.kind != VolumeKind::Image).count())
}

/// Whether an image is one of a pool of ours, but for its mark: what has other names is somebody else's.
fn is_ours(image: &str) -> bool {
    names::volume(image).is_some()
        || names::is_zombie(image)
        || names::made(image).is_some()
        || names::is_part(image)
}
