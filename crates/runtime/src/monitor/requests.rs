//! One answer a request.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use super::{connections::Id, start::Instance};
use crate::{
    ExecSpec, Info, State,
    container::exec::{Wiring, exec},
    deadline,
    error::{At, Error, Fault, Result},
    protocol::{Reply, Request, VERSION, packet},
};

/// What to answer.
enum Answer {
    Now(Reply, Vec<OwnedFd>),
    /// Something else will.
    Later,
}

impl Instance {
    pub(super) fn answer(&mut self, id: Id, request: Request, fds: Vec<OwnedFd>) {
        // Such a connection has one purpose for the rest of its life.
        if self.jobs.serves(id) {
            return;
        }
        match self.decide(id, request, fds) {
            Ok(Answer::Later) => {}
            Ok(Answer::Now(reply, fds)) => self.connections.reply(id, &reply, &fds),
            Err(error) => self.connections.failed(id, Fault::from(&error)),
        }
    }

    fn decide(&mut self, id: Id, request: Request, fds: Vec<OwnedFd>) -> Result<Answer> {
        match request {
            Request::Info => Ok(Answer::Now(Reply::Info { info: self.info() }, vec![])),
            Request::Release => self.ask_release(id).map(|()| Answer::Later),
            Request::Netns => {
                let path = format!("/proc/{}/ns/net", self.pid);
                Ok(Answer::Now(Reply::Done, vec![File::open(&path).at("open", &path)?.into()]))
            }
            Request::Devices => {
                Ok(Answer::Now(Reply::Devices { devices: self.spec.devices.clone() }, vec![]))
            }
            Request::Files => Ok(Answer::Now(Reply::Done, vec![self.serve_files()?])),
            Request::Console => self.attach_console(),
            Request::ConsoleLog => Ok(Answer::Now(Reply::Done, vec![self.ring()?])),
            Request::Watch => {
                self.connections.watch(id);
                Ok(Answer::Now(Reply::Done, vec![]))
            }
            Request::Exec { spec, given, null } => self.exec(id, &spec, given, null, fds),
            other => self.change(other).map(|()| Answer::Now(Reply::Done, vec![])),
        }
    }

    /// Requests that are simply done.
    fn change(&mut self, request: Request) -> Result<()> {
        match request {
            Request::Signal { signal } => {
                self.running("signal")?;
                let pid = self.pid.to_string();
                sys::signal_process(self.pidfd.as_fd(), signal).at("signal", pid)
            }
            Request::Kill => self.kill(),
            Request::Freeze { on } => self.freeze(on),
            Request::Deadline { at } => {
                let timer = at.map(deadline::timer).transpose();
                self.deadline = timer.at("make", "timer")?;
                Ok(())
            }
            Request::SetLimits { limits } => {
                self.group.limit(&limits, false)?;
                self.spec.limits = limits;
                Ok(())
            }
            Request::ResizeConsole { width, height } => {
                self.console.as_ref().map_or(Ok(()), |console| console.resize(width, height))
            }
            Request::AddMount { mount } => self.add_mount(&mount),
            Request::RemoveMount { target } => self.remove_mount(&target),
            Request::AddDevice { device } => self.add_device(&device),
            Request::RemoveDevice { path } => self.remove_device(&path),
            _ => Err(Error::Unsupported),
        }
    }

    fn info(&self) -> Info {
        Info {
            version: VERSION,
            spec_version: self.spec.version,
            generation: self.spec.generation,
            state: self.state,
            pid: self.pid,
            started_at: self.started_at,
            monitor_pid: std::process::id(),
        }
    }

    /// Nothing that needs PID 1 works before it runs.
    pub(super) fn running(&self, request: &'static str) -> Result<()> {
        match self.state {
            State::Running | State::Frozen => Ok(()),
            state => Err(Error::State { request: request.into(), state }),
        }
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        self.killed = true;
        let group = self.group.kill();
        // Ends its pid namespace, whatever groups there are.
        let _ = sys::signal_process(self.pidfd.as_fd(), libc::SIGKILL);
        group
    }

    fn freeze(&mut self, on: bool) -> Result<()> {
        self.running("freeze")?;
        self.group.freeze(on)?;
        self.state = if on { State::Frozen } else { State::Running };
        Ok(())
    }

    fn ring(&self) -> Result<OwnedFd> {
        let bytes = self.console.as_ref().map(super::console::Console::bytes).unwrap_or_default();
        Ok(packet::memory_file(&bytes).at("copy", "console")?.into())
    }

    fn attach_console(&mut self) -> Result<Answer> {
        let ring = self.ring()?;
        let state = self.state;
        let Some(console) = &mut self.console else {
            return Err(Error::State { request: "attach to the console".into(), state });
        };
        Ok(Answer::Now(Reply::Done, vec![ring, console.attach()?]))
    }

    fn exec(
        &mut self,
        id: Id,
        spec: &ExecSpec,
        given: bool,
        null: bool,
        fds: Vec<OwnedFd>,
    ) -> Result<Answer> {
        self.running("exec")?;
        if self.state == State::Frozen {
            // It would be born frozen and hang.
            return Err(Error::Frozen);
        }
        let wiring = if given {
            let fds = <[OwnedFd; 3]>::try_from(fds);
            Wiring::Given(fds.map_err(|_| Error::Invalid { field: "stdio: not three".into() })?)
        } else if null {
            Wiring::Null
        } else {
            Wiring::New
        };
        let started = exec(&self.spec, &self.group, self.pidfd.as_fd(), spec, wiring)?;
        self.jobs.add(id, started);
        Ok(Answer::Later)
    }
}
