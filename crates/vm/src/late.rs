//! What a machine that waits for its memory gets only once another QEMU is done with it: its disks, where both reach the
//! same ones, and the file of its firmware's variables.
//!
//! ```text
//! add_late: disks of the right size, in their places, with nothing behind them
//!   its memory has come, and the other machine stands still
//! put_behind: what is behind each is opened now, so nothing was read of it before
//!   it runs, and the other QEMU has ended
//! move_variables: from a copy to the file itself
//! ```

use std::{os::fd::OwnedFd, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Call, Error, Layout, Manner, Medium, Qmp, Result,
    hardware::{
        Cache, Plug, absent_is_fine, contents, forget_files, node, opened, plug_whole, set_cache,
    },
};

/// The firmware's variables: QEMU's own name of what has them, that of the file that they move to, and the move's.
const FLASH: &str = "pflash1";
const VARIABLES: &str = "variables";
/// How long half a megabyte may take to be copied.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A disk that comes later.
#[derive(Debug)]
pub struct Late<'a> {
    /// The device's name.
    pub name: &'a str,
    /// Its bytes.
    pub size: u64,
    /// What it is to the guest.
    pub medium: Medium,
    /// The guest may only read it.
    pub readonly: bool,
    /// How it is used.
    pub manner: Manner,
    /// The lower, the earlier the firmware tries to boot from it.
    pub boot: Option<u32>,
    /// Where it was.
    pub layout: &'a Layout,
}

/// What a disk that came late lies in; the disk itself is `node`.
pub(crate) fn file_of(node: &str) -> String {
    format!("in-{node}")
}

/// Plugs a disk of which nothing can be read yet.
///
/// # Errors
/// QEMU refuses it; then it is as before.
pub async fn add_late(qmp: &Qmp, disk: Late<'_>) -> Result<()> {
    let Late { name, size, medium, readonly, manner, boot, layout } = disk;
    let node = node(name);
    let mut block = contents(&node, readonly, Cache::Writeback);
    let nothing = json!({ "driver": "null-co", "size": size, "read-zeroes": true });
    block.insert("file".to_owned(), nothing);
    qmp.call(Call { command: "blockdev-add", arguments: block }).await?;
    plug_whole(qmp, &node, &Plug { name, medium, manner, boot, layout }).await
}

/// Puts a file or a block device behind it, open for what the guest may do with it. The machine must stand still.
///
/// # Errors
/// QEMU refuses it.
pub async fn put_behind(
    qmp: &Qmp,
    name: &str,
    (file, device): (OwnedFd, bool),
    (readonly, cache): (bool, Cache),
) -> Result<()> {
    let node = node(name);
    let given = qmp.call_with(Call::new("add-fd").with("opaque", &*node), vec![file]).await?;
    let set = given["fdset-id"].as_i64().unwrap_or_default();
    let mut file = opened(set, device);
    let more = [("node-name", Value::from(file_of(&node))), ("read-only", readonly.into())];
    file.extend(more.map(|(key, value)| (key.to_owned(), value)));
    file.insert("discard".to_owned(), "unmap".into());
    set_cache(&mut file, cache);
    let added = qmp.call(Call { command: "blockdev-add", arguments: file }).await;
    if let Err(error) = added {
        forget_files(qmp, &node).await?;
        return Err(error);
    }
    let mut block = contents(&node, readonly, cache);
    block.insert("file".to_owned(), file_of(&node).into());
    let block: Vec<Map<String, Value>> = vec![block];
    qmp.call(Call::new("blockdev-reopen").with("options", block)).await.map(drop)
}

/// Has a machine that runs keep its firmware's variables in another file, which gets those that there are. One that has
/// none, or that has them there already, is Ok.
///
/// # Errors
/// They cannot be written, or QEMU refuses.
pub async fn move_variables(qmp: &Qmp, file: OwnedFd) -> Result<()> {
    match kept_in(qmp).await? {
        Some(now) if now != VARIABLES => {}
        _ => return Ok(()),
    }
    // An earlier try.
    absent_is_fine(qmp.call(Call::new("blockdev-del").with("node-name", VARIABLES)).await)?;
    forget_files(qmp, VARIABLES).await?;
    let given = qmp.call_with(Call::new("add-fd").with("opaque", VARIABLES), vec![file]).await?;
    let set = given["fdset-id"].as_i64().unwrap_or_default();
    let there = Call::new("blockdev-add")
        .with("driver", "raw")
        .with("node-name", VARIABLES)
        .with("file", opened(set, false));
    qmp.call(there).await?;
    let job = Call::new("blockdev-mirror")
        .with("job-id", VARIABLES)
        .with("device", FLASH)
        .with("target", VARIABLES)
        .with("sync", "full")
        .with("copy-mode", "write-blocking");
    qmp.call(job).await?;
    let end = Instant::now() + PATIENCE;
    while kept_in(qmp).await?.as_deref() != Some(VARIABLES) {
        let jobs = qmp.call(Call::new("query-block-jobs")).await?;
        let mut jobs = jobs.as_array().into_iter().flatten();
        match jobs.find(|job| job["device"] == VARIABLES) {
            Some(job) if job["ready"] == true => {
                let complete = Call::new("block-job-complete").with("device", VARIABLES);
                // It may be about to.
                let _ = qmp.call(complete).await;
            }
            Some(_) => {}
            // It ended between the two looks, well or not.
            None if kept_in(qmp).await?.as_deref() == Some(VARIABLES) => return Ok(()),
            None => return Err(unwritten("they cannot be written")),
        }
        if Instant::now() > end {
            return Err(unwritten("that takes too long"));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn unwritten(why: &str) -> Error {
    Error::Refused { command: "blockdev-mirror", why: why.to_owned() }
}

/// The node that has the firmware's variables; none where there is no such firmware.
async fn kept_in(qmp: &Qmp) -> Result<Option<String>> {
    let all = qmp.call(Call::new("query-block")).await?;
    let mut all = all.as_array().into_iter().flatten();
    let flash = all.find(|drive| drive["device"] == FLASH);
    let node = flash.and_then(|drive| drive["inserted"]["node-name"].as_str());
    Ok(node.map(str::to_owned))
}
