//! The MD5 of contents, beside their writing: it takes longer than that does. Small contents have no thread.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use md5::{Digest, Md5};

/// Bytes from which on a thread hashes.
const LARGE: u64 = 1 << 20;
/// Pieces that wait for it at most, each as large as what is written at once.
const WAITING: usize = 4;

/// A sum that is being made.
#[derive(Debug)]
pub(crate) enum Hash {
    Here(Md5),
    Beside(SyncSender<Vec<u8>>, JoinHandle<Md5>),
    /// Its thread panicked.
    Lost,
}

impl Hash {
    pub(crate) fn new() -> Hash {
        Hash::Here(Md5::new())
    }

    /// Adds bytes, of which so many came before.
    pub(crate) fn update(&mut self, before: u64, bytes: &[u8]) {
        if let Hash::Here(md5) = self
            && before >= LARGE
        {
            *self = beside(std::mem::take(md5));
        }
        match self {
            Hash::Here(md5) => md5.update(bytes),
            Hash::Beside(sender, _) => {
                if sender.send(bytes.to_vec()).is_err() {
                    *self = Hash::Lost;
                }
            }
            Hash::Lost => {}
        }
    }

    /// The sum; none if it was lost.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        let md5 = match self {
            Hash::Here(md5) => md5,
            Hash::Beside(sender, thread) => {
                drop(sender);
                thread.join().ok()?
            }
            Hash::Lost => return None,
        };
        Some(md5.finalize().to_vec())
    }
}

fn beside(mut md5: Md5) -> Hash {
    let (sender, receiver) = sync_channel::<Vec<u8>>(WAITING);
    let so_far = md5.clone();
    let work = move || {
        receiver.into_iter().for_each(|bytes| md5.update(bytes));
        md5
    };
    match thread::Builder::new().name("md5".into()).spawn(work) {
        Ok(thread) => Hash::Beside(sender, thread),
        // There are too many: it is done here.
        Err(_) => Hash::Here(so_far),
    }
}
