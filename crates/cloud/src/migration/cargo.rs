//! A file on its way to the other end.

use std::path::Path;

use bytes::BytesMut;
use exec::{Control, Progress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Link;
use crate::{Error, Result};

/// Bytes of a message.
const PIECE: usize = 256 << 10;

/// Space of the state folder's disk that a file from elsewhere leaves free, in bytes.
const SPARE: u64 = 256 << 20;

impl Link {
    /// Sends that many bytes of a file.
    pub(crate) async fn send_file(&self, path: &Path, size: u64, control: &Control) -> Result<()> {
        let mut file = tokio::fs::File::open(path).await.map_err(Error::file("open", path))?;
        let mut sent = 0;
        while sent < size {
            control.check()?;
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = file.read_buf(&mut piece).await.map_err(Error::file("read", path))?;
            if read == 0 {
                return Err(Error::BrokenOff);
            }
            self.send(piece.freeze()).await?;
            sent += read as u64;
            report(control, "send", sent, size);
        }
        Ok(())
    }

    /// Receives that many bytes into a file that is there, if there is room for them.
    pub(crate) async fn receive_file(
        &mut self,
        path: &Path,
        size: u64,
        control: &Control,
    ) -> Result<()> {
        room(path, size)?;
        // It is there: made anew it would stay if nobody waits for this any more.
        let opened = tokio::fs::OpenOptions::new().write(true).truncate(true).open(path).await;
        let mut file = opened.map_err(Error::file("open", path))?;
        let mut got = 0;
        while got < size {
            control.check()?;
            let piece = self.receive().await?;
            got += piece.len() as u64;
            if got > size {
                return Err(Error::OtherEnd { said: String::from("more than it announced") });
            }
            file.write_all(&piece).await.map_err(Error::file("write", path))?;
            report(control, "receive", got, size);
        }
        file.flush().await.map_err(Error::file("write", path))
    }
}

/// Fails when a file would fill the disk.
fn room(path: &Path, size: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(path.parent().unwrap_or(path));
    let disk = disk.map_err(|error| Error::file("look at", path)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(SPARE);
    match size <= free {
        true => Ok(()),
        false => {
            let why = format!("{size} bytes come, and there is room for {free}");
            Err(Error::invalid("migration", why))
        }
    }
}

fn report(control: &Control, stage: &'static str, bytes: u64, total: u64) {
    let percent = bytes.saturating_mul(100).checked_div(total).unwrap_or(100);
    let percent = u8::try_from(percent).ok();
    control.report(Progress { stage: stage.into(), percent, bytes, total: Some(total) });
}
