//! Requests about what is open.

use std::{os::unix::fs::FileExt, path::PathBuf};

use runtime::files::{Change, FileKind, Owner, Writing};

use super::{
    super::either::Files,
    handles::{Handle, Opened, read},
    packet::{BLOCK, LONGEST, Reader, Status, Writer, kind, open},
    server::{Answered, Refused, Server, at, attributes, failed},
};
use crate::blocking::blocking;

/// Room that is left in a packet of names, for the longest of them.
const ROOM: usize = 2048;

impl Server {
    pub(super) async fn open_file(&mut self, request: u32, mut from: Reader<'_>) -> Answered {
        let (path, flags, change) = (at(&from.text()?), from.number()?, from.change()?);
        if self.handles.is_full() {
            return Err(Refused::TooMany);
        }
        let opened = match flags & (open::WRITE | open::APPEND) {
            0 => self.for_reading(path).await?,
            _ => self.for_writing(path, flags, change).await?,
        };
        Ok(handle(request, self.handles.add(Handle::File(opened))))
    }

    async fn for_reading(&mut self, path: PathBuf) -> Result<Opened, Refused> {
        let asked = path.clone();
        let file = self.access.ask(move |files| files.read(&asked)).await?;
        Ok(Opened { file: file.into(), path, writes: false, session: None })
    }

    async fn for_writing(
        &mut self,
        path: PathBuf,
        flags: u32,
        change: Change,
    ) -> Result<Opened, Refused> {
        let has = |flag| flags & flag != 0;
        let how = match has(open::APPEND) {
            true => Writing::Append,
            false => Writing::Within {
                read: has(open::READ),
                create: has(open::CREATE),
                truncate: has(open::TRUNCATE),
                new: has(open::CREATE) && has(open::NEW),
            },
        };
        let asked = path.clone();
        let ask = move |files: &Files| {
            // One that is there keeps its owner and its mode, as with open(2).
            let owner = match files.look(&asked, true) {
                Ok(_) => Owner::default(),
                Err(_) => {
                    let mode = change.owner.mode.unwrap_or(0o644);
                    Owner { uid: Some(0), gid: Some(0), mode: Some(mode) }
                }
            };
            files.write(&asked, how, owner)
        };
        let session = self.access.for_writing().await?;
        let file = match &session {
            Some(session) => session.ask_plainly(ask).await?,
            None => self.access.ask(ask).await?,
        };
        Ok(Opened { file: file.into(), path, writes: true, session })
    }

    pub(super) async fn close(&mut self, request: u32, mut from: Reader<'_>) -> Answered {
        let handle = self.handles.remove(from.bytes()?).ok_or(Refused::NoHandle)?;
        if let Handle::File(Opened { path, session: Some(session), .. }) = handle {
            let committed = session.ask_plainly(move |files| files.commit(&path)).await;
            session.close().await;
            committed?;
        }
        Ok(Writer::status(request, Status::Ok, ""))
    }

    pub(super) async fn read(&mut self, request: u32, mut from: Reader<'_>) -> Answered {
        let opened = self.handles.file(from.bytes()?).ok_or(Refused::NoHandle)?;
        let (offset, length) = (from.long()?, from.number()?.min(BLOCK) as usize);
        let file = opened.file.clone();
        let read = move || read(&file, offset, length).map_err(failed("read"));
        let block = blocking("read a file", read).await?;
        if block.is_empty() && length > 0 {
            return Err(Refused::End);
        }
        let mut answer = Writer::new(kind::DATA, request);
        answer.bytes(&block);
        Ok(answer)
    }

    pub(super) async fn write(&mut self, request: u32, mut from: Reader<'_>) -> Answered {
        let opened = self.handles.file(from.bytes()?).ok_or(Refused::NoHandle)?;
        let (offset, block) = (from.long()?, from.bytes()?.to_vec());
        let file = opened.file.clone();
        let write = move || file.write_all_at(&block, offset).map_err(failed("write"));
        blocking("write a file", write).await?;
        Ok(Writer::status(request, Status::Ok, ""))
    }

    pub(super) async fn look_at_open(&mut self, request: u32, name: &[u8]) -> Answered {
        let opened = self.handles.file(name).ok_or(Refused::NoHandle)?;
        let (own, path) = (opened.seen().map_err(failed("look at"))?, opened.path.clone());
        match self.access.ask(move |files| files.look(&path, true)).await {
            // What was written may not be where its name is yet.
            Ok(mut seen) if seen.kind == FileKind::File => {
                seen.size = own.size;
                Ok(attributes(request, &seen, true))
            }
            _ => Ok(attributes(request, &own, false)),
        }
    }

    pub(super) async fn change_open(&mut self, request: u32, mut from: Reader<'_>) -> Answered {
        let (name, mut change) = (from.bytes()?, from.change()?);
        let opened = self.handles.file(name).ok_or(Refused::NoHandle)?;
        if let (Some(size), true) = (change.size, opened.writes) {
            let file = opened.file.clone();
            blocking("cut a file", move || file.set_len(size).map_err(failed("cut"))).await?;
            change.size = None;
        }
        let path = opened.path.clone();
        if change != Change::default() {
            self.access.ask(move |files| files.change(&path, &change)).await?;
        }
        Ok(Writer::status(request, Status::Ok, ""))
    }

    pub(super) async fn open_folder(&mut self, request: u32, path: String) -> Answered {
        if self.handles.is_full() {
            return Err(Refused::TooMany);
        }
        let path = at(&path);
        let mut entries = self.access.ask(move |files| files.list(&path)).await?;
        // They are told from the end.
        entries.reverse();
        Ok(handle(request, self.handles.add(Handle::Folder(entries))))
    }

    pub(super) fn read_folder(&mut self, request: u32, name: &[u8]) -> Answered {
        let Some(Handle::Folder(left)) = self.handles.get(name) else {
            return Err(Refused::NoHandle);
        };
        if left.is_empty() {
            return Err(Refused::End);
        }
        let (mut names, mut count) = (Writer::new(kind::NAME, request), 0);
        while let Some(entry) = left.pop_if(|_| names.len() + ROOM < LONGEST) {
            names.name(&entry.name, &entry.seen);
            count += 1;
        }
        Ok(names.counted(count))
    }
}

fn handle(request: u32, name: [u8; 8]) -> Writer {
    let mut answer = Writer::new(kind::HANDLE, request);
    answer.bytes(&name);
    answer
}
