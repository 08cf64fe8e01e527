//! The log as Raft sees it. Every append is on disk before it returns; the newest entries are kept
//! in memory, because they are read again at once to be applied.

#![expect(clippy::result_large_err, reason = "the error type is openraft's")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader, StorageIOError};

use crate::codec::encode;
use crate::error::BoxError;
use crate::fault::{Fault, Switch};
use crate::files;
use crate::log_file::LogFile;
use crate::raft::{Entry, LogId, StorageError, Types, Vote};
use crate::reserve::Reserve;

/// Bytes of entries kept in memory, at most; the last one is always kept.
const KEPT: usize = 512 << 10;

/// Numbers of batches that a start of the store has for itself: enough for years.
const NUMBERS: u64 = 1 << 40;

#[derive(Clone, Debug)]
pub(crate) struct Log {
    inner: Arc<Mutex<Inner>>,
    fault: Switch,
    reserve: Arc<Reserve>,
}

#[derive(Debug)]
struct Inner {
    file: LogFile,
    vote: Option<Vote>,
    purged: Option<LogId>,
    last: Option<LogId>,
    newest: Newest,
}

/// The newest entries with their sizes.
#[derive(Debug, Default)]
struct Newest {
    entries: BTreeMap<u64, (Entry, usize)>,
    bytes: usize,
}

impl Log {
    pub(crate) fn open(
        file: LogFile,
        fault: Switch,
        reserve: Arc<Reserve>,
    ) -> Result<Log, BoxError> {
        let purged = file.purged()?;
        let last = file.last()?.map(|entry| entry.log_id).or(purged);
        let vote = file.vote()?;
        let inner = Inner { file, vote, purged, last, newest: Newest::default() };
        Ok(Log { inner: Arc::new(Mutex::new(inner)), fault, reserve })
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.lock().purged
    }

    pub(crate) fn last(&self) -> Option<LogId> {
        self.lock().last
    }

    pub(crate) fn vote(&self) -> Option<Vote> {
        self.lock().vote
    }

    pub(crate) fn set_vote(&self, vote: Vote) -> Result<(), StorageError> {
        self.change("save the vote", |inner| {
            inner.file.commit(|file| file.set_vote(&vote))?;
            inner.vote = Some(vote);
            Ok(())
        })
    }

    /// The number of the first batch of this start: greater than any this member ever gave, those its state has `seen` and
    /// those still on their way when it ended. So which numbers a start may give is noted before it gives one.
    pub(crate) fn first_number(&self, seen: u64) -> Result<u64, StorageError> {
        self.change("number the batches", |inner| {
            // Stores of earlier versions began with the time, and noted nothing.
            let time = || u64::try_from(clock::since_1970().as_micros()).unwrap_or_default();
            let first = inner.file.free_number()?.unwrap_or_else(time).max(seen + 1);
            inner.file.commit(|file| file.set_free_number(first + NUMBERS))?;
            Ok(first)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a change, again with space kept for it when the disk is full; an error stops the store.
    fn change<R>(
        &self,
        operation: &'static str,
        mut f: impl FnMut(&mut Inner) -> Result<R, BoxError>,
    ) -> Result<R, StorageError> {
        let error = match self.fault.get() {
            Some(fault) => crate::Error::from(fault),
            None => match self.reserve.with_room(|| f(&mut self.lock())) {
                Ok(value) => return Ok(value),
                Err(error) => {
                    self.fault.set(Fault::new(operation, error));
                    self.fault.check().err().unwrap_or(crate::Error::Closed)
                }
            },
        };
        Err(StorageIOError::write_logs(&error).into())
    }
}

impl Newest {
    /// The entries from `start` up to `end`, if `start` is among those kept.
    fn range(&self, start: u64, end: u64) -> Option<Vec<Entry>> {
        let (first, _) = self.entries.first_key_value()?;
        let wanted = || self.entries.range(start..end.max(start));
        (*first <= start).then(|| wanted().map(|(_, (entry, _))| entry.clone()).collect())
    }

    fn push(&mut self, entry: Entry, size: usize) {
        self.bytes += size;
        self.entries.insert(entry.log_id.index, (entry, size));
        while self.bytes > KEPT && self.entries.len() > 1 {
            if let Some((_, (_, size))) = self.entries.pop_first() {
                self.bytes -= size;
            }
        }
    }

    /// Keeps the entries before or after one.
    fn keep(&mut self, kept: impl Fn(u64) -> bool) {
        self.entries.retain(|index, _| kept(*index));
        self.bytes = self.entries.values().map(|(_, size)| size).sum();
    }
}

impl Inner {
    fn entries(&self, start: u64, end: u64) -> Result<Vec<Entry>, BoxError> {
        match self.newest.range(start, end) {
            Some(entries) => Ok(entries),
            None => self.file.entries(start, end),
        }
    }

    /// Takes the entries once they are on disk.
    fn append(&mut self, entries: &mut Vec<Entry>) -> Result<(), BoxError> {
        let encoded: Vec<_> = entries.iter().map(encode).collect::<Result<_, _>>()?;
        let indexed = || entries.iter().map(|e| e.log_id.index).zip(&encoded);
        self.file.commit(|file| indexed().try_for_each(|(index, bytes)| file.put(index, bytes)))?;
        for (entry, bytes) in entries.drain(..).zip(&encoded) {
            self.last = Some(entry.log_id);
            self.newest.push(entry, bytes.len());
        }
        Ok(())
    }

    fn truncate(&mut self, from: u64) -> Result<(), BoxError> {
        self.file.commit(|file| file.truncate(from))?;
        self.newest.keep(|index| index < from);
        self.last = self.file.last()?.map(|entry| entry.log_id).or(self.purged);
        Ok(())
    }

    fn purge(&mut self, upto: LogId) -> Result<(), BoxError> {
        self.file.commit(|file| file.purge(&upto))?;
        self.newest.keep(|index| index > upto.index);
        self.purged = Some(upto);
        self.last = self.last.max(self.purged);
        Ok(())
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.change("read the log", |inner| inner.entries(start, end))
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let inner = self.lock();
        Ok(LogState { last_purged_log_id: inner.purged, last_log_id: inner.last })
    }

    async fn get_log_reader(&mut self) -> Log {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.set_vote(*vote)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.vote())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut entries = entries.into_iter().collect();
        self.change("write the log", |inner| inner.append(&mut entries))?;
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId) -> Result<(), StorageError> {
        self.change("cut the log", |inner| inner.truncate(from.index))
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        self.change("shorten the log", |inner| inner.purge(upto))
    }
}

/// Opens the file of the log, making it when it is missing.
pub(crate) fn open_file(path: &std::path::Path) -> Result<LogFile, BoxError> {
    LogFile::new(files::open_log(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Folder;

    #[test]
    fn a_clock_that_is_set_back_has_no_number_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::lock(dir.path()).unwrap();
        let open = || {
            let file = open_file(&folder.log()).unwrap();
            Log::open(file, Switch::new(), Arc::new(Reserve::new(&folder))).unwrap()
        };
        clock::set_ahead(24 * 60 * 60);
        let first = open().first_number(0).unwrap();
        clock::set_ahead(0);
        // What it gave meanwhile is under way still: its state has seen nothing of it.
        let second = open().first_number(0).unwrap();
        assert!(second >= first + NUMBERS, "{first} {second}");
        // A state from elsewhere that is further on.
        let seen = second + 2 * NUMBERS;
        assert_eq!(open().first_number(seen).unwrap(), seen + 1);
    }
}
