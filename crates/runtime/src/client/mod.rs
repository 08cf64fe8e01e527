//! The daemon's side: starts monitors, finds them again, asks them.

mod cleanup;
mod exit_file;
mod handle;
mod running;
mod socket;
mod start;
mod watch;

pub(crate) use cleanup::SPEC_FILE;
pub use cleanup::{cleanup, cleanup_spec};
pub use exit_file::last_exit;
pub(crate) use exit_file::{EXIT_FILE, write_exit};
pub use handle::Monitor;
pub use running::Exec;
pub(crate) use socket::{address, open_folder};
pub(crate) use start::executable;
pub use start::{Created, spawn};
pub use watch::Watch;
