//! A program that runs in an instance, of whichever kind: started by a container's monitor, or by the agent
//! in a virtual machine.

use std::os::fd::{AsFd, BorrowedFd};

use runtime::{ExecIo, ExecSpec, Stdio};

use super::{guests::Guest, machine};
use crate::{Result, blocking::blocking};

/// A program that was started. It goes on when this is dropped; its output is then thrown away.
pub(super) enum Program {
    Contained(runtime::Exec),
    Agent(agent::Exec),
}

impl Program {
    /// Starts it with new streams, or with none.
    pub(super) async fn start(guest: &Guest, spec: ExecSpec, streams: bool) -> Result<Program> {
        let io = if streams { ExecIo::New } else { ExecIo::Null };
        if guest.spec().machine {
            let started = machine::agent::soon(guest).await?.exec(&spec, io).await;
            // The errors are a container's.
            return Ok(Program::Agent(started.map_err(runtime::Error::from)?));
        }
        let held = guest.clone();
        let start = move || {
            let io = if streams { ExecIo::New } else { ExecIo::Null };
            held.monitor().exec(&spec, io)
        };
        Ok(Program::Contained(blocking("exec", start).await?))
    }

    /// The caller's ends of its streams; once.
    pub(super) fn take_stdio(&mut self) -> Stdio {
        match self {
            Program::Contained(exec) => exec.take_stdio(),
            Program::Agent(exec) => exec.take_stdio(),
        }
    }

    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        match self {
            Program::Contained(exec) => Ok(exec.signal(signal)?),
            Program::Agent(exec) => Ok(exec.signal(signal).map_err(runtime::Error::from)?),
        }
    }

    pub(super) fn resize(&self, width: u16, height: u16) -> Result<()> {
        match self {
            Program::Contained(exec) => Ok(exec.resize(width, height)?),
            Program::Agent(exec) => Ok(exec.resize(width, height).map_err(runtime::Error::from)?),
        }
    }

    /// Its exit code; `None` while it runs. The descriptor is readable once it is known.
    pub(super) fn try_wait(&mut self) -> Result<Option<i32>> {
        match self {
            Program::Contained(exec) => Ok(exec.try_wait()?),
            Program::Agent(exec) => Ok(exec.try_wait().map_err(runtime::Error::from)?),
        }
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Program::Contained(exec) => exec.as_fd(),
            Program::Agent(exec) => exec.as_fd(),
        }
    }
}
