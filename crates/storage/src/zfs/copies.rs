//! Copies that share nothing with what they are of, or only what that shares with the image it was made of: written
//! anew, by a stream within the pool.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use exec::{Control, zfs};

use super::datasets::Datasets;
use crate::error::At;
use crate::{Copies, Result};

impl Datasets {
    /// Writes a state into a new dataset, with properties.
    pub(super) fn write_anew(
        &self,
        from: &str,
        to: &str,
        share: Copies,
        properties: &[(&str, &str)],
        control: &Control,
    ) -> Result<()> {
        let state = format!("{}@{to}", self.whole_name(from));
        let base = match share {
            Copies::Image => {
                let origins = zfs::origins(&self.whole_name(from));
                // Others stand in between: snapshots that it was put back to, what it was copied from.
                origins.map_err(self.failed("look at", from))?.pop()
            }
            Copies::All | Copies::Nothing => None,
        };
        let base = base.filter(|base| zfs::can_send(&state, base));
        let arrived = format!("{}@{to}", self.whole_name(to));
        self.through(&state, &arrived, base.as_deref(), properties, control)?;
        // Nothing starts from what is written to.
        zfs::forget(&arrived).map_err(self.failed("forget", &arrived))
    }

    fn through(
        &self,
        state: &str,
        arrived: &str,
        base: Option<&str>,
        properties: &[(&str, &str)],
        control: &Control,
    ) -> Result<()> {
        let (reader, writer) = io::pipe().at("make a pipe for", "a copy")?;
        let files = [OwnedFd::from(reader), OwnedFd::from(writer)].map(File::from);
        let [reader, writer] = files;
        let (sent, received) = std::thread::scope(|scope| {
            let sender = scope.spawn(move || zfs::send(state, base, writer, control));
            let received = zfs::receive(arrived, base, properties, reader, control);
            (sender.join(), received)
        });
        control.check()?;
        received.map_err(self.failed("write", arrived))?;
        match sent {
            Ok(sent) => sent.map_err(self.failed("read", state)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
