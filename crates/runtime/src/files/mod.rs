//! Files of an instance, read and changed from outside.
//!
//! What lies there is the instance's: links, swapped folders, pipes that never answer. So each path
//! is walked with the instance's root as the ceiling, and nothing but regular files and folders is
//! opened. For one that runs, a child of its monitor does all of it with the rights of the
//! container's root ([`child`]); for one that is stopped, a thread over its volume. Both serve a
//! socket ([`serve`]); [`Files`] is the other end of it.
//!
//! ```text
//! Files ── Ask ──> serve ── Tree (openat2 beneath the root)
//!       <─ Told ──         a file's contents go through its descriptor
//! ```

pub(crate) mod child;
mod client;
mod made;
mod place;
mod serve;
mod tree;
mod words;
mod write;

pub use client::{File, Files};
pub use made::Made;
pub use serve::{Server, serve};
pub use words::{Ask, Change, Entry, FileKind, Owner, Seen, Told, Writing};

#[cfg(test)]
mod tests;
