//! Going to the side where it connects, and giving up everything that serving does not need.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitySet, CapabilitySets, ThreadNameSpaceType, move_into_thread_name_spaces,
        set_capabilities, set_no_new_privs,
    },
};
use spec::{End, InstanceSpec, ProxySpec, Seccomp};

use crate::{
    container::identity::become_user,
    error::{At, Error, Result},
    seccomp::{Arch, compile},
};

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// All that it calls once it serves. It opens no file: what it connects to at a path is no open.
const CALLS: [&str; 43] = [
    "accept4",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "connect",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "exit",
    "exit_group",
    "fcntl",
    "futex",
    "getpeername",
    "getrandom",
    "getsockname",
    "getsockopt",
    "lseek",
    "madvise",
    "memfd_create",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "pipe2",
    "poll",
    "ppoll",
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
    "splice",
    "write",
];

/// Does it.
pub(super) fn confine(instance: &InstanceSpec, proxy: &ProxySpec, init: &OwnedFd) -> Result<()> {
    let filter = compile_filter()?;
    if !proxy.inside {
        join(instance, proxy, init)?;
    }
    let (uid, gid) = user(instance, proxy);
    become_user(uid, gid, &[])?;
    // Its root may reach all sockets at a path, as any root does.
    let keep = match proxy.connect {
        End::Path { .. } if uid == 0 => CapabilitySet::DAC_OVERRIDE,
        _ => CapabilitySet::empty(),
    };
    let sets =
        CapabilitySets { effective: keep, permitted: keep, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).at("give up", "capabilities")?;
    // Another user, another answer to who may look into it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide", "proxy")?;
    set_no_new_privs(true).at("give up", "privileges")?;
    if filter.is_empty() {
        return Ok(());
    }
    sys::install_filter(&filter).at("load", "system call filter")
}

/// Who it is where it connects.
fn user(instance: &InstanceSpec, proxy: &ProxySpec) -> (u32, u32) {
    // The root of a user namespace is nobody outside already.
    let is_nobody = !proxy.inside && !instance.privileged();
    let unsaid = if proxy.connect.is_unix() || is_nobody { 0 } else { NOBODY };
    (proxy.uid.unwrap_or(unsaid), proxy.gid.unwrap_or(unsaid))
}

fn join(instance: &InstanceSpec, proxy: &ProxySpec, init: &OwnedFd) -> Result<()> {
    let mut sides = ThreadNameSpaceType::NETWORK;
    if matches!(proxy.connect, End::Path { .. }) {
        sides |= ThreadNameSpaceType::MOUNT;
    }
    if !instance.privileged() {
        sides |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(init.as_fd(), sides).at("join", "namespaces")
}

/// Empty where there is no table of calls for this processor.
fn compile_filter() -> Result<Vec<crate::seccomp::SockFilter>> {
    let Some(arch) = Arch::host() else { return Ok(Vec::new()) };
    let policy = Seccomp {
        allow: CALLS.map(str::to_owned).to_vec(),
        deny_compat: true,
        ..Seccomp::default()
    };
    compile(&policy, arch).map_err(|error| Error::Invalid { field: error.to_string().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_knows_all_calls() {
        let filter = compile_filter().unwrap();
        assert_eq!(filter.is_empty(), Arch::host().is_none());
    }
}
