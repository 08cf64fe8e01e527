//! The only place that starts other programs.
//!
//! [`run`] takes a [`Tool`] (program, arguments, input, bounds) and blocks until it ends, is
//! cancelled through its [`Control`] or runs out of time. Around it stands one file a program,
//! with typed arguments and results. Callers on an async runtime use a blocking thread.
//!
//! Left out: instances and their monitors (crate `runtime` starts those), and shells: no command
//! line is ever assembled from strings.

mod again;
mod control;
mod error;
mod find;
mod group;
mod lines;
mod pipes;
mod run;
mod tool;

pub mod apparmor_parser;
pub mod apt_get;
pub mod busybox;
pub mod ceph;
pub mod cryptsetup;
pub mod dpkg_deb;
pub mod editor;
pub mod lvm;
pub mod mkfs;
pub mod mkfs_btrfs;
pub mod mksquashfs;
pub mod mmdebstrap;
pub mod modprobe;
pub mod mtools;
pub mod nft;
pub mod qemu_img;
pub mod rbd;
pub mod sshfs;
pub mod systemctl;
pub mod unsquashfs;
pub mod viewer;
pub mod wipefs;
pub mod zfs;

pub use again::again;
pub use control::{Cancelled, Control, Progress};
pub use error::{Error, Result};
pub use find::installed;
pub use run::run;
pub use tool::{Output, Tool};

#[cfg(test)]
mod tests;
