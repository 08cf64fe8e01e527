//! Programs that run beside QEMU, in its container: as confined as it is, and gone with it.

use std::{
    fs::{self, OpenOptions},
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use runtime::{Exec, ExecIo, ExecSpec};
use rustix::process::Signal;

use super::super::guests::Guest;
use crate::{Error, Result, World, blocking::blocking, names};

/// A program that was just started.
pub(super) struct Beside {
    name: &'static str,
    program: Exec,
    log: PathBuf,
}

impl Beside {
    /// Starts one; what it says goes into the log of that name.
    pub(super) async fn start(
        world: &World,
        guest: &Guest,
        (name, command): (&'static str, Vec<String>),
        log: &str,
        input: Option<OwnedFd>,
    ) -> Result<Beside> {
        let id = names::instance_id(guest.project(), guest.name());
        let log = world.dirs.log(&id).join(log);
        let (held, file) = (guest.clone(), log.clone());
        let start = move || {
            let output = OpenOptions::new().create(true).append(true).open(&file);
            let output = output.map_err(Error::file("open", &file))?;
            let input = match input {
                Some(input) => input,
                None => fs::File::open("/dev/null")
                    .map_err(Error::file("open", "/dev/null".as_ref()))?
                    .into(),
            };
            let io = ExecIo::Given([input.as_fd(), output.as_fd(), output.as_fd()]);
            Ok::<_, Error>(held.monitor().exec(&ExecSpec::new(command), io)?)
        };
        Ok(Beside { name, program: blocking("start a program", start).await?, log })
    }

    /// Fails with its last words once it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.program.try_wait()? {
            None => Ok(()),
            Some(_) => {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                let said = said.lines().next_back().unwrap_or("nothing").trim().to_owned();
                Err(Error::Beside { program: self.name, said })
            }
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        // One that ended is fine.
        let _ = self.program.signal(Signal::KILL.as_raw());
    }
}
