//! `lvm`: volume groups, and the logical volumes in them.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::run::run;
use crate::tool::Tool;

/// Its name, to look for it.
pub const PROGRAM: &str = "lvm";

/// Waits for locks of other runs and for udev.
const PATIENCE: Duration = Duration::from_secs(300);
/// Whatever the machine's `lvm.conf` says: no file is left behind by each change, every disk is looked at,
/// a full thin pool fails at once instead of letting all who write wait for a minute, and no process is
/// started that outlives the run.
const SETTINGS: &str = "backup/archive=0 devices/use_devicesfile=0 activation/error_when_full=1 activation/monitoring=0";

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that no logical volume has.
    pub free: u64,
    /// Bytes by which its volumes grow.
    pub extent: u64,
    /// Its tags.
    pub tags: Vec<String>,
    /// The disks it is on.
    pub disks: Vec<String>,
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Bytes it shows.
    pub size: u64,
    /// Of a thin one, and of a thin pool: how much of it has room on disk, in percent.
    pub used: Option<f64>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// What a new logical volume is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// It has all its room from the start.
    Thick {
        /// Bytes.
        size: u64,
    },
    /// It takes room from a thin pool as it is written to.
    Thin {
        /// The thin pool's name.
        pool: &'a str,
        /// Bytes.
        size: u64,
    },
    /// The same as a thin one is now, to be used.
    Copy {
        /// The thin one's name.
        of: &'a str,
    },
    /// The same as a thin one is now, to be kept: it is not active.
    Snapshot {
        /// The thin one's name.
        of: &'a str,
    },
    /// A thin pool of all the room that is left.
    Pool {
        /// Bytes of its own books; chosen by lvm when not said.
        books: Option<u64>,
    },
}

/// Over how many disks a volume is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stripes {
    /// How many; one when not said.
    pub count: Option<u32>,
    /// Bytes in a row on each.
    pub size: Option<u64>,
}

impl Stripes {
    /// Whether nothing is said.
    pub fn is_none(&self) -> bool {
        self.count.is_none() && self.size.is_none()
    }
}

/// Every volume group of this machine.
pub fn groups() -> Result<Vec<Group>> {
    let columns = "vg_name,vg_size,vg_free,vg_extent_size,vg_tags,pv_name";
    let mut found: Vec<Group> = Vec::new();
    // One that lacks a disk makes it fail, and is none of the others' business.
    for row in report::<GroupRow>(tool("vgs").accept(&[0, 5]), columns)? {
        match found.iter_mut().find(|group| group.name == row.vg_name) {
            Some(group) => group.disks.push(row.pv_name),
            None => found.push(row.into()),
        }
    }
    Ok(found)
}

/// The volumes of a group; without the parts that thin pools are made of.
pub fn volumes(group: &str) -> Result<Vec<Volume>> {
    let columns = "lv_name,lv_size,data_percent,lv_tags";
    let rows = report::<VolumeRow>(tool("lvs").arg(group), columns)?;
    Ok(rows.into_iter().map(Volume::from).collect())
}

/// One volume of a group.
pub fn volume(group: &str, name: &str) -> Result<Option<Volume>> {
    let columns = "lv_name,lv_size,data_percent,lv_tags";
    let rows = report::<VolumeRow>(tool("lvs").arg(format!("{group}/{name}")), columns)?;
    Ok(rows.into_iter().next().map(Volume::from))
}

/// Makes a group on a disk that holds nothing.
pub fn make_group(name: &str, disk: &Path, tag: &str) -> Result<()> {
    change(tool("vgcreate").args(["--addtag", tag, name]).arg(disk))
}

/// Removes a group that has no volumes.
pub fn remove_group(name: &str) -> Result<()> {
    change(tool("vgremove").arg(name))
}

/// Makes a disk that is in no group forget that it was.
pub fn forget_disk(disk: &str) -> Result<()> {
    change(tool("pvremove").arg(disk))
}

/// Lets a group see that its disk has grown.
pub fn grow_disk(disk: &Path) -> Result<()> {
    change(tool("pvresize").arg(disk))
}

/// Makes a volume with a tag.
pub fn make_volume(
    group: &str,
    name: &str,
    kind: Kind<'_>,
    stripes: Stripes,
    tag: &str,
) -> Result<()> {
    let mut tool = tool("lvcreate").args(["--yes", "--name", name, "--addtag", tag]);
    tool = match kind {
        Kind::Thick { size } => tool.args(["--size", &bytes(size), group]),
        Kind::Thin { pool, size } => {
            let size = bytes(size);
            tool.args(["--type", "thin", "--thinpool", pool, "--virtualsize", &size, group])
        }
        Kind::Copy { of } => {
            tool.args(["--setactivationskip", "n", "--snapshot", &format!("{group}/{of}")])
        }
        Kind::Snapshot { of } => tool.args(["--snapshot", &format!("{group}/{of}")]),
        Kind::Pool { books } => {
            let tool = tool.args(["--type", "thin-pool", "--extents", "100%FREE", group]);
            match books {
                Some(size) => tool.args(["--poolmetadatasize", &bytes(size)]),
                None => tool,
            }
        }
    };
    change(striped(tool, kind, stripes))
}

/// Those in a thin pool are as it is.
fn striped<'a>(mut tool: Tool<'a>, kind: Kind<'_>, stripes: Stripes) -> Tool<'a> {
    if !matches!(kind, Kind::Thick { .. } | Kind::Pool { .. }) {
        return tool;
    }
    if let Some(count) = stripes.count {
        tool = tool.args(["--stripes", &count.to_string()]);
    }
    if let Some(size) = stripes.size {
        tool = tool.args(["--stripesize", &bytes(size)]);
    }
    tool
}

/// Makes a volume larger, to at least so many bytes; not to what it has already.
pub fn grow_volume(group: &str, name: &str, size: u64) -> Result<()> {
    change(tool("lvextend").args(["--size", &bytes(size), &format!("{group}/{name}")]))
}

/// Gives a volume all the room that is left in its group, of which there must be some.
pub fn fill_group(group: &str, name: &str) -> Result<()> {
    let words = ["--extents", "+100%FREE", &format!("{group}/{name}")];
    change(tool("lvextend").args(words))
}

/// Makes the device of a volume.
pub fn activate(group: &str, name: &str) -> Result<()> {
    let words = ["--activate", "y", "--ignoreactivationskip", &format!("{group}/{name}")];
    change(tool("lvchange").args(words))
}

/// Removes the devices of all volumes with a tag, but for those in use.
pub fn deactivate_tagged(group: &str, tag: &str) -> Result<()> {
    let select = format!("lv_tags={{{tag}}}");
    change(tool("lvchange").args(["--activate", "n", "--select", &select, group]))
}

/// Removes volumes. One that is in use or not there makes it fail, after the others are gone.
pub fn remove_volumes(group: &str, names: &[String]) -> Result<()> {
    let names = names.iter().map(|name| format!("{group}/{name}"));
    change(tool("lvremove").arg("--yes").args(names))
}

/// Removes all volumes with a tag.
pub fn remove_tagged(group: &str, tag: &str) -> Result<()> {
    let select = format!("lv_tags={{{tag}}}");
    change(tool("lvremove").args(["--yes", "--select", &select, group]))
}

fn tool(verb: &'static str) -> Tool<'static> {
    Tool::new(PROGRAM, "lvm2").args([verb, "--config", SETTINGS]).timeout(PATIENCE)
}

fn change(tool: Tool<'_>) -> Result<()> {
    run(tool, &Control::none()).map(drop)
}

fn bytes(size: u64) -> String {
    format!("{size}b")
}

/// What a report is around its rows.
#[derive(Deserialize)]
struct Report<Row> {
    report: Vec<Part<Row>>,
}

#[derive(Deserialize)]
struct Part<Row> {
    #[serde(alias = "vg", alias = "lv")]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct GroupRow {
    vg_name: String,
    vg_size: String,
    vg_free: String,
    vg_extent_size: String,
    vg_tags: String,
    pv_name: String,
}

#[derive(Deserialize)]
struct VolumeRow {
    lv_name: String,
    lv_size: String,
    data_percent: String,
    lv_tags: String,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Group {
        Group {
            size: number(&row.vg_size),
            free: number(&row.vg_free),
            extent: number(&row.vg_extent_size),
            tags: tags(&row.vg_tags),
            disks: vec![row.pv_name],
            name: row.vg_name,
        }
    }
}

impl From<VolumeRow> for Volume {
    fn from(row: VolumeRow) -> Volume {
        Volume {
            size: number(&row.lv_size),
            used: row.data_percent.parse().ok(),
            tags: tags(&row.lv_tags),
            name: row.lv_name,
        }
    }
}

fn report<Row: DeserializeOwned>(tool: Tool<'_>, columns: &str) -> Result<Vec<Row>> {
    let words = ["--reportformat", "json", "--units", "b", "--nosuffix", "--options", columns];
    let output = run(tool.args(words), &Control::none())?;
    rows(&output.stdout)
}

fn rows<Row: DeserializeOwned>(text: &[u8]) -> Result<Vec<Row>> {
    let whole: Report<Row> =
        serde_json::from_slice(text).map_err(|source| Error::Json { program: PROGRAM, source })?;
    Ok(whole.report.into_iter().flat_map(|part| part.rows).collect())
}

/// Bytes of the largest groups fit; what is no number is nothing.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn tags(text: &str) -> Vec<String> {
    text.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As lvm 2.03.31 wrote it.
    const VOLUMES: &str = r#"{ "report": [ { "lv": [
        {"lv_name":"pool_x", "lv_size":"16777216", "data_percent":"", "lv_tags":""},
        {"lv_name":"tp", "lv_size":"1044381696", "data_percent":"0.53", "lv_tags":"a,microcloud.pool=abc"}
        ] } ] , "log": [ ] }"#;
    const GROUPS: &str = r#"{ "report": [ { "vg": [
        {"vg_name":"vg1", "vg_size":"1069547520", "vg_free":"0", "vg_extent_size":"4194304", "vg_tags":"t", "pv_name":"/dev/loop0"}
        ] } ] }"#;

    #[test]
    fn reports_are_read() {
        let found: Vec<VolumeRow> = rows(VOLUMES.as_bytes()).unwrap();
        let found: Vec<Volume> = found.into_iter().map(Volume::from).collect();
        assert_eq!(
            (found[0].name.as_str(), found[0].size, found[0].used),
            ("pool_x", 16 << 20, None)
        );
        assert_eq!(found[1].used, Some(0.53));
        assert_eq!(found[1].tags, ["a", "microcloud.pool=abc"]);
        let groups: Vec<GroupRow> = rows(GROUPS.as_bytes()).unwrap();
        let group = Group::from(groups.into_iter().next().unwrap());
        assert_eq!((group.size, group.extent), (1_069_547_520, 4 << 20));
        assert_eq!(
            (group.tags, group.disks),
            (vec!["t".to_owned()], vec!["/dev/loop0".to_owned()])
        );
    }
}
