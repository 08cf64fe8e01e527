//! Programs run inside from outside.
//!
//! ```text
//! starting ── gate ends after Executing ──> running ── pidfd ──> ended ──> forgotten
//!    └────── Failed ──> answered, reaped       └ client gone: its output is thrown away
//! ```

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags},
    io::read,
    process::{WaitId, WaitIdOptions, WaitIdStatus, waitid},
};

use super::{
    connections::{Connections, Id},
    serve::Source,
};
use crate::{
    Error,
    container::{exec::Starting, gate::FromSecond},
    error::Fault,
    protocol::{Reply, packet},
};

#[derive(Default)]
pub(super) struct Jobs {
    all: Vec<Job>,
    last: u64,
}

struct Job {
    id: u64,
    pid: i32,
    /// Until it was waited for.
    pidfd: Option<OwnedFd>,
    /// Until it was executed.
    gate: Option<OwnedFd>,
    executing: bool,
    failed: bool,
    /// `None`: its client went.
    client: Option<Id>,
    theirs: Vec<OwnedFd>,
    kept: Vec<OwnedFd>,
}

impl Jobs {
    pub(super) fn add(&mut self, client: Id, start: Starting) {
        self.last += 1;
        let Starting { pid, pidfd, gate, theirs, kept } = start;
        self.all.push(Job {
            id: self.last,
            pid,
            pidfd: Some(pidfd),
            gate: Some(gate),
            executing: false,
            failed: false,
            client: Some(client),
            theirs,
            kept,
        });
    }

    pub(super) fn poll<'a>(&'a self, all: &mut Vec<(Source, PollFd<'a>)>) {
        let mut add = |source, fd: &'a OwnedFd| {
            all.push((source, PollFd::new(fd, PollFlags::IN)));
        };
        for job in &self.all {
            if let Some(gate) = &job.gate {
                add(Source::JobGate(job.id), gate);
            } else if let Some(pidfd) = &job.pidfd {
                add(Source::JobEnd(job.id), pidfd);
            }
            if job.client.is_none() {
                for (index, output) in job.kept.iter().enumerate() {
                    add(Source::JobOutput(job.id, index), output);
                }
            }
        }
    }

    /// A word of a child that has not executed its program yet.
    /// Gives what its filter asks at.
    pub(super) fn hear(&mut self, id: u64, connections: &mut Connections) -> Vec<OwnedFd> {
        let Some(job) = self.all.iter_mut().find(|job| job.id == id) else { return vec![] };
        let Some(gate) = &job.gate else { return vec![] };
        match packet::recv(gate.as_fd()) {
            Ok(Some((FromSecond::Ready, fds))) => {
                job.kept.extend(fds.iter().filter_map(|fd| fd.try_clone().ok()));
                job.theirs.extend(fds);
            }
            Ok(Some((FromSecond::Asking, asking))) => return asking,
            Ok(Some((FromSecond::Executing, _))) => job.executing = true,
            Ok(Some((FromSecond::Failed { fault }, _))) => job.fail(fault, connections),
            Ok(None) if job.executing => job.executed(connections),
            Ok(None) | Err(_) => job.fail(Fault::from(&Error::Gone), connections),
        }
        vec![]
    }

    /// A program ended.
    pub(super) fn reap(&mut self, id: u64, connections: &mut Connections) {
        let Some(job) = self.all.iter_mut().find(|job| job.id == id) else { return };
        let Some(pidfd) = &job.pidfd else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let code = match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(None) => return,
            Ok(Some(status)) => exit_code(&status),
            Err(_) => 255,
        };
        job.pidfd = None;
        if let (Some(client), false) = (job.client, job.failed) {
            connections.reply(client, &Reply::Exited { code }, &[]);
        }
        self.forget();
    }

    /// Throws away output that nobody is there to read.
    pub(super) fn drain(&mut self, id: u64, index: usize) {
        let Some(job) = self.all.iter_mut().find(|job| job.id == id) else { return };
        let mut chunk = [0; 4096];
        match job.kept.get(index).map(|output| read(output, &mut chunk)) {
            Some(Ok(1..)) | None => {}
            Some(_) => drop(job.kept.remove(index)),
        }
        self.forget();
    }

    /// A connection ended; the programs it ran go on.
    pub(super) fn leave(&mut self, client: Id) {
        for job in self.all.iter_mut().filter(|job| job.client == Some(client)) {
            job.client = None;
            job.theirs.clear();
        }
        self.forget();
    }

    /// Is a program of this connection running?
    pub(super) fn serves(&self, client: Id) -> bool {
        self.all.iter().any(|job| job.client == Some(client))
    }

    /// Drops what has ended. Its children may still write where nobody reads: they are drained.
    fn forget(&mut self) {
        self.all.retain(|job| job.pidfd.is_some() || job.client.is_none() && !job.kept.is_empty());
    }
}

impl Job {
    fn executed(&mut self, connections: &mut Connections) {
        self.gate = None;
        let Some(client) = self.client else { return };
        let Some(pidfd) = self.pidfd.as_ref().and_then(|pidfd| pidfd.try_clone().ok()) else {
            return;
        };
        let mut fds = vec![pidfd];
        fds.append(&mut self.theirs);
        connections.reply(client, &Reply::Started { pid: self.pid }, &fds);
    }

    fn fail(&mut self, fault: Fault, connections: &mut Connections) {
        self.gate = None;
        self.failed = true;
        self.kept.clear();
        if let Some(pidfd) = &self.pidfd {
            let _ = sys::signal_process(pidfd.as_fd(), libc::SIGKILL);
        }
        if let Some(client) = self.client {
            connections.failed(client, fault);
        }
    }
}

/// As a shell counts: 128 and the signal, if one killed it.
fn exit_code(status: &WaitIdStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        _ => 255,
    }
}
