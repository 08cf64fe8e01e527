//! `rbd`: images in a pool of Ceph, their snapshots, and the disks of this machine that they are mapped to.
//!
//! Names are given apart (`--pool`, `--image`, `--snap`); the program still reads an `@` or a `/` in them as its own.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::ceph::{CONNECT, Cluster, json};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::run::run;
use crate::tool::{Output, Tool};

/// Long enough for an OSD that fails to be taken out of use: until then what it has does not answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Reads or writes all of an image.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a list of the parts of an image: some sixty for each 4 MiB of it.
const PARTS: usize = 1 << 30;
/// What ends programs is a number of errno(3).
const NOT_FOUND: i32 = 2;
const BUSY: i32 = 16;
const EXISTS: i32 = 17;
const INVALID: i32 = 22;

/// A pool whose images are meant.
#[derive(Clone, Debug)]
pub struct Pool {
    /// In which cluster.
    pub cluster: Cluster,
    /// Its name.
    pub name: String,
    /// What new images can do, by the words of rbd(8).
    pub features: Vec<String>,
    /// The pool for the data of new images, where it is another.
    pub data_pool: Option<String>,
}

/// An image, or a snapshot of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point<'a> {
    /// The image's name.
    pub image: &'a str,
    /// The snapshot's.
    pub snap: Option<&'a str>,
}

impl<'a> Point<'a> {
    /// An image as it is now.
    pub fn now(image: &'a str) -> Point<'a> {
        Point { image, snap: None }
    }

    /// A snapshot of an image.
    pub fn snap(image: &'a str, snap: &'a str) -> Point<'a> {
        Point { image, snap: Some(snap) }
    }
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// Bytes it shows.
    pub size: u64,
    /// What it was cloned from and has not all of itself.
    pub parent: Option<Parent>,
}

/// What an image was cloned from, by the names that it has now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Parent {
    /// The image.
    pub image: String,
    /// Its snapshot.
    pub snapshot: String,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snap {
    /// Its number, which never changes.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Bytes that the image had.
    pub size: u64,
}

/// Whether something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was.
    Yes,
    /// What is to be changed is not there.
    NotFound,
    /// What it is to become is there already.
    Exists,
    /// Something uses it, or stands on it.
    Busy,
}

/// The mapped images of this machine, of all pools.
pub fn mapped() -> Result<Vec<Mapped>> {
    let tool = Tool::new("rbd", crate::ceph::PACKAGE).args(["showmapped", "--format", "json"]);
    json("rbd", &run(tool, &Control::none())?)
}

/// An image that is mapped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Mapped {
    /// Its pool.
    pub pool: String,
    /// The name that it had when it was mapped.
    pub name: String,
    /// The snapshot; `-` for none.
    pub snap: String,
    /// The disk that it is.
    pub device: PathBuf,
}

/// Ends a mapping.
pub fn unmap(device: &Path) -> Result<Done> {
    let tool = Tool::new("rbd", crate::ceph::PACKAGE).arg("unmap").arg(device);
    match run(tool, &Control::none()) {
        Err(error) if code(&error) == Some(INVALID) => Ok(Done::NotFound),
        done => outcome(done),
    }
}

impl Pool {
    fn tool<'a>(&self, verb: &[&str]) -> Tool<'a> {
        let connect = CONNECT.to_string();
        let tool = self.cluster.tool("rbd").args(["--client-mount-timeout", &connect]);
        tool.args(verb).args(["--pool", &self.name]).timeout(PATIENCE)
    }

    fn at<'a>(&self, verb: &[&str], point: Point<'_>) -> Tool<'a> {
        let tool = self.tool(verb).args(["--image", point.image]);
        match point.snap {
            Some(snap) => tool.args(["--snap", snap]),
            None => tool,
        }
    }

    fn to<'a>(&self, tool: Tool<'a>, name: &str) -> Tool<'a> {
        tool.args(["--dest-pool", &self.name, "--dest", name])
    }

    fn like_new<'a>(&self, mut tool: Tool<'a>) -> Tool<'a> {
        for feature in &self.features {
            tool = tool.args(["--image-feature", feature]);
        }
        match &self.data_pool {
            Some(pool) => tool.args(["--data-pool", pool]),
            None => tool,
        }
    }

    /// The names of all images; None where there is no such pool.
    pub fn list(&self) -> Result<Option<Vec<String>>> {
        found(run(self.tool(&["ls", "--format", "json"]), &Control::none()))
    }

    /// What an image is; None where there is none.
    pub fn info(&self, image: &str) -> Result<Option<Info>> {
        let tool = self.at(&["info", "--format", "json"], Point::now(image));
        found(run(tool, &Control::none()))
    }

    /// Makes an image.
    pub fn create(&self, image: &str, size: u64) -> Result<Done> {
        let tool = self.at(&["create", "--size", &format!("{size}B")], Point::now(image));
        done(self.like_new(tool), &Control::none())
    }

    /// Makes an image that shares all with a protected snapshot until it is written to.
    pub fn clone(&self, of: Point<'_>, to: &str) -> Result<Done> {
        // Of the first kind, which every cluster has.
        let tool = self.at(&["clone", "--rbd-default-clone-format", "1"], of);
        done(self.like_new(self.to(tool, to)), &Control::none())
    }

    /// Makes an image that shares nothing.
    pub fn copy(&self, of: Point<'_>, to: &str, control: &Control) -> Result<Done> {
        let tool = self.at(&["cp", "--no-progress"], of).timeout(LONG);
        done(self.like_new(self.to(tool, to)), control)
    }

    /// Renames an image, unless the name is another's.
    pub fn rename(&self, image: &str, to: &str) -> Result<Done> {
        done(self.to(self.at(&["rename"], Point::now(image)), to), &Control::none())
    }

    /// Removes an image without snapshots that nobody has open.
    pub fn remove(&self, image: &str) -> Result<Done> {
        done(self.at(&["rm", "--no-progress"], Point::now(image)).timeout(LONG), &Control::none())
    }

    /// Makes an image larger, or smaller: then what is beyond is lost.
    pub fn resize(&self, image: &str, size: u64) -> Result<Done> {
        let words = ["resize", "--no-progress", "--allow-shrink", "--size", &format!("{size}B")];
        match run(self.at(&words, Point::now(image)).timeout(LONG), &Control::none()) {
            Err(error) if error.stderr_has("equal to original size") => Ok(Done::Yes),
            done => outcome(done),
        }
    }

    /// Bytes that are stored of an image, without what it shares.
    pub fn used(&self, image: &str) -> Result<Option<u64>> {
        let tool = self.at(&["du", "--format", "json"], Point::now(image)).timeout(LONG);
        let all: Option<Du> = found(run(tool, &Control::none()))?;
        Ok(all.map(|all| all.images.iter().map(|image| image.used_size).sum()))
    }

    /// The parts of an image or a snapshot that are stored, or that it shares: all else reads as zeros.
    pub fn parts(&self, point: Point<'_>) -> Result<Vec<Range<u64>>> {
        let tool = self.at(&["diff", "--whole-object", "--format", "json"], point).timeout(LONG);
        let parts: Option<Vec<Part>> = found(run(tool.stdout_limit(PARTS), &Control::none()))?;
        let parts = parts.unwrap_or_default().into_iter();
        Ok(parts.map(|part| part.offset..part.offset + part.length).collect())
    }

    /// The address of whoever writes to an image, on any machine, and is alive: it has the image's exclusive lock, and
    /// watches for who else wants it.
    pub fn writer(&self, image: &str) -> Result<Option<String>> {
        let tool = self.at(&["lock", "ls", "--format", "json"], Point::now(image));
        let locks: Vec<Client> = found(run(tool, &Control::none()))?.unwrap_or_default();
        if locks.is_empty() {
            return Ok(None);
        }
        let tool = self.at(&["status", "--format", "json"], Point::now(image));
        let status: Option<Status> = found(run(tool, &Control::none()))?;
        let alive = status.map(|status| status.watchers).unwrap_or_default();
        Ok(locks
            .into_iter()
            .map(|lock| lock.address)
            .find(|lock| alive.iter().any(|client| client.address == *lock)))
    }

    /// A note that is kept with an image; None where there is none, or no image.
    pub fn note(&self, image: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let tool = self.at(&["image-meta", "get"], Point::now(image)).arg(key);
        match run(tool, &Control::none()) {
            Err(error) if code(&error) == Some(NOT_FOUND) => Ok(None),
            done => done.map(|output| Some(output.stdout)),
        }
    }

    /// Keeps a note with an image.
    pub fn set_note(&self, image: &str, key: &str, value: &str) -> Result<Done> {
        done(
            self.at(&["image-meta", "set"], Point::now(image)).args([key, value]),
            &Control::none(),
        )
    }

    /// The snapshots of an image; None where there is none.
    pub fn snaps(&self, image: &str) -> Result<Option<Vec<Snap>>> {
        let tool = self.at(&["snap", "ls", "--format", "json"], Point::now(image));
        found(run(tool, &Control::none()))
    }

    /// Takes a snapshot.
    pub fn take(&self, of: Point<'_>) -> Result<Done> {
        done(self.at(&["snap", "create", "--no-progress"], of), &Control::none())
    }

    /// Lets a snapshot be cloned, and not be removed; again is Ok.
    pub fn protect(&self, snap: Point<'_>) -> Result<Done> {
        match run(self.at(&["snap", "protect"], snap), &Control::none()) {
            Err(error) if error.stderr_has("already protected") => Ok(Done::Yes),
            done => outcome(done),
        }
    }

    /// Lets a snapshot be removed, of which there are no clones; again is Ok.
    pub fn unprotect(&self, snap: Point<'_>) -> Result<Done> {
        match run(self.at(&["snap", "unprotect"], snap), &Control::none()) {
            Err(error) if error.stderr_has("already unprotected") => Ok(Done::Yes),
            done => outcome(done),
        }
    }

    /// Removes a snapshot that is not protected.
    pub fn remove_snap(&self, snap: Point<'_>) -> Result<Done> {
        let tool = self.at(&["snap", "rm", "--no-progress"], snap).timeout(LONG);
        done(tool, &Control::none())
    }

    /// Renames a snapshot, unless the name is another's.
    pub fn rename_snap(&self, snap: Point<'_>, to: &str) -> Result<Done> {
        let tool = self.to(self.at(&["snap", "rename"], snap), snap.image);
        done(tool.args(["--dest-snap", to]), &Control::none())
    }

    /// Makes an image what it was, its size too. Broken off, it is neither; done again, it is.
    pub fn roll_back(&self, to: Point<'_>) -> Result<Done> {
        let tool = self.at(&["snap", "rollback", "--no-progress"], to).timeout(LONG);
        done(tool, &Control::none())
    }

    /// Makes an image, or a snapshot, which nobody can write to, a disk of this machine.
    pub fn map(&self, point: Point<'_>) -> Result<PathBuf> {
        let mut tool = self.at(&["map"], point);
        if point.snap.is_some() {
            tool = tool.arg("--read-only");
        }
        Ok(PathBuf::from(run(tool, &Control::none())?.text().trim()))
    }
}

/// The number it ended with; none where it did not come so far as to look, for want of a key or a file.
fn code(error: &Error) -> Option<i32> {
    let outside = ["connect to the cluster", "parsing config file"];
    error.exit_code().filter(|_| !outside.iter().any(|words| error.stderr_has(words)))
}

fn done(tool: Tool<'_>, control: &Control) -> Result<Done> {
    outcome(run(tool, control))
}

fn outcome(ended: Result<Output>) -> Result<Done> {
    match ended {
        Ok(_) => Ok(Done::Yes),
        Err(error) => match code(&error) {
            Some(NOT_FOUND) => Ok(Done::NotFound),
            Some(EXISTS) => Ok(Done::Exists),
            Some(BUSY) => Ok(Done::Busy),
            _ => Err(error),
        },
    }
}

fn found<T: serde::de::DeserializeOwned>(ended: Result<Output>) -> Result<Option<T>> {
    match ended {
        Err(error) if code(&error) == Some(NOT_FOUND) => Ok(None),
        ended => json("rbd", &ended?).map(Some),
    }
}

#[derive(Deserialize)]
struct Du {
    images: Vec<DuRow>,
}

#[derive(Deserialize)]
struct DuRow {
    used_size: u64,
}

#[derive(Deserialize)]
struct Status {
    watchers: Vec<Client>,
}

#[derive(Deserialize)]
struct Part {
    offset: u64,
    length: u64,
}

/// One that has a lock, or watches.
#[derive(Deserialize)]
struct Client {
    address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Ceph 16.2 wrote it.
    const INFO: &str = r#"{"name":"b","id":"104e25a04ce7","size":1073741824,"objects":256,"order":22,
        "features":["layering","exclusive-lock"],"parent":{"pool":"tank","pool_namespace":"","image":"a",
        "id":"1032fc66baac","snapshot":"s1","trash":false,"overlap":1073741824}}"#;
    const SNAPS: &str = r#"[{"id":4,"name":"s1","size":1073741824,"protected":"true","timestamp":"Mon Nov 30 19:13:03 2026"}]"#;
    const MAPPED: &str =
        r#"[{"id":"0","pool":"tank","namespace":"","name":"c","snap":"-","device":"/dev/rbd0"}]"#;

    #[test]
    fn what_the_program_writes_is_read() {
        let info: Info = serde_json::from_str(INFO).unwrap();
        assert_eq!((info.size, info.parent.unwrap().snapshot.as_str()), (1 << 30, "s1"));
        let snaps: Vec<Snap> = serde_json::from_str(SNAPS).unwrap();
        assert_eq!((snaps[0].id, snaps[0].name.as_str()), (4, "s1"));
        let mapped: Vec<Mapped> = serde_json::from_str(MAPPED).unwrap();
        assert_eq!(mapped[0].device, Path::new("/dev/rbd0"));
    }
}
