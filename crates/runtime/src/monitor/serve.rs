//! The loop.

use std::os::fd::AsFd;

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
};

use super::{connections::Id, start::Instance, teardown::reason};
use crate::{
    ExitReason,
    error::{At, Error, Result},
    protocol::{Request, packet},
};

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Gate,
    Init,
    Console,
    Client(u64),
    Connection(Id),
    JobGate(u64),
    JobEnd(u64),
    JobOutput(u64, usize),
    FilesEnd(usize),
    InterceptorEnd,
    Deadline,
}

impl Instance {
    /// Serves until PID 1 ended and all is cleaned up.
    pub(super) fn serve(mut self) -> Result<()> {
        loop {
            let mut ended = false;
            for source in self.wait()? {
                match source {
                    Source::Init => ended = true,
                    other => self.act(other),
                }
            }
            if ended && !self.owes_a_fault() && self.tear_down_if_ended()? {
                return Ok(());
            }
        }
    }

    fn wait(&self) -> Result<Vec<Source>> {
        let mut all = Vec::with_capacity(8);
        let mut add = |source, fd| all.push((source, PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        add(Source::Listener, self.listener.as_fd());
        if let Some(gate) = &self.release.gate {
            add(Source::Gate, gate.as_fd());
        } else if !self.owes_a_fault() {
            add(Source::Init, self.pidfd.as_fd());
        }
        for (id, socket) in self.connections.each() {
            add(Source::Connection(id), socket);
        }
        self.jobs.poll(&mut all);
        self.files.poll(&mut all);
        if let Some(interceptor) = &self.interceptor {
            let end = PollFd::new(&interceptor.pidfd, PollFlags::IN);
            all.push((Source::InterceptorEnd, end));
        }
        if let Some(timer) = self.deadline.as_ref().filter(|_| !self.overdue) {
            all.push((Source::Deadline, PollFd::new(timer, PollFlags::IN)));
        }
        if let Some(console) = &self.console {
            console.poll(&mut all);
        }
        let (sources, mut fds): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).at("wait for", "events"),
        }
        let ready = fds.iter().zip(sources).filter(|(fd, _)| !fd.revents().is_empty());
        Ok(ready.map(|(_, source)| source).collect())
    }

    /// Kills what is inside, as its deadline came.
    fn end_overdue(&mut self) {
        self.overdue = true;
        super::log(format_args!("its deadline came, and nobody had put it off"));
        if let Err(error) = self.kill() {
            super::log(format_args!("{error}"));
        }
    }

    fn act(&mut self, source: Source) {
        match source {
            Source::Listener => self.connections.accept(self.listener.as_fd()),
            Source::Gate => self.hear_init(),
            Source::Init => {}
            Source::Console => self.take_console_output(),
            Source::Client(id) => self.hear_console(id),
            Source::Connection(id) => self.hear(id),
            Source::JobGate(id) => {
                let asking = self.jobs.hear(id, &mut self.connections);
                if !asking.is_empty() {
                    self.listen(&asking);
                }
            }
            Source::JobEnd(id) => self.jobs.reap(id, &mut self.connections),
            Source::JobOutput(id, index) => self.jobs.drain(id, index),
            Source::FilesEnd(_) => self.files.reap(),
            Source::InterceptorEnd => self.lose_interceptor(),
            Source::Deadline => self.end_overdue(),
        }
    }

    /// Calls that are asked about fail from now on.
    fn lose_interceptor(&mut self) {
        if let Some(interceptor) = self.interceptor.take() {
            interceptor.end();
            super::log(format_args!("what answers its system calls is gone"));
        }
    }

    fn take_console_output(&mut self) {
        if let Some(console) = &mut self.console {
            console.take_output();
        }
    }

    fn hear_console(&mut self, id: u64) {
        if let Some(console) = &mut self.console {
            console.hear(id);
        }
    }

    /// A request, or the end of a connection.
    fn hear(&mut self, id: Id) {
        let Some(socket) = self.connections.get(id) else { return };
        match packet::recv::<Request>(socket) {
            Ok(Some((request, fds))) => self.answer(id, request, fds),
            Err(Error::Message(_)) => self.connections.done(id, Err(Error::Unsupported)),
            Ok(None) | Err(_) => {
                self.connections.close(id);
                self.jobs.leave(id);
            }
        }
    }

    fn tear_down_if_ended(&mut self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let Some(status) =
            waitid(WaitId::PidFd(self.pidfd.as_fd()), options).at("wait for", "init")?
        else {
            return Ok(false);
        };
        let reason = match self.overdue {
            true => ExitReason::Deadline,
            false => reason(&status, self.killed, self.group.oom_killed()),
        };
        self.tear_down(reason);
        Ok(true)
    }
}
