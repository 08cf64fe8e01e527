//! The loop: what is asked, and who ended.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
};
use spec::InstanceSpec;
use sys::{Answer, Asked};

use super::{
    bpf,
    caller::Caller,
    clerk::{self, Office, Verdict},
    sysinfo, xattr,
};
use crate::{
    cgroup::Group,
    error::{At, Error, Result},
    protocol::packet,
    seccomp::{Arch, Kind, Numbers},
};

/// Clerks at work at once. Further calls wait.
const MOST: usize = 32;

pub(super) struct Server {
    spec: InstanceSpec,
    group: Group,
    init: (OwnedFd, i32),
    numbers: Numbers,
    /// The monitor's, which sends what to listen at.
    socket: OwnedFd,
    listeners: Vec<Listener>,
    clerks: Vec<Clerk>,
    last: u64,
}

/// What the filter of a program, and of its children, asks at.
struct Listener {
    number: u64,
    socket: OwnedFd,
}

/// A call that is being done.
struct Clerk {
    pidfd: OwnedFd,
    listener: u64,
    id: u64,
}

enum Source {
    Monitor,
    Listener(u64),
    Clerk,
}

impl Server {
    pub(super) fn new(
        spec: &InstanceSpec,
        group: &Group,
        init: (OwnedFd, i32),
        socket: OwnedFd,
    ) -> Result<Server> {
        let arch = Arch::host().ok_or(Error::Unsupported)?;
        Ok(Server {
            numbers: Numbers::of(&spec.seccomp.intercept, arch),
            spec: spec.clone(),
            group: group.clone(),
            init,
            socket,
            listeners: Vec::new(),
            clerks: Vec::new(),
            last: 0,
        })
    }

    /// Until the monitor is gone.
    pub(super) fn serve(mut self) -> Result<()> {
        loop {
            for (source, flags) in self.wait()? {
                match source {
                    Source::Monitor => match packet::recv::<()>(self.socket.as_fd())? {
                        Some(((), sockets)) => self.listen(sockets),
                        None => return Ok(()),
                    },
                    Source::Listener(number) if flags.contains(PollFlags::IN) => self.hear(number),
                    // All who could ask are gone.
                    Source::Listener(number) => self.listeners.retain(|it| it.number != number),
                    Source::Clerk => self.reap(),
                }
            }
        }
    }

    fn wait(&self) -> Result<Vec<(Source, PollFlags)>> {
        let mut all = vec![(Source::Monitor, PollFd::new(&self.socket, PollFlags::IN))];
        for clerk in &self.clerks {
            all.push((Source::Clerk, PollFd::new(&clerk.pidfd, PollFlags::IN)));
        }
        let asked = if self.clerks.len() < MOST { PollFlags::IN } else { PollFlags::empty() };
        for listener in &self.listeners {
            let source = Source::Listener(listener.number);
            all.push((source, PollFd::new(&listener.socket, asked)));
        }
        let (sources, mut polled): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).at("wait for", "system calls"),
        }
        let flags: Vec<_> = polled.iter().map(PollFd::revents).collect();
        Ok(sources.into_iter().zip(flags).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn listen(&mut self, sockets: Vec<OwnedFd>) {
        for socket in sockets {
            self.last += 1;
            self.listeners.push(Listener { number: self.last, socket });
        }
    }

    /// One call. Who asked may be gone already, which nobody minds.
    fn hear(&mut self, number: u64) {
        let Some(at) = self.listeners.iter().position(|it| it.number == number) else { return };
        let Ok(asked) = sys::next_asked(self.listeners[at].socket.as_fd()) else { return };
        match self.decide(at, asked) {
            Ok(Some(answer)) => self.answer(at, asked.id, answer),
            Ok(None) => {}
            Err(error) => self.answer(at, asked.id, Answer::Failed(error.raw_os_error())),
        }
    }

    /// `None` if a clerk or the kernel has answered, or will.
    fn decide(&mut self, at: usize, asked: Asked) -> std::result::Result<Option<Answer>, Errno> {
        let Some(kind) = self.numbers.kind(asked.audit, asked.number) else {
            return Ok(Some(Answer::Kernel));
        };
        let listener = &self.listeners[at];
        let caller = Caller::of(listener.socket.as_fd(), asked)?;
        let office =
            Office { spec: &self.spec, group: &self.group, init: (&self.init.0, self.init.1) };
        match kind {
            Kind::SysInfo => sysinfo::fill(&office, &caller).map(|done| Some(answer(done))),
            Kind::Bpf => match bpf::bpf(&office, &caller)? {
                bpf::Done::Kernel => Ok(Some(Answer::Kernel)),
                bpf::Done::Changed => Ok(Some(Answer::Done(0))),
                bpf::Done::Loaded(program) => {
                    let added =
                        sys::answer_with(listener.socket.as_fd(), asked.id, program.as_fd());
                    added.map(|()| None).map_err(|error| clerk::errno(&error))
                }
            },
            Kind::SetXattr | Kind::SetXattrOfLink | Kind::SetXattrOfOpen
                if !xattr::is_opaque(&caller).unwrap_or(false) =>
            {
                Ok(Some(Answer::Kernel))
            }
            _ => {
                let pidfd = clerk::start(&office, &caller, kind).map_err(|error| {
                    crate::monitor::log(format_args!("intercept: {error}"));
                    Errno::AGAIN
                })?;
                let listener = listener.number;
                self.clerks.push(Clerk { pidfd, listener, id: asked.id });
                Ok(None)
            }
        }
    }

    fn answer(&self, at: usize, id: u64, answer: Answer) {
        // It fails for who does not wait any more.
        let _ = sys::answer(self.listeners[at].socket.as_fd(), id, answer);
    }

    fn reap(&mut self) {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let mut answers = Vec::new();
        self.clerks.retain(|clerk| match waitid(WaitId::PidFd(clerk.pidfd.as_fd()), how) {
            Ok(None) => true,
            Ok(Some(status)) => {
                answers.push((clerk.listener, clerk.id, clerk::answer(&status)));
                false
            }
            Err(_) => {
                answers.push((clerk.listener, clerk.id, Answer::Failed(libc::EIO)));
                false
            }
        });
        for (listener, id, answer) in answers {
            if let Some(at) = self.listeners.iter().position(|it| it.number == listener) {
                self.answer(at, id, answer);
            }
        }
    }
}

fn answer(done: Verdict) -> Answer {
    match done {
        Verdict::Done => Answer::Done(0),
        Verdict::Kernel => Answer::Kernel,
    }
}
