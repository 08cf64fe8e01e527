//! Datasets as streams.
//!
//! A dataset that is kept as a snapshot is born of a state of the one it was taken of, which has its name
//! (`web@v_1f..`), and stands for it wherever it is handed on to: what is sent is that state, so that all that
//! comes later has it as an ancestor. One that was received has a state of its own name, too.

use std::fs::File;
use std::os::fd::OwnedFd;

use exec::Control;
use exec::zfs::{self, State};

use super::datasets::Datasets;
use super::files::properties;
use super::head::{self, Head};
use crate::dir::Purpose;
use crate::streams::Outgoing;
use crate::volumes::{Streaming, is_named_so};
use crate::{Error, Result, fsio};

/// What names of states begin with that are there while they are sent.
const SENT: &str = "sent-";

/// A state that is to be sent.
struct Held<'a> {
    datasets: &'a Datasets,
    state: String,
    base: Option<String>,
    /// Whether it is there for this alone.
    own: bool,
}

impl Outgoing for Held<'_> {
    /// A stream says itself what it is.
    fn id(&self) -> Option<&str> {
        None
    }

    fn send(&self, to: OwnedFd, control: &Control) -> Result<()> {
        zfs::send(&self.state, self.base.as_deref(), File::from(to), control)
            .map_err(self.datasets.failed("send", &self.state))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.own {
            // The next open forgets it if this fails.
            let _ = zfs::forget(&self.state);
        }
    }
}

impl Datasets {
    fn states(&self) -> Result<Vec<State>> {
        zfs::states(self.parent()).map_err(self.failed("look for states of", ""))
    }

    /// The state that a kept dataset stands for. One that is not read-only may have been written to.
    fn birth(&self, volume: &str) -> Result<Option<State>> {
        let kept = zfs::own_property(&self.whole_name(volume), "readonly")
            .map_err(self.failed("look at", volume))?;
        match kept == "on" {
            true => Ok(self.states()?.into_iter().find(|state| state.mark == volume)),
            false => Ok(None),
        }
    }

    /// Forgets the states that datasets were born of which are gone.
    pub(super) fn forget_births(&self, gone: &[String]) -> Result<()> {
        self.forget(self.states()?, |mark| gone.iter().any(|name| name == mark))
    }

    /// Forgets what a crash left. What is being made is named before it has a state.
    pub(super) fn forget_left(&self, named: &dyn Fn() -> Result<Vec<String>>) -> Result<()> {
        let (states, named, ours) = (self.states()?, named()?, own_mark());
        self.forget(states, |mark| match mark.starts_with(SENT) {
            true => !mark.starts_with(&ours),
            false => is_named_so(mark) && !named.iter().any(|name| name == mark),
        })
    }

    fn forget(&self, states: Vec<State>, is_gone: impl Fn(&str) -> bool) -> Result<()> {
        for state in states.iter().filter(|state| is_gone(&state.mark)) {
            zfs::forget(&state.name()).map_err(self.failed("forget", &state.mark))?;
        }
        Ok(())
    }
}

/// What names of states begin with that this process sends.
fn own_mark() -> String {
    format!("{SENT}{}-", std::process::id())
}

impl Streaming for Datasets {
    fn known(&self, volume: &str) -> Result<Option<(Vec<String>, u64)>> {
        let birth = self.birth(volume)?;
        Ok(birth.map(|state| (vec![format!("{:016x}", state.guid)], state.made)))
    }

    fn prepare<'a>(
        &'a self,
        volume: &str,
        base: Option<&str>,
        why: Purpose,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>> {
        let birth = match why {
            Purpose::Keep => self.birth(volume)?.map(|state| state.name()),
            Purpose::Use | Purpose::Copy => None,
        };
        let base = match base.map(|base| self.birth(base)).transpose()? {
            Some(None) => return Ok(None),
            other => other.flatten().map(|state| state.name()),
        };
        let own = birth.is_none();
        let state = match birth {
            Some(state) => state,
            None => {
                let mark = format!("{}{}", own_mark(), fsio::unique());
                let name = self.whole_name(volume);
                zfs::remember(&name, &mark).map_err(self.failed("take a state of", volume))?;
                format!("{name}@{mark}")
            }
        };
        let held = Held { datasets: self, state, base, own };
        let can = held.base.as_deref().is_none_or(|base| zfs::can_send(&held.state, base));
        Ok(can.then(|| Box::new(held) as _))
    }

    fn receive(
        &self,
        volume: &str,
        is_disk: bool,
        why: Purpose,
        from: OwnedFd,
        control: &Control,
    ) -> Result<bool> {
        let (Head { is_disk: disk_comes, base, .. }, from) = head::look(from)?;
        // Files may come on a disk, too.
        if is_disk && !disk_comes {
            return Err(Error::Stream { why: "it is of files and not of a disk" });
        }
        let base = match base {
            None => None,
            Some(guid) => {
                let found = self.states()?.into_iter().find(|state| state.guid == guid);
                let lacks = Error::Stream { why: "it starts from a state that is not here" };
                Some(found.ok_or(lacks)?.name())
            }
        };
        let properties = properties(disk_comes, why);
        let state = format!("{}@{volume}", self.whole_name(volume));
        from.through(|pipe| {
            zfs::receive(&state, base.as_deref(), properties, pipe, control)
                .map_err(self.failed("receive", volume))
        })?;
        // Nothing starts from what is written to.
        match why {
            Purpose::Keep => {}
            Purpose::Use | Purpose::Copy => {
                zfs::forget(&state).map_err(self.failed("forget", &state))?;
            }
        }
        Ok(disk_comes)
    }
}
