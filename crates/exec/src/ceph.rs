//! `ceph`, `rados`: a cluster of Ceph, the pools in it, and small objects.

use std::time::Duration;

use serde::Deserialize;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::run::run;
use crate::tool::{Output, Tool};

/// Their names, to look for them.
pub const PROGRAMS: [&str; 3] = ["ceph", "rados", "rbd"];

/// The Debian package with all of them.
pub(crate) const PACKAGE: &str = "ceph-common";
/// How long they look for a monitor that answers, in seconds. Their own choice is five minutes.
pub(crate) const CONNECT: u64 = 10;
/// A pool is made when its placement groups are.
const PATIENCE: Duration = Duration::from_secs(120);
/// A record is written by one operation, so that nobody reads half of it: below what OSDs take at once
/// (`osd_max_write_size`, 90 MiB).
const RECORD_LIMIT: usize = 64 << 20;

/// How a cluster is reached: `/etc/ceph/NAME.conf` names its monitors, and a keyring there has the user's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, usually `ceph`.
    pub name: String,
    /// The user without `client.`, usually `admin`.
    pub user: String,
}

impl Cluster {
    pub(crate) fn tool<'a>(&self, program: &'static str) -> Tool<'a> {
        Tool::new(program, PACKAGE).args(["--cluster", &self.name, "--id", &self.user])
    }

    fn ceph<'a>(&self, words: &[&str]) -> Tool<'a> {
        let connect = CONNECT.to_string();
        self.tool("ceph").args(["--connect-timeout", &connect]).args(words).timeout(PATIENCE)
    }

    fn rados<'a>(&self, pool: &str, words: &[&str]) -> Tool<'a> {
        let connect = CONNECT.to_string();
        let tool = self.tool("rados").args(["--client-mount-timeout", &connect]);
        tool.args(["--pool", pool]).args(words)
    }

    /// Makes a pool for images, with so many placement groups and copies of each object; one that is there is Ok.
    pub fn make_pool(&self, pool: &str, groups: u32, copies: Option<u32>) -> Result<()> {
        let (groups, copies) = (groups.to_string(), copies.map(|copies| copies.to_string()));
        let mut words = vec!["osd", "pool", "create", pool, &groups];
        if let Some(copies) = &copies {
            words.extend(["--size", copies]);
        }
        run(self.ceph(&words), &Control::none())?;
        run(self.ceph(&["osd", "pool", "application", "enable", pool, "rbd"]), &Control::none())
            .map(drop)
    }

    /// Removes a pool with all that is in it; an absent one is Ok. False where the cluster allows nobody to.
    pub fn remove_pool(&self, pool: &str) -> Result<bool> {
        let sure = "--yes-i-really-really-mean-it";
        match run(self.ceph(&["osd", "pool", "rm", pool, pool, sure]), &Control::none()) {
            Err(error) if error.stderr_has("EPERM") => Ok(false),
            done => done.map(|_| true),
        }
    }

    /// Room in a pool; None where there is no such pool.
    pub fn room(&self, pool: &str) -> Result<Option<Room>> {
        let output = run(self.ceph(&["df", "--format", "json"]), &Control::none())?;
        let all: Df = json("ceph", &output)?;
        let found = all.pools.into_iter().find(|one| one.name == pool);
        Ok(found.map(|found| Room::of(&all.stats, &found.stats)))
    }

    /// Lets a client at an address write no more, for an hour: who is thought to be dead may not be.
    pub fn shut_out(&self, address: &str) -> Result<()> {
        run(self.ceph(&["osd", "blocklist", "add", address]), &Control::none()).map(drop)
    }

    /// Puts a record into a pool, in place of what it had.
    pub fn put(&self, pool: &str, name: &str, record: &[u8]) -> Result<()> {
        let at_once = RECORD_LIMIT.to_string();
        let tool = self.rados(pool, &["--block-size", &at_once, "put", name, "-"]);
        run(tool.input(record), &Control::none()).map(drop)
    }

    /// A record of a pool.
    pub fn get(&self, pool: &str, name: &str) -> Result<Option<Vec<u8>>> {
        let tool = self.rados(pool, &["get", name, "-"]).stdout_limit(RECORD_LIMIT);
        match run(tool, &Control::none()) {
            Err(error) if error.stderr_has("(2) No such file") => Ok(None),
            done => done.map(|output| Some(output.stdout)),
        }
    }

    /// Removes a record; an absent one is Ok.
    pub fn remove(&self, pool: &str, name: &str) -> Result<()> {
        match run(self.rados(pool, &["rm", name]), &Control::none()) {
            Err(error) if error.stderr_has("(2) No such file") => Ok(()),
            done => done.map(drop),
        }
    }
}

/// Room in a pool, in bytes of what is stored: copies are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all, with what other pools of the cluster have.
    pub total: u64,
    /// Taken by whatever is in the cluster.
    pub used: u64,
    /// Taken by what is in the pool.
    pub own: u64,
}

impl Room {
    /// What is available to the pool tells how many bytes of disks each byte of it takes.
    fn of(all: &Stats, pool: &PoolStats) -> Room {
        let share = pool.max_avail as f64 / (all.total_avail_bytes.max(1)) as f64;
        let part = |bytes: u64| (bytes as f64 * share).ceil() as u64;
        let used = part(all.total_used_raw_bytes);
        Room { total: pool.max_avail + used, used, own: pool.stored }
    }
}

#[derive(Deserialize)]
struct Df {
    stats: Stats,
    pools: Vec<PoolRow>,
}

#[derive(Deserialize)]
struct Stats {
    total_avail_bytes: u64,
    total_used_raw_bytes: u64,
}

#[derive(Deserialize)]
struct PoolRow {
    name: String,
    stats: PoolStats,
}

#[derive(Deserialize)]
struct PoolStats {
    stored: u64,
    max_avail: u64,
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(
    program: &'static str,
    output: &Output,
) -> Result<T> {
    serde_json::from_slice(&output.stdout).map_err(|source| Error::Json { program, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Ceph 16.2 wrote it, of three copies of each object.
    const DF: &str = r#"{"stats":{"total_bytes":9000,"total_avail_bytes":6000,"total_used_bytes":3000,
        "total_used_raw_bytes":3000,"num_osds":3},"stats_by_class":{},
        "pools":[{"name":"tank","id":2,"stats":{"stored":51,"objects":7,"bytes_used":153,"max_avail":2000}}]}"#;

    #[test]
    fn room_is_told_without_the_copies_of_each_object() {
        let all: Df = serde_json::from_str(DF).unwrap();
        let room = Room::of(&all.stats, &all.pools[0].stats);
        assert_eq!(room, Room { total: 3000, used: 1000, own: 51 });
    }
}
