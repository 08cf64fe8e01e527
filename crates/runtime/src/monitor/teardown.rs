//! After PID 1 ended: everything goes, and whoever watches is told.

use std::fs;

use rustix::process::WaitIdStatus;

use super::{Chain, log, start::Instance};
use crate::{
    ExitReason, State,
    client::{SPEC_FILE, write_exit},
    error::{At, Result},
    protocol::{Reply, SOCKET},
};

/// What a status means for a PID 1. When it calls reboot(2), the kernel ends its pid namespace and
/// shows that as a signal: SIGINT for halt and power off, SIGHUP for restart
/// (pid_namespaces(7)). It cannot die of these otherwise.
pub(super) fn reason(status: &WaitIdStatus, killed: bool, oom: bool) -> ExitReason {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitReason::Exit(code),
        (None, Some(libc::SIGINT)) => ExitReason::Halt,
        (None, Some(libc::SIGHUP)) => ExitReason::Reboot,
        (None, Some(libc::SIGKILL)) if oom && !killed => ExitReason::OomKilled,
        (None, Some(signal)) => ExitReason::Signal(signal),
        (None, None) => ExitReason::Lost,
    }
}

impl Instance {
    /// Goes on after errors, which are logged. The order matters: first how it ended, for good;
    /// then what a next start would find in its way; last the event, after which one may come.
    pub(super) fn tear_down(&mut self, reason: ExitReason) {
        while self.release.gate.is_some() {
            self.hear_init();
        }
        self.state = State::Stopped;
        let run_dir = &self.spec.run_dir;
        let steps = [
            write_exit(run_dir, self.spec.generation, reason),
            self.keep_console_log(),
            self.group.kill(),
            self.group.remove(),
        ];
        for error in steps.into_iter().filter_map(Result::err) {
            log(format_args!("{}", Chain(&error)));
        }
        self.files.end();
        if let Some(interceptor) = self.interceptor.take() {
            interceptor.end();
        }
        self.remove_file(SPEC_FILE);
        self.remove_file(SOCKET);
        self.connections.tell(&Reply::Stopped { reason });
        // The end of an overlay writes all that its disk has in memory, which may take seconds. Nobody
        // who stopped the instance has to wait for that; its next start does, for our lock.
        self.root = None;
    }

    fn keep_console_log(&mut self) -> Result<()> {
        let Some(console) = &mut self.console else { return Ok(()) };
        while console.take_output() {}
        let path = self.spec.log_dir.join("console.log");
        fs::write(&path, console.bytes()).at("write", &path)
    }
}
