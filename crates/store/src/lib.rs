//! The replicated state of the cloud: an SQL database beneath a Raft log, the same for one member
//! and for many. Called by the verbs (`cloud`) and wired by the daemon; it knows no table of theirs.
//!
//! ```text
//! write(closure) ── runs on the local state, rolled back ──> statements + tables read
//!      ^                                                          │  one batch at a time
//!      │ conflict: again                                          v
//!   outcome <── apply: tables unchanged since? run them <── Raft log (one fsync a batch)
//! ```
//!
//! A folder holds `log.db` (the log and the vote; every append is on disk before it counts),
//! `state.db` (the rows and what was applied, in one transaction; it may fall back to an earlier
//! point in a power cut and is brought forward from the log), `snapshot.db` (a copy of the state
//! from which the log may start), `copies/` (of an hour, of a day: what is gone back to when the rest is damaged) and
//! `lock`.
//!
//! A storage error stops the store rather than let members drift apart: [`Store::failed`].
//! Things of one machine (pids, sockets, caches) do not belong here.
//!
//! All of Raft runs on one thread with its own small runtime, so that a busy daemon cannot starve
//! it. openraft logs freely: run with `openraft=warn`.

mod access;
mod apply;
mod changed;
mod codec;
mod copies;
mod core;
mod error;
mod fault;
mod files;
mod leader;
mod log;
mod log_file;
mod machine;
mod members;
mod mend;
mod meta;
mod migrate;
mod open;
mod options;
mod peer;
mod raft;
mod read;
mod readers;
mod recover;
mod request;
mod reserve;
mod row;
mod rpc;
mod serve;
mod ship;
mod snapshot;
mod state;
mod status;
mod store;
#[cfg(test)]
mod suite;
pub mod testing;
mod transport;
mod value;
mod window;
mod write;

pub use changed::Changed;
pub use copies::copies;
pub use error::{Constraint, Error, Result};
pub use mend::{Damage, Lost, Mended, mend, set_files_aside};
pub use options::{Kind, Member, MemberId, Migration, Options};
pub use read::Read;
pub use recover::{Recovered, recover, restore};
pub use row::{Column, Row};
pub use status::{Role, Status};
pub use store::Store;
pub use transport::{Nobody, Stream, Transport};
pub use value::{FromValue, ToValue, Value};
pub use write::Write;
