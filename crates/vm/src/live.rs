//! A machine that goes on in another QEMU, perhaps on another server, while its guest runs.
//!
//! ```text
//! source                                      target, which waits with a machine of the same kind
//! Mirror::start ── every block, by NBD ─────> export: its disk, blank or not
//! depart ── memory, again and again ────────> arrive
//!   the guest stands still
//! Mirror::end: the two disks are one
//! let_go ── the rest of the memory ─────────> unexport, `cont`
//! ```
//! Each write of the guest is on both disks before it is done, once the mirror has seen all of the disk: so
//! nothing is left to be sent while the guest stands still.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::fs::{Mode, OFlags};

use serde_json::{Value, json};
use tokio::{
    net::UnixListener,
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use crate::{
    Call, Error, Event, Qmp, Result,
    confine::IO,
    hardware::{absent_is_fine, node},
    memory::{NAME, SPEED},
};

/// The socket of NBD in the machine's folder: the target's QEMU listens there, the source's connects.
pub const NBD_SOCKET: &str = "nbd.sock";

/// What the job and the node behind it are called.
const AWAY: &str = "away";
/// What the export is called.
const EXPORT: &str = "arrives";
/// Milliseconds that the guest may stand still while the last of its memory goes, as QEMU estimates it: at first, and then
/// more and more, as one that changes much of it at once would never go.
const STANDSTILL: [u64; 3] = [3, 6, 15];
/// How long each of these is tried.
const TRY: Duration = Duration::from_secs(2);
/// An event may be missed: a look after that long finds out.
const LOOK: Duration = Duration::from_millis(500);

/// Waits at [`NBD_SOCKET`] in a machine's folder for QEMU's mirror.
///
/// # Errors
/// There is one already, or it cannot be made.
pub fn listen(folder: &Path) -> io::Result<UnixListener> {
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    // Short, however long the folder's path is.
    UnixListener::bind(format!("/proc/self/fd/{}/{NBD_SOCKET}", folder.as_raw_fd()))
}

/// Bytes that were moved, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Moved so far.
    pub bytes: u64,
    /// All of them, as is known now.
    pub total: u64,
}

/// Lets whoever connects to [`NBD_SOCKET`] write a disk of a machine that waits for its memory.
///
/// # Errors
/// QEMU refuses.
pub async fn export(qmp: &Qmp, disk: &str) -> Result<()> {
    let address = json!({ "type": "unix", "data": { "path": format!("{IO}/{NBD_SOCKET}") } });
    qmp.call(Call::new("nbd-server-start").with("addr", address)).await?;
    let export = Call::new("block-export-add")
        .with("type", "nbd")
        .with("id", EXPORT)
        .with("name", EXPORT)
        .with("node-name", node(disk))
        .with("writable", true);
    qmp.call(export).await.map(drop)
}

/// Ends that.
///
/// # Errors
/// QEMU refuses.
pub async fn unexport(qmp: &Qmp) -> Result<()> {
    qmp.call(Call::new("nbd-server-stop")).await.map(drop)
}

/// A disk whose contents go to another one, and each change with them.
pub struct Mirror<'a> {
    qmp: &'a Qmp,
    events: Receiver<Event>,
}

impl<'a> Mirror<'a> {
    /// Starts it, to whatever [`NBD_SOCKET`] leads to.
    ///
    /// # Errors
    /// Nobody is there, or QEMU refuses; then nothing is left.
    pub async fn start(qmp: &'a Qmp, disk: &str) -> Result<Mirror<'a>> {
        let server = json!({ "type": "unix", "path": format!("{IO}/{NBD_SOCKET}") });
        let there = Call::new("blockdev-add")
            .with("driver", "nbd")
            .with("node-name", AWAY)
            .with("server", server)
            .with("export", EXPORT);
        qmp.call(there).await?;
        let events = qmp.events();
        let job = Call::new("blockdev-mirror")
            .with("job-id", AWAY)
            .with("device", node(disk))
            .with("target", AWAY)
            .with("sync", "full")
            .with("copy-mode", "write-blocking")
            .with("on-source-error", "report")
            .with("on-target-error", "report");
        let mirror = Mirror { qmp, events };
        match qmp.call(job).await {
            Ok(_) => Ok(mirror),
            Err(error) => {
                mirror.forget().await?;
                Err(error)
            }
        }
    }

    /// Waits until both disks are the same, and stay so; tells how far it is.
    ///
    /// # Errors
    /// A disk cannot be read or written, or the connection broke.
    pub async fn ready(&mut self, mut report: impl FnMut(Moved)) -> Result<()> {
        loop {
            let jobs = self.qmp.call(Call::new("query-block-jobs")).await?;
            let jobs = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(job) = jobs.iter().find(|job| job["device"] == AWAY) else {
                return Err(self.broken().await);
            };
            let count = |key: &str| job[key].as_u64().unwrap_or_default();
            report(Moved { bytes: count("offset"), total: count("len") });
            if job["ready"] == true {
                return Ok(());
            }
            // What it says is seen by the next look.
            let _ = timeout(LOOK, heard(&mut self.events, &["BLOCK_JOB_READY"])).await;
        }
    }

    /// Ends it with both disks the same; the guest must stand still.
    ///
    /// # Errors
    /// They are not: the mirror broke before.
    pub async fn end(mut self) -> Result<()> {
        if let Err(error) = self.qmp.call(Call::new("block-job-cancel").with("device", AWAY)).await
        {
            return Err(match error {
                Error::Refused { .. } => self.broken().await,
                other => other,
            });
        }
        let names = ["BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"];
        let ended = heard(&mut self.events, &names).await?;
        match (&*ended.name, ended.data["error"].as_str()) {
            // What is behind it stays until QEMU ends, or the machine stays.
            ("BLOCK_JOB_COMPLETED", None) => Ok(()),
            (_, why) => Err(broken(why)),
        }
    }

    async fn forget(&self) -> Result<()> {
        forget_node(self.qmp).await
    }

    /// Why the job is no more.
    async fn broken(&mut self) -> Error {
        let names = ["BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"];
        let ended = timeout(LOOK, heard(&mut self.events, &names)).await;
        let ended = ended.ok().and_then(Result::ok);
        broken(ended.as_ref().and_then(|event| event.data["error"].as_str()))
    }
}

fn broken(why: Option<&str>) -> Error {
    let why = why.unwrap_or("the other end is gone").to_owned();
    Error::Refused { command: "blockdev-mirror", why }
}

async fn forget_node(qmp: &Qmp) -> Result<()> {
    absent_is_fine(qmp.call(Call::new("blockdev-del").with("node-name", AWAY)).await)
}

/// Starts to send the memory, and returns when the guest stands still and only little of it is left.
///
/// # Errors
/// QEMU refuses, as a device cannot be left; or whoever reads has gone away. The guest runs on.
pub async fn depart(qmp: &Qmp, to: OwnedFd, mut report: impl FnMut(Moved)) -> Result<()> {
    let mut events = qmp.events();
    capabilities(qmp, true).await?;
    let set = || Call::new("migrate-set-parameters");
    qmp.call(set().with("max-bandwidth", SPEED).with("downtime-limit", STANDSTILL[0])).await?;
    qmp.call_with(Call::new("getfd").with("fdname", NAME), vec![to]).await?;
    qmp.call(Call::new("migrate").with("uri", format!("fd:{NAME}"))).await?;
    let mut report = |ram: &Value| report(moved(ram));
    for more in &STANDSTILL[1..] {
        let still = until(qmp, &mut events, "pre-switchover", &mut report);
        if let Ok(still) = timeout(TRY, still).await {
            return still;
        }
        qmp.call(set().with("downtime-limit", *more)).await?;
    }
    until(qmp, &mut events, "pre-switchover", &mut report).await
}

fn moved(ram: &Value) -> Moved {
    let count = |key: &str| ram[key].as_u64().unwrap_or_default();
    let total = count("total");
    Moved { bytes: total.saturating_sub(count("remaining")), total }
}

/// Sends the rest. From then on the guest may run elsewhere; here it must not, but after `cont`.
///
/// # Errors
/// As [`depart`].
pub async fn let_go(qmp: &Qmp) -> Result<()> {
    let mut events = qmp.events();
    qmp.call(Call::new("migrate-continue").with("state", "pre-switchover")).await?;
    until(qmp, &mut events, "completed", |_| {}).await
}

/// How long the guest stood still until all of its memory was sent, as QEMU says, in milliseconds; what the other end does
/// then is not in it.
///
/// # Errors
/// QEMU does not answer.
pub async fn downtime(qmp: &Qmp) -> Result<Option<u64>> {
    Ok(qmp.call(Call::new("query-migrate")).await?["downtime"].as_u64())
}

/// Takes back whatever of a departure there is: the memory stays, the mirror ends. Nothing is Ok. Whoever calls has
/// the guest go on if it stands still.
///
/// # Errors
/// QEMU does not answer.
pub async fn stay(qmp: &Qmp) -> Result<()> {
    let mut events = qmp.events();
    let status = qmp.call(Call::new("query-migrate")).await?["status"].clone();
    if !["", "none", "completed", "failed", "cancelled"].contains(&status.as_str().unwrap_or("")) {
        qmp.call(Call::new("migrate_cancel")).await?;
        // Failed or cancelled: either way it is over.
        let _ = until(qmp, &mut events, "completed", |_| {}).await;
    }
    capabilities(qmp, false).await?;
    let cancel = Call::new("block-job-cancel").with("device", AWAY).with("force", true);
    if absent_job_is_fine(qmp.call(cancel).await)? {
        let names = ["BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"];
        // An event may be missed; then the node is held still, and says so.
        let _ = timeout(LOOK, heard(&mut events, &names)).await;
    }
    forget_node(qmp).await
}

/// Whether there was a job.
fn absent_job_is_fine(done: Result<Value>) -> Result<bool> {
    match done {
        Err(Error::Refused { .. }) => Ok(false),
        done => done.map(|_| true),
    }
}

/// Reads the memory of a machine that was made to wait for it, from somewhere where it may run still.
///
/// # Errors
/// It is none, or not of this machine.
pub async fn arrive(qmp: &Qmp, from: OwnedFd) -> Result<()> {
    let mut events = qmp.events();
    let tell = json!([{ "capability": "events", "state": true }]);
    qmp.call(Call::new("migrate-set-capabilities").with("capabilities", tell)).await?;
    qmp.call_with(Call::new("getfd").with("fdname", NAME), vec![from]).await?;
    qmp.call(Call::new("migrate-incoming").with("uri", format!("fd:{NAME}"))).await?;
    until(qmp, &mut events, "completed", |_| {}).await
}

/// Has a machine go on; returns as soon as it does, which is before QEMU has answered.
///
/// # Errors
/// QEMU refuses.
pub async fn go_on(qmp: &Qmp) -> Result<()> {
    let mut events = qmp.events();
    tokio::select! {
        done = qmp.call(Call::new("cont")) => done.map(drop),
        resumed = heard(&mut events, &["RESUME"]) => resumed.map(drop),
    }
}

/// What makes a migration one of a machine that runs. Memory that is kept on disk is written without.
pub(crate) async fn capabilities(qmp: &Qmp, live: bool) -> Result<()> {
    let all = ["events", "pause-before-switchover", "auto-converge"];
    let all = all.map(|name| json!({ "capability": name, "state": live }));
    let set = Call::new("migrate-set-capabilities").with("capabilities", all.to_vec());
    qmp.call(set).await.map(drop)
}

/// Waits until a migration is that far.
async fn until(
    qmp: &Qmp,
    events: &mut Receiver<Event>,
    wanted: &'static str,
    mut report: impl FnMut(&Value),
) -> Result<()> {
    loop {
        let seen = qmp.call(Call::new("query-migrate")).await?;
        match seen["status"].as_str() {
            Some(status) if status == wanted => return Ok(()),
            Some("completed" | "failed" | "cancelled") => {
                let why = seen["error-desc"].as_str().unwrap_or("it was broken off");
                return Err(Error::Refused { command: "migrate", why: why.to_owned() });
            }
            _ => report(&seen["ram"]),
        }
        let told = timeout(LOOK, heard(events, &["MIGRATION"])).await;
        if let Ok(event) = told
            && event?.data["status"] == wanted
        {
            return Ok(());
        }
    }
}

/// The next event of one of these names.
async fn heard(events: &mut Receiver<Event>, names: &[&str]) -> Result<Event> {
    loop {
        match events.recv().await {
            Ok(event) if names.contains(&&*event.name) => return Ok(event),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Err(Error::Gone),
        }
    }
}
