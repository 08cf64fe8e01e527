//! The memory of a machine as a stream: what QEMU writes when it leaves, and reads where it goes on.
//!
//! QEMU must be given the same machine again: its arguments, and each card and disk in the place it had.

use std::{collections::BTreeMap, os::fd::OwnedFd, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Call, Error, Qmp, Result, vsock};

/// Between two looks at how far it has come. QEMU's events cannot tell of what ended before one listens.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes a second, as nobody else waits: the machine stands still.
pub(crate) const SPEED: u64 = 1 << 40;
/// What the descriptor is called.
pub(crate) const NAME: &str = "memory";

/// Where the disks and cards of a machine are, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// SCSI ids.
    pub disks: BTreeMap<String, u32>,
    /// Ports.
    pub cards: BTreeMap<String, String>,
    /// How many processors there are, where they can change.
    #[serde(default)]
    pub processors: Option<u32>,
}

/// Looks where disks and cards are.
///
/// # Errors
/// QEMU does not say.
pub async fn layout(qmp: &Qmp) -> Result<Layout> {
    let list = Call::new("qom-list").with("path", "/machine/peripheral");
    let mut layout = Layout::default();
    for device in qmp.call(list).await?.as_array().into_iter().flatten() {
        let (Some(id), Some(kind)) = (device["name"].as_str(), device["type"].as_str()) else {
            continue;
        };
        if kind.starts_with("child<scsi-") {
            let at = property(qmp, id, "scsi-id").await?;
            let at = at.as_u64().and_then(|at| u32::try_from(at).ok());
            layout.disks.insert(id.to_owned(), at.unwrap_or_default());
        } else if [vsock::KIND, "child<virtio-net-pci>", "child<virtio-blk-pci>"].contains(&kind) {
            let bus = property(qmp, id, "parent_bus").await?;
            let bus = bus.as_str().and_then(|path| path.rsplit('/').next());
            layout.cards.insert(id.to_owned(), bus.unwrap_or_default().to_owned());
        }
    }
    layout.processors = match crate::processors(qmp).await {
        Ok((there, _)) => Some(there),
        // Arm's board knows none that change.
        Err(Error::Refused { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(layout)
}

pub(crate) async fn property(qmp: &Qmp, id: &str, name: &str) -> Result<Value> {
    let path = format!("/machine/peripheral/{id}");
    qmp.call(Call::new("qom-get").with("path", path).with("property", name)).await
}

/// The arguments that make the same machine again, of those it was made with: its kind by the name that stays
/// when QEMU is replaced by a later one.
///
/// # Errors
/// QEMU does not say which it is.
pub async fn same_again(qmp: &Qmp, argv: &[String]) -> Result<Vec<String>> {
    let ask = Call::new("qom-get").with("path", "/machine").with("property", "type");
    let kind = qmp.call(ask).await?;
    let kind = kind.as_str().and_then(|kind| kind.strip_suffix("-machine")).unwrap_or_default();
    let mut argv = argv.to_vec();
    let at = argv.iter().position(|word| word == "-machine").map(|at| at + 1);
    if let Some(word) = at.and_then(|at| argv.get_mut(at)) {
        let rest = word.split_once(',').map_or("", |(_, rest)| rest);
        *word = format!("{kind},{rest}");
    }
    if !argv.iter().any(|word| word == "-incoming") {
        argv.extend(["-incoming", "defer"].map(str::to_owned));
    }
    Ok(argv)
}

/// Writes the memory of a machine that stands still. Its disks are written out by then, and not used until it
/// goes on (`cont`).
///
/// # Errors
/// QEMU refuses: a device cannot be left; or whoever reads has gone away. The machine stands still.
pub async fn save(qmp: &Qmp, to: OwnedFd) -> Result<()> {
    crate::live::capabilities(qmp, false).await?;
    qmp.call(Call::new("migrate-set-parameters").with("max-bandwidth", SPEED)).await?;
    qmp.call_with(Call::new("getfd").with("fdname", NAME), vec![to]).await?;
    let leave = Call::new("migrate").with("uri", format!("fd:{NAME}"));
    if let Err(error) = qmp.call(leave).await {
        // QEMU has taken it, or not.
        let _ = qmp.call(Call::new("closefd").with("fdname", NAME)).await;
        return Err(error);
    }
    end_of(qmp, "migrate").await
}

/// Stops writing it.
///
/// # Errors
/// QEMU does not answer.
pub async fn give_up(qmp: &Qmp) -> Result<()> {
    qmp.call(Call::new("migrate_cancel")).await.map(drop)
}

/// Reads the memory of a machine that was made to wait for it.
///
/// # Errors
/// It is none, or not of this machine.
pub async fn load(qmp: &Qmp, from: OwnedFd) -> Result<()> {
    qmp.call_with(Call::new("getfd").with("fdname", NAME), vec![from]).await?;
    qmp.call(Call::new("migrate-incoming").with("uri", format!("fd:{NAME}"))).await?;
    end_of(qmp, "migrate-incoming").await
}

async fn end_of(qmp: &Qmp, command: &'static str) -> Result<()> {
    loop {
        let seen = qmp.call(Call::new("query-migrate")).await?;
        match seen["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => {
                let why = seen["error-desc"].as_str().unwrap_or("it was broken off");
                return Err(Error::Refused { command, why: why.to_owned() });
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Puts a disk where it was.
pub(crate) fn at_disk(call: Call, layout: &Layout, id: &str) -> Call {
    match layout.disks.get(id) {
        Some(at) => call.with("scsi-id", json!(at)),
        None => call,
    }
}
