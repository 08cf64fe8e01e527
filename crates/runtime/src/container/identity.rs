//! Becoming a user of the container, with what it may do.

use std::{io, path::Path};

use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use spec::Rlimit;
use sys::Image;

use crate::error::{At, Error, Result};

/// The container's root, right after joining its user namespace.
pub(crate) fn become_root() -> Result<()> {
    become_user(0, 0, &[])
}

/// A user as the container counts.
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let groups: Vec<_> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    set_thread_groups(&groups).at("set", "groups")?;
    set_thread_res_gid(group, group, group).at("set", format!("group {gid}"))?;
    set_thread_res_uid(user, user, user).at("set", format!("user {uid}"))
}

/// Prepares a program to be executed.
pub(super) fn image(argv: &[String], env: &[(String, String)]) -> Result<Image> {
    Image::new(argv, env).map_err(|_| Error::Invalid { field: "argv, env: a zero byte".into() })
}

/// Resource limits, of this process (`None`) or another. Without `CAP_SYS_RESOURCE` raising fails;
/// then the old ones stay.
pub(crate) fn set_rlimits(pid: Option<rustix::process::Pid>, rlimits: &[Rlimit]) {
    use rustix::process::prlimit;
    for limit in rlimits {
        let Some(resource) = resource(&limit.name) else { continue };
        let value = rustix::process::Rlimit { current: limit.soft, maximum: limit.hard };
        if let Err(error) = prlimit(pid, resource, value) {
            crate::monitor::log(format_args!("limit {} not set: {error}", limit.name));
        }
    }
}

fn resource(name: &str) -> Option<rustix::process::Resource> {
    use rustix::process::Resource as R;
    Some(match name {
        "as" => R::As,
        "core" => R::Core,
        "cpu" => R::Cpu,
        "data" => R::Data,
        "fsize" => R::Fsize,
        "locks" => R::Locks,
        "memlock" => R::Memlock,
        "msgqueue" => R::Msgqueue,
        "nice" => R::Nice,
        "nofile" => R::Nofile,
        "nproc" => R::Nproc,
        "rss" => R::Rss,
        "rtprio" => R::Rtprio,
        "rttime" => R::Rttime,
        "sigpending" => R::Sigpending,
        "stack" => R::Stack,
        _ => return None,
    })
}

/// Where a program starts; a missing home is no error, a missing folder that was named is.
pub(super) fn enter_folder(cwd: Option<&Path>, env: &[(String, String)]) -> Result<()> {
    let go = |path: &Path| -> io::Result<()> { Ok(rustix::process::chdir(path)?) };
    match cwd {
        Some(path) => go(path).at("enter", path),
        None => {
            let home = env.iter().find(|(key, _)| key == "HOME").map_or("/", |(_, home)| home);
            go(Path::new(home)).or_else(|_| go(Path::new("/"))).at("enter", "/")
        }
    }
}
