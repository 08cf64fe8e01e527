//! The only unsafe code: system calls that no library offers as safe functions.
//!
//! Everything else (mounts, pidfds, sockets, terminals) comes from `rustix`. What stands here is
//! process creation and the last steps before `execve`, id-mapped mounts, seccomp and BPF loading,
//! the allocator's settings.
//! No policy: callers in `runtime` decide what is done in which order.
#![allow(unsafe_code)]

mod attach;
mod beside;
mod btrfs;
mod call;
mod clock;
mod descriptors;
mod exec;
mod fork;
mod heap;
mod ids;
mod inherited;
#[cfg(target_arch = "x86_64")]
mod kvm;
mod loops;
mod mount;
mod program;
mod quota;
mod reaper;
mod sched;
mod seccomp;
mod signals;
mod spawn;
mod splice;
mod still;
mod tap;
mod vsock;

pub use attach::{
    attach_device_filter, attach_loaded_filter, detach_device_filter, load_device_filter,
};
pub use btrfs::{
    BlockRange, SUBVOLUME_INODE, Scrubbed, Subvolume, cancel_scrub, create_subvolume,
    delete_subvolume, enable_subvolume_quotas, folders_with_subvolumes, freeze_subvolume,
    grow_btrfs, highest_device, identify_subvolume, limit_subvolume, make_subvolume_writable,
    note_origin, scrub, scrub_progress, send_subvolume, share_blocks, snapshot_subvolume,
};
pub use clock::set_clock;
pub use descriptors::raise_descriptor_limit;
pub use exec::{Image, close_all_on_exec, close_others};
pub use fork::{Child, Fork, fork};
pub use heap::keep_heap_small;
pub use ids::{FsIds, join_new_session_keyring};
pub use inherited::take_inherited;
#[cfg(target_arch = "x86_64")]
pub use kvm::kvm_counts;
pub use loops::{attach_loop, refresh_loop};
pub use mount::{
    idmap_mount, idmap_mount_with_nodes, restrict_mount, set_readonly_mount, set_slave_mount,
};
pub use program::{Program, Step, spawn_program};
pub use quota::{ProjectUsage, limit_project, project, project_usage, set_project};
pub use reaper::run_below_reaper;
pub use sched::set_scheduler;
pub use seccomp::{
    Answer, Asked, answer, answer_with, install_asking_filter, install_filter, next_asked,
    still_waits,
};
pub use signals::{default_signals, signal_process};
pub use spawn::{Detached, spawn_detached};
pub use splice::splice;
pub use still::{hold_still, let_go};
pub use tap::open_tap;
pub use vsock::{accept_host, connect_vsock, listen_vsock};

/// `unshare(2)` of namespaces, given as `CLONE_NEW*` flags, for the calling thread.
pub fn unshare(namespaces: i32) -> std::io::Result<()> {
    // SAFETY: namespaces change what names mean, not memory; flags that share memory are masked.
    call::check(unsafe { libc::unshare(namespaces & fork::NAMESPACES) }.into()).map(drop)
}
