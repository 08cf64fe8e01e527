//! Init's way to PID 1: set up, released, executed.
//!
//! Its end of the gate closes by itself when the program is executed. So the end of the connection
//! is success if the last word was `Executing`.

use std::os::fd::{AsFd, OwnedFd};

use super::{connections::Id, console::Console, start::Instance};
use crate::{
    Error, State,
    container::gate::{Execute, FromSecond},
    error::{Fault, Result},
    protocol::{Reply, packet},
};

/// How far init is.
pub(super) struct Release {
    /// Until it is PID 1, or failed.
    pub(super) gate: Option<OwnedFd>,
    ready: bool,
    executing: bool,
    asked: Vec<Id>,
    fault: Option<Fault>,
    told: bool,
}

impl Release {
    pub(super) fn new(gate: OwnedFd) -> Release {
        Release {
            gate: Some(gate),
            ready: false,
            executing: false,
            asked: vec![],
            fault: None,
            told: false,
        }
    }
}

impl Instance {
    /// The answer comes when the program was executed.
    pub(super) fn ask_release(&mut self, id: Id) -> Result<()> {
        if self.state != State::Created {
            return Err(Error::State { request: "release".into(), state: self.state });
        }
        if let Some(fault) = &self.release.fault {
            self.release.told = true;
            return Err(fault.clone().into());
        }
        self.release.asked.push(id);
        if self.release.ready && self.release.asked.len() == 1 {
            self.let_go();
        }
        Ok(())
    }

    fn let_go(&mut self) {
        if let Some(gate) = &self.release.gate {
            // If it died, the gate's end will tell.
            let _ = packet::send(gate.as_fd(), &Execute, &[], false);
        }
    }

    /// A word of init.
    pub(super) fn hear_init(&mut self) {
        let Some(gate) = &self.release.gate else { return };
        match packet::recv(gate.as_fd()) {
            Ok(Some((FromSecond::Ready, fds))) => {
                self.console = Console::new(fds);
                self.release.ready = true;
                if !self.release.asked.is_empty() {
                    self.let_go();
                }
            }
            Ok(Some((FromSecond::Asking, asking))) => self.listen(&asking),
            Ok(Some((FromSecond::Executing, _))) => self.release.executing = true,
            Ok(Some((FromSecond::Failed { fault }, _))) => self.fail(fault),
            Ok(None) if self.release.executing => self.executed(),
            Ok(None) | Err(_) => self.fail(Fault::from(&Error::Gone)),
        }
    }

    /// What a filter asks at goes to who answers.
    pub(super) fn listen(&self, asking: &[OwnedFd]) {
        if let Some(interceptor) = &self.interceptor {
            interceptor.listen(asking);
        }
    }

    fn executed(&mut self) {
        self.release.gate = None;
        self.state = State::Running;
        for id in std::mem::take(&mut self.release.asked) {
            self.connections.reply(id, &Reply::Done, &[]);
        }
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        self.release.gate = None;
        let _ = sys::signal_process(self.pidfd.as_fd(), libc::SIGKILL);
        self.release.told = !self.release.asked.is_empty();
        for id in std::mem::take(&mut self.release.asked) {
            self.connections.failed(id, fault.clone());
        }
        super::log(format_args!("{}", super::Chain(&Error::from(fault.clone()))));
        self.release.fault = Some(fault);
    }

    /// Did it fail before anybody asked for its release? Then it waits, to tell.
    pub(super) fn owes_a_fault(&self) -> bool {
        self.release.fault.is_some() && !self.release.told && !self.killed
    }
}
