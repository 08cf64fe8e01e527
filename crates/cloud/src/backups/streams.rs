//! Backups that only the pool's driver reads: its streams in the place of files.
//!
//! ```text
//! backup/index.yaml   optimized: true
//! backup/container/   backup.yaml metadata.yaml templates/
//! backup/snapshots/<name>.bin ..   each starts from the one before
//! backup/container.bin             starts from the last of them
//! ```

use std::{
    fs::{self, File, OpenOptions},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use images::backup::{FORM, Index};
use storage::{
    FillError, Shape,
    streams::{Arrival, Outgoing, Point},
};

use super::{Contents, Job, Out, Unpack, limits};
use crate::{Error, Result, blocking::blocking, disk::remove_file as remove};

/// A state that goes into the file under that name.
type Named<'a> = (String, Box<dyn Outgoing + 'a>);

/// Fails when a backup is in a form that the pool's driver does not read.
pub(crate) fn check_form(index: &Index, driver: &str) -> Result<()> {
    let wrong = |why: String| Err(Error::invalid("backup", why));
    match index.optimized {
        false => Ok(()),
        true if index.optimized_form != FORM => wrong(String::from(
            "it was written with --optimized-storage by a server of another kind: export without it there",
        )),
        true if index.backend != driver => wrong(format!(
            "only a storage pool of driver {} reads it, and the one for it is of {driver}: name another \
             pool, or export without --optimized-storage",
            index.backend
        )),
        true => Ok(()),
    }
}

impl Job {
    /// All that goes into the file, held as it is now; None where it goes as files.
    pub(super) fn states<'a>(&self, contents: &Contents<'a>) -> Result<Option<Vec<Named<'a>>>> {
        let Some(streams) = contents.pool.streams().filter(|_| self.optimized) else {
            return Ok(None);
        };
        let [now, folder] = contents.names;
        let kept = contents.index.snapshots.iter();
        let kept = kept.map(|name| (format!("{folder}/{name}.bin"), &self.volume, Some(name)));
        let (mut held, mut base) = (Vec::new(), None);
        for (name, of, snapshot) in kept.chain([(format!("{now}.bin"), &self.root, None)]) {
            let point = Point { of, snapshot: snapshot.map(String::as_str) };
            let from = base.map(|base: &String| (&self.volume, base.as_str()));
            let state = match streams.prepare(point, from)? {
                None if from.is_some() => streams.prepare(point, None)?,
                state => state,
            };
            let Some(state) = state else { return Ok(None) };
            held.push((name, state));
            base = snapshot;
        }
        Ok(Some(held))
    }

    /// Writes the file of them.
    pub(super) fn streams(&self, contents: &Contents<'_>, states: &[Named<'_>]) -> Result<()> {
        let index =
            Index { optimized: true, optimized_form: String::from(FORM), ..contents.index.clone() };
        self.file(&index, |tarball| {
            let [name, folder] = contents.names;
            let beside = self.part(contents, name.to_owned(), None, None)?;
            (contents.part)(tarball, &beside)?;
            if !index.snapshots.is_empty() {
                tarball.folder(folder)?;
            }
            states.iter().try_for_each(|(name, state)| self.stream(tarball, name, &**state))
        })
    }

    /// Puts one into the file. Before a part of a tarball stands how long it is, so it is written twice.
    fn stream(&self, tarball: &mut Out<'_>, name: &str, state: &dyn Outgoing) -> Result<()> {
        let file = nameless(&self.to)?;
        let to = file.try_clone().map_err(Error::file("open", &self.to))?;
        state.send(to.into(), &self.control)?;
        Ok(tarball.disk(&path_of(&file), name)?)
    }
}

/// Makes what a stream is to fill.
pub(crate) fn empty(shape: &Shape, into: &Path) -> std::io::Result<()> {
    match shape.content.is_disk() {
        true => File::create(into.join("root.img"))?.set_len(shape.size.unwrap_or(1 << 20)),
        false => fs::create_dir(into.join("rootfs")),
    }
}

/// A file beside another, for a stream.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".stream");
    name.into()
}

/// A file beside another that goes with whoever has it open.
fn nameless(file: &Path) -> Result<File> {
    let path = beside(file);
    remove(&path)?;
    let open = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let file = open.map_err(Error::file("make", &path))?;
    remove(&path)?;
    Ok(file)
}

fn path_of(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

impl Unpack {
    /// Makes the volume without its contents, which come last; one that is there is this one.
    pub(crate) async fn bare(&self, part: Option<&'static str>) -> Result<()> {
        let unpack = self.clone();
        blocking("unpack what lies beside", move || {
            if unpack.pool.exists(&unpack.volume)? {
                return Ok(());
            }
            let mut fill = |into: &Path| -> Result<(), FillError> {
                empty(&unpack.shape, into)?;
                let (limits, part) = (limits(&unpack.pool)?, Path::new(part.unwrap_or_default()));
                images::unpack_beside(&unpack.file, part, into, &limits, &unpack.control)?;
                Ok(())
            };
            let fill: Option<storage::Fill<'_>> = match part {
                Some(_) => Some(&mut fill),
                None => None,
            };
            Ok::<_, Error>(unpack.pool.create(
                &unpack.volume,
                &unpack.shape,
                fill,
                &unpack.control,
            )?)
        })
        .await
    }

    /// Makes its snapshots of streams in the file, and then its contents: names and parts, the oldest first.
    pub(crate) async fn streams(
        &self,
        parts: Vec<(String, String)>,
        now: &'static str,
    ) -> Result<()> {
        let unpack = self.clone();
        blocking("receive snapshots", move || {
            let Some(snapshots) = unpack.pool.snapshots() else {
                return Err(Error::Unsupported("a snapshot in a storage pool of this driver"));
            };
            let beside = unpack.pool.folder(&unpack.volume)?;
            let mut last: Option<&str> = None;
            for (name, part) in &parts {
                if !snapshots.list(&unpack.volume)?.contains(name) {
                    unpack.pool.delete(&unpack.side)?;
                    let arrival = unpack.arrival(&unpack.side, last);
                    let arrival = Arrival { kept: Some(None), beside: Some(&beside), ..arrival };
                    unpack.receive(&arrival, part)?;
                    snapshots.adopt(&unpack.side, &unpack.volume, name)?;
                }
                last = Some(name);
            }
            unpack.receive(&unpack.arrival(&unpack.volume, last), now)
        })
        .await
    }

    fn arrival<'a>(&'a self, to: &'a storage::VolumeId, last: Option<&'a str>) -> Arrival<'a> {
        let base = last.map(|name| (&self.volume, name));
        Arrival { to, shape: &self.shape, base, kept: None, beside: None, held: None }
    }

    fn receive(&self, arrival: &Arrival<'_>, part: &str) -> Result<()> {
        let streams = self.pool.streams().ok_or(Error::Unsupported("a backup of that form"))?;
        let (part, file) = (format!("{part}.bin"), beside(&self.file));
        let limits = limits(&self.pool)?;
        remove(&file)?;
        images::unpack_disk(&self.file, Path::new(&part), &file, &limits, &self.control)?;
        let from = File::open(&file).map_err(Error::file("open", &file))?;
        remove(&file)?;
        Ok(streams.receive(arrival, from.into(), &self.control)?)
    }
}
