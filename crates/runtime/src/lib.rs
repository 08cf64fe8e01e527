//! System containers, and the monitor that holds one.

pub mod apparmor;
pub mod caps;
pub mod devfilter;
pub mod idmap;
pub mod lxcfs;
pub mod seccomp;
