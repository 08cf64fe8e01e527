//! `zpool` and `zfs`: pools of disks, and the datasets in them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::{Output, Tool};

/// Its name, to look for it.
pub const PROGRAM: &str = "zpool";

const PACKAGE: &str = "zfsutils-linux";
/// Waits for the disks of a pool.
const PATIENCE: Duration = Duration::from_secs(300);
/// Reads or writes all of a pool.
const DAYS: Duration = Duration::from_secs(7 * 24 * 3600);

/// A dataset: files, or a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its whole name, which begins with that of its pool.
    pub name: String,
    /// Bytes it takes, with what it shares.
    pub referenced: u64,
    /// Bytes that are its own.
    pub used: u64,
    /// Bytes it could still take.
    pub available: u64,
    /// Bytes of a disk.
    pub size: Option<u64>,
}

/// The names of all imported pools.
pub fn pools() -> Result<Vec<String>> {
    Ok(lines(&run(zpool(["list", "-H", "-o", "name"]), &Control::none())?))
}

/// Makes a pool on a disk or a file, that its comment can be read from, and of whose datasets none is mounted.
pub fn make_pool(pool: &str, on: &Path, comment: &str, overwrite: bool) -> Result<()> {
    let mut tool = zpool(["create", "-m", "none", "-o", "cachefile=none", "-o", "autoexpand=on"]);
    if overwrite {
        tool = tool.arg("-f");
    }
    let comment = format!("comment={comment}");
    // Links, ACLs and attributes as containers have them, without a second read for each.
    let all =
        ["-O", "acltype=posixacl", "-O", "xattr=sa", "-O", "relatime=on", "-O", "compression=on"];
    change(tool.args(["-o", &comment]).args(all).arg(pool).arg(on))
}

/// Imports a pool, by its name or its number, from what is on a disk, on the disks of a folder, or on any disk.
pub fn import(pool: &str, from: Option<&Path>) -> Result<()> {
    let mut tool = zpool(["import", "-N", "-f", "-o", "cachefile=none"]);
    if let Some(from) = from {
        tool = tool.arg("-d").arg(from);
    }
    change(tool.arg(pool))
}

/// Lets go of a pool, so that its disks can be taken away.
pub fn export(pool: &str) -> Result<()> {
    change(zpool(["export", pool]))
}

/// Removes a pool with all that is in it.
pub fn destroy_pool(pool: &str) -> Result<()> {
    change(zpool(["destroy", "-f", pool]))
}

/// Lets a pool see that its disk or file has grown.
pub fn expand(pool: &str, disk: &Path) -> Result<()> {
    change(zpool(["online", "-e", pool]).arg(disk))
}

/// A property of a pool.
pub fn pool_property(pool: &str, name: &str) -> Result<String> {
    let output = run(zpool(["get", "-H", "-p", "-o", "value", name, pool]), &Control::none())?;
    Ok(lines(&output).into_iter().next().unwrap_or_default())
}

/// Compares everything in a pool with its checksums, and waits for the end.
pub fn scrub(pool: &str, control: &Control) -> Result<()> {
    let done = run(zpool(["scrub", "-w", pool]).timeout(DAYS), control);
    if control.cancelled() {
        change(zpool(["scrub", "-s", pool]))?;
    }
    done.map(drop)
}

/// What the state of a pool says, for people.
pub fn status(pool: &str) -> Result<String> {
    let output = run(zpool(["status", "-p", pool]), &Control::none())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes a dataset for files, with those that it lies in. It is mounted by whoever needs it.
pub fn make(name: &str, properties: &[(&str, &str)]) -> Result<()> {
    let tool = zfs(["create", "-p", "-o", "mountpoint=legacy"]);
    change(with(tool, properties).arg(name))
}

/// When a disk takes its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// As it is written to.
    AsNeeded,
    /// When it is made.
    AtOnce,
}

/// Makes a disk.
pub fn make_disk(name: &str, size: u64, room: Room, properties: &[(&str, &str)]) -> Result<()> {
    let mut tool = zfs(["create", "-V", &size.to_string()]);
    if room == Room::AsNeeded {
        tool = tool.arg("-s");
    }
    change(with(tool, properties).arg(name))
}

/// Makes a dataset that is as that state is, and goes on alone.
///
/// The state goes by itself with the last that stands on it.
pub fn copy(state: &str, to: &str, properties: &[(&str, &str)]) -> Result<()> {
    let cloned = change(with(zfs(["clone"]), properties).args([state, to]));
    cloned.and(forget(state))
}

/// The states that a dataset stands on, the nearest first.
pub fn origins(name: &str) -> Result<Vec<String>> {
    let (mut found, mut name): (Vec<String>, _) = (Vec::new(), name.to_owned());
    loop {
        let output = run(zfs(["get", "-H", "-o", "value", "origin", &name]), &Control::none())?;
        let origin = lines(&output).into_iter().next().filter(|origin| origin != "-");
        let Some(origin) = origin else { return Ok(found) };
        name = origin.split('@').next().unwrap_or_default().to_owned();
        found.push(origin);
    }
}

/// A state of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The dataset that has it.
    pub of: String,
    /// Its name, as it was made for.
    pub mark: String,
    /// By what it is known on every pool.
    pub guid: u64,
    /// Grows with every change of the pool.
    pub made: u64,
}

impl State {
    /// Its whole name.
    pub fn name(&self) -> String {
        format!("{}@{}", self.of, self.mark)
    }
}

/// The states of a dataset and of all in it; none where it is not there.
pub fn states(name: &str) -> Result<Vec<State>> {
    let columns = "name,guid,createtxg";
    let words = ["list", "-H", "-p", "-r", "-t", "snapshot", "-o", columns, name];
    match run(zfs(words), &Control::none()) {
        Ok(output) => Ok(lines(&output).iter().filter_map(|line| state(line)).collect()),
        Err(error) if error.stderr_has("dataset does not exist") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Remembers a dataset as it is now.
pub fn remember(name: &str, mark: &str) -> Result<()> {
    change(zfs(["snapshot", &format!("{name}@{mark}")]))
}

/// Forgets a state, now or with the last dataset that stands on it.
pub fn forget(state: &str) -> Result<()> {
    match change(zfs(["destroy", "-d", state])) {
        Err(error) if error.stderr_has("could not find any snapshots") => Ok(()),
        other => other,
    }
}

/// Whether a state can be sent as what makes it of an older one.
pub fn can_send(state: &str, base: &str) -> bool {
    change(zfs(["send", "-n", "-i", base, state])).is_ok()
}

/// Writes a state, or what makes it of an older one, as a stream.
pub fn send(state: &str, base: Option<&str>, to: File, control: &Control) -> Result<()> {
    let words = base.map_or(vec!["send", state], |base| vec!["send", "-i", base, state]);
    run(zfs(words).output_file(to).timeout(DAYS), control).map(drop)
}

/// Makes a dataset of a stream, with a state of that name. One that starts from another starts from `base`.
pub fn receive(
    state: &str,
    base: Option<&str>,
    properties: &[(&str, &str)],
    from: File,
    control: &Control,
) -> Result<()> {
    let mut tool = with(zfs(["receive", "-u"]), properties);
    if let Some(base) = base {
        tool = tool.args(["-o", &format!("origin={base}")]);
    }
    run(tool.arg(state).input_file(from).timeout(DAYS), control).map(drop)
}

/// Lets whoever is root in a user namespace manage a dataset and what it makes in it.
pub fn zone(name: &str, namespace: &Path) -> Result<()> {
    set(name, &[("zoned", "on")])?;
    match change(zfs(["zone"]).arg(namespace).arg(name)) {
        // It was before.
        Err(error) if error.stderr_has("already") => Ok(()),
        other => other,
    }
}

/// Sets properties of a dataset.
pub fn set(name: &str, properties: &[(&str, &str)]) -> Result<()> {
    let words = properties.iter().map(|(key, value)| format!("{key}={value}"));
    change(zfs(["set"]).args(words).arg(name))
}

/// A property of a dataset; empty where it is not set on itself.
pub fn own_property(name: &str, key: &str) -> Result<String> {
    let words = ["get", "-H", "-p", "-s", "local", "-o", "value", key, name];
    let output = run(zfs(words), &Control::none())?;
    Ok(lines(&output).into_iter().next().unwrap_or_default())
}

/// A dataset with those directly in it, itself first; none where it is not there.
pub fn list(name: &str) -> Result<Vec<Dataset>> {
    let columns = "name,refer,used,avail,volsize";
    let words = ["list", "-H", "-p", "-d", "1", "-t", "filesystem,volume", "-o", columns, name];
    match run(zfs(words), &Control::none()) {
        Ok(output) => Ok(lines(&output).iter().filter_map(|line| dataset(line)).collect()),
        Err(error) if error.stderr_has("dataset does not exist") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a dataset; one that is absent is Ok. What was copied from it stays.
pub fn destroy(name: &str) -> Result<()> {
    // Each turn hands what others stand on over to one of them; one more for each that stands on a
    // different state.
    while let Some(heir) = heir(name)? {
        change(zfs(["promote", &heir])).or_else(|error| loosen(&heir, error))?;
    }
    match change(zfs(["destroy", "-r", name])) {
        Err(error) if error.stderr_has("dataset does not exist") => Ok(()),
        other => other,
    }
}

/// Hands over to one that may not have so much: what its snapshots keep is not counted from then on.
fn loosen(heir: &str, refused: crate::Error) -> Result<()> {
    let limit = own_property(heir, "quota")?;
    if limit.is_empty() || limit == "0" || limit == "none" {
        return Err(refused);
    }
    set(heir, &[("quota", "none"), ("refquota", &limit)])?;
    change(zfs(["promote", heir]))
}

/// One of those outside that stand on a state of a dataset.
fn heir(name: &str) -> Result<Option<String>> {
    let words = ["list", "-H", "-r", "-d", "1", "-t", "snapshot", "-o", "clones", name];
    match run(zfs(words), &Control::none()) {
        Ok(output) => Ok(lines(&output)
            .iter()
            .find_map(|line| clones(line).find(|clone| !clone.starts_with(&format!("{name}/"))))),
        Err(error) if error.stderr_has("dataset does not exist") => Ok(None),
        Err(error) => Err(error),
    }
}

fn clones(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split(',').filter(|name| !name.is_empty() && *name != "-").map(str::to_owned)
}

fn state(line: &str) -> Option<State> {
    let mut words = line.split('\t');
    let (of, mark) = words.next()?.split_once('@')?;
    let (guid, made) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(State { of: of.to_owned(), mark: mark.to_owned(), guid, made })
}

fn dataset(line: &str) -> Option<Dataset> {
    let mut words = line.split('\t');
    let name = words.next()?.to_owned();
    let mut number = || words.next()?.parse::<u64>().ok();
    let (referenced, used, available) = (number()?, number()?, number()?);
    Some(Dataset { name, referenced, used, available, size: number() })
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn with<'a>(tool: Tool<'a>, properties: &[(&str, &str)]) -> Tool<'a> {
    properties.iter().fold(tool, |tool, (key, value)| tool.args(["-o", &format!("{key}={value}")]))
}

fn zpool<'a>(words: impl IntoIterator<Item = &'a str>) -> Tool<'static> {
    Tool::new(PROGRAM, PACKAGE).args(words).timeout(PATIENCE)
}

fn zfs<'a>(words: impl IntoIterator<Item = &'a str>) -> Tool<'static> {
    Tool::new("zfs", PACKAGE).args(words).timeout(PATIENCE)
}

fn change(tool: Tool<'_>) -> Result<()> {
    run(tool, &Control::none()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_list_are_read() {
        let files = dataset("tank/web\t24576\t1024\t983040\t-").unwrap();
        assert_eq!((files.referenced, files.used, files.size), (24576, 1024, None));
        let disk = dataset("tank/disk\t1\t2\t3\t1073741824").unwrap();
        assert_eq!((disk.name.as_str(), disk.size), ("tank/disk", Some(1 << 30)));
        assert_eq!(dataset("no such thing"), None);
        assert_eq!(clones("a/b,a/c").collect::<Vec<_>>(), ["a/b", "a/c"]);
        assert_eq!(clones("-").count(), 0);
        let known = state("tank/web@one\t17293822569102704640\t42").unwrap();
        assert_eq!(
            (known.name().as_str(), known.guid),
            ("tank/web@one", 17_293_822_569_102_704_640)
        );
    }
}
