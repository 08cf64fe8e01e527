//! Streams of a pool whose trees can be streamed: they arrive in a build, as whatever else is made.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use exec::Control;

use super::build::Build;
use super::layout::Place;
use super::lock::Lock;
use super::meta::Meta;
use super::pool::DirPool;
use super::snapshots::{put_back, renewed};
use super::trees::{Purpose, TreeStreams, grow_to};
use crate::streams::{Arrival, Outgoing, Point, State, Streams};
use crate::{Content, Error, Result, Snapshots, VolumeId, VolumeKind};
use crate::{fallback, fsio};

impl DirPool {
    fn contents(&self, what: Point<'_>) -> Result<(Place, Meta)> {
        match what.snapshot {
            Some(name) => self.snapshot(what.of, name),
            None => self.find(what.of),
        }
    }

    /// Where the contents of a snapshot are that a stream starts from.
    fn base(&self, base: Option<(&VolumeId, &str)>) -> Result<Option<PathBuf>> {
        let found = base.map(|(of, name)| self.snapshot(of, name)).transpose()?;
        Ok(found.map(|(place, meta)| meta.contents(&place)))
    }

    fn tree_streams(&self) -> Result<&dyn TreeStreams> {
        let what = Error::NoStreams { driver: self.driver.name };
        self.trees.streams().ok_or(what)
    }
}

/// A prepared state, in a build that goes with it.
struct Prepared<'a> {
    outgoing: Box<dyn Outgoing + 'a>,
    _build: Build,
}

impl Outgoing for Prepared<'_> {
    fn id(&self) -> Option<&str> {
        self.outgoing.id()
    }

    fn send(&self, to: OwnedFd, control: &Control) -> Result<()> {
        self.outgoing.send(to, control)
    }
}

impl Streams for DirPool {
    fn form(&self) -> &'static str {
        self.driver.name
    }

    fn states(&self, of: &VolumeId) -> Result<Vec<State>> {
        let trees = self.tree_streams()?;
        let mut found = Vec::new();
        for name in Snapshots::list(self, of)? {
            let (place, meta) = self.snapshot(of, &name)?;
            if let Some((ids, age)) = trees.known(&meta.contents(&place))? {
                found.push(State { snapshot: name, ids, age });
            }
        }
        found.sort_by_key(|state| state.age);
        Ok(found)
    }

    fn prepare<'a>(
        &'a self,
        what: Point<'_>,
        base: Option<(&VolumeId, &str)>,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>> {
        let trees = self.tree_streams()?;
        let (place, meta) = self.contents(what)?;
        if meta.lower.is_some() {
            return Ok(None);
        }
        let base = self.base(base)?;
        let build = Build::start(&self.layout, self.trees.clone())?;
        let kept = if what.snapshot.is_some() { Purpose::Keep } else { Purpose::Use };
        let tree = meta.contents(&place);
        let outgoing = trees.prepare(&tree, base.as_deref(), kept, &build.place.folder)?;
        Ok(outgoing.map(|outgoing| Box::new(Prepared { outgoing, _build: build }) as _))
    }

    fn receive(&self, arrival: &Arrival<'_>, from: OwnedFd, control: &Control) -> Result<()> {
        let Arrival { to, shape, .. } = *arrival;
        to.check()?;
        if to.kind == VolumeKind::Image {
            return Err(Error::Unsupported { what: "receive", volume: to.clone() });
        }
        let there = match self.find(to) {
            Ok(there) => Some(there),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let meta = match &there {
            Some((_, meta)) => Meta { lower: None, ..renewed(meta) },
            None => Meta::new(to.kind, shape, None),
        };
        let build = Build::start(&self.layout, self.trees.clone())?;
        self.write_received(&build.place, &meta, arrival, from, control)?;
        match (there, arrival.beside) {
            (Some((now, before)), _) => {
                if before.contents(&now).file_name() != meta.contents(&now).file_name() {
                    return Err(Error::Unsupported { what: "receive into", volume: to.clone() });
                }
                let _lock = Lock::pool(&self.layout)?;
                put_back(&build.place, &now, &meta)
            }
            (None, beside) => {
                beside
                    .map_or(Ok(()), |beside| fallback::copy_beside(beside, &build.place.folder))?;
                meta.write_new(&build.place)?;
                fsio::sync_fs(&build.place.folder)?;
                control.check()?;
                let _lock = Lock::pool(&self.layout)?;
                self.publish(to, build)
            }
        }
    }
}

impl DirPool {
    /// Makes the contents of what arrives, durably.
    fn write_received(
        &self,
        place: &Place,
        meta: &Meta,
        arrival: &Arrival<'_>,
        from: OwnedFd,
        control: &Control,
    ) -> Result<()> {
        let trees = self.tree_streams()?;
        let base = self.base(arrival.base)?;
        let contents = meta.contents(place);
        trees.receive(base.as_deref(), &contents, arrival.kept, from, control)?;
        if arrival.kept.is_none() {
            match (meta.content, meta.size) {
                (Content::Block, Some(size)) => grow_to(&*self.trees, &contents, size)?,
                (Content::Filesystem, _) => self.limit(place, meta, arrival.to)?,
                _ => {}
            }
        }
        self.trees.settle(&contents)?;
        fsio::sync_fs(&place.folder)
    }
}
