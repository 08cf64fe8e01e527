//! Driver `ceph`: volumes are images of RBD in an OSD pool, which the members of a cluster share.
//!
//! ```text
//! no source   an OSD pool of the pool's name, made if there is none
//! a name      that OSD pool: empty, ours, or of others with ceph.osd.force_reuse
//! ```
//! What there is stands in Ceph alone: the names of images (`names.rs`) and a note with each (`note.rs`), so that every
//! member sees at once what another made. A member has only a folder where it mounts what it uses (`member.rs`). Every
//! change becomes true by one rename of an image or a snapshot. Why: `docs/decisions/ceph.md`.

use exec::ceph::Cluster;
use uuid::Uuid;

use crate::{CephOptions, Driver, DriverInfo, Error, Pool, PoolSpec, Result, fsio, mounts};

mod build;
mod clones;
mod disks;
mod images;
mod member;
mod names;
mod note;
mod pool;
mod snapshots;
mod source;
mod uses;

#[cfg(test)]
mod tests;

use member::Member;
use pool::CephPool;
use source::Owner;

/// The driver.
pub(crate) struct CephRbd;

static INFO: DriverInfo = DriverInfo { name: "ceph", remote: true, streams: false, version: 1 };

/// The object with what is kept with a pool.
const RECORD: &str = "microcloud.record";
/// Where clusters are described.
const CONFIGURATIONS: &str = "/etc/ceph";

impl CephOptions {
    fn cluster(&self) -> Cluster {
        let or =
            |said: &Option<String>, usual: &str| said.clone().unwrap_or_else(|| usual.to_owned());
        Cluster { name: or(&self.cluster, "ceph"), user: or(&self.user, "admin") }
    }
}

impl Driver for CephRbd {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        source::make(&source::images(spec), spec)?;
        Member::of(&spec.path).map(drop)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        let images = source::images(spec);
        source::check(&images, spec.id, &spec.path)?;
        Ok(Box::new(CephPool::open(spec, images)?))
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        let images = source::images(spec);
        match source::owner(&images, spec.id)? {
            Owner::Other(_) => return Ok(()),
            Owner::Ours { .. } => match source::kept(&images)? {
                0 => {}
                count => return Err(Error::PoolInUse { pool: spec.name.clone(), count }),
            },
            Owner::Absent | Owner::Nobody => {}
        }
        self.close(spec)?;
        source::remove(&images, spec)?;
        Member::forget(&spec.path)
    }

    fn check_delete(&self, spec: &PoolSpec) -> Result<()> {
        match source::kept(&source::images(spec))? {
            0 => Ok(()),
            count => Err(Error::PoolInUse { pool: spec.name.clone(), count }),
        }
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        let folder = spec.path.join("mounts");
        for name in fsio::names(&folder)? {
            mounts::unmount(&folder.join(name))?;
        }
        let pool = source::name(spec);
        let all = exec::rbd::mapped().unwrap_or_default();
        for it in all.into_iter().filter(|it| it.pool == pool) {
            // What is in use stays until it is not.
            let _ = exec::rbd::unmap(&it.device);
        }
        Ok(())
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        let all = source::images(spec).names()?.unwrap_or_default();
        Ok(all.iter().find_map(|image| names::marked(image)).map(|(id, _)| id))
    }

    fn unable(&self) -> Option<String> {
        if !exec::ceph::PROGRAMS.iter().all(|program| exec::installed(program)) {
            return Some(String::from("ceph is not installed: apt install ceph-common"));
        }
        let found = fsio::names(CONFIGURATIONS.as_ref()).unwrap_or_default();
        let known = found.iter().any(|name| name.ends_with(".conf"));
        (!known).then(|| format!("no cluster is known: {CONFIGURATIONS} has no .conf"))
    }
}

/// Removes whatever there is of a pool, full or not.
#[cfg(test)]
pub(crate) fn forget(spec: &PoolSpec) {
    let images = source::images(spec);
    let gone = CephRbd.close(spec).and_then(|()| {
        let removed = images.rbd.cluster.remove_pool(&images.rbd.name);
        removed.map(drop).map_err(images.failed("remove OSD pool", ""))
    });
    if let Err(error) = gone {
        eprintln!("left behind: {error}");
    }
}
