//! Who calls, and what it calls with.

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, fstat, openat},
    io::Errno,
    thread::CapabilitySet,
};
use sys::Asked;

/// The kernel's limit of a path, its end included (`PATH_MAX`), and of a page of mount options.
pub(super) const LONGEST: usize = 4096;

/// A thread that waits for an answer.
pub(super) struct Caller {
    pub(super) thread: i32,
    /// Its folder in the host's `/proc`: once that thread is gone nothing can be opened in it.
    proc: OwnedFd,
    pub(super) asked: Asked,
}

/// What the thread may do, in ids of the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) umask: u32,
    /// In its user namespace.
    pub(super) capabilities: CapabilitySet,
    /// The process it is a thread of.
    pub(super) process: i32,
}

/// What is the same for two if they are in the same namespace.
type Identity = (u64, u64);

impl Caller {
    pub(super) fn of(listener: BorrowedFd, asked: Asked) -> Result<Caller, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = format!("/proc/{}", asked.thread);
        let proc = openat(rustix::fs::CWD, path, flags, Mode::empty())?;
        // It still waits, so the number is still its own.
        if !sys::still_waits(listener, asked.id) {
            return Err(Errno::SRCH);
        }
        Ok(Caller { thread: asked.thread, proc, asked })
    }

    pub(super) fn argument(&self, index: usize) -> u64 {
        self.asked.arguments[index]
    }

    /// One that is a C `int`.
    pub(super) fn int(&self, index: usize) -> i32 {
        self.argument(index) as u32 as i32
    }

    /// Opens something in its folder of `/proc`.
    pub(super) fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.proc, name, flags | OFlags::CLOEXEC, Mode::empty())
    }

    /// A file or folder it has open, as a place.
    pub(super) fn place(&self, descriptor: i32) -> Result<OwnedFd, Errno> {
        let name = match descriptor {
            libc::AT_FDCWD => "cwd".to_owned(),
            0.. => format!("fd/{descriptor}"),
            _ => return Err(Errno::BADF),
        };
        self.open(&name, OFlags::PATH).map_err(|error| match error {
            Errno::NOENT => Errno::BADF,
            other => other,
        })
    }

    /// Its memory at an address.
    pub(super) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let memory = File::from(self.open("mem", OFlags::RDONLY)?);
        let mut bytes = vec![0; length];
        memory.read_exact_at(&mut bytes, address).map_err(|_| Errno::FAULT)?;
        Ok(bytes)
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let memory = File::from(self.open("mem", OFlags::WRONLY)?);
        memory.write_all_at(bytes, address).map_err(|_| Errno::FAULT)
    }

    /// A text, without the zero at its end; none at address zero.
    pub(super) fn text(&self, address: u64) -> Result<Option<CString>, Errno> {
        if address == 0 {
            return Ok(None);
        }
        let memory = File::from(self.open("mem", OFlags::RDONLY)?);
        let (mut bytes, mut at) = (Vec::new(), address);
        // What follows its page may not be there.
        while bytes.len() < LONGEST {
            let mut page = vec![0; LONGEST - at as usize % LONGEST];
            let count = memory.read_at(&mut page, at).map_err(|_| Errno::FAULT)?;
            let part = &page[..count];
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&part[..end]);
                let whole = bytes.len() < LONGEST;
                let text = CString::new(bytes).map_err(|_| Errno::INVAL)?;
                return if whole { Ok(Some(text)) } else { Err(Errno::NAMETOOLONG) };
            }
            if count == 0 {
                return Err(Errno::FAULT);
            }
            bytes.extend_from_slice(part);
            at = at.checked_add(count as u64).ok_or(Errno::FAULT)?;
        }
        Err(Errno::NAMETOOLONG)
    }

    /// A path, which has to be there.
    pub(super) fn path(&self, index: usize) -> Result<PathBuf, Errno> {
        let text = self.text(self.argument(index))?.ok_or(Errno::FAULT)?;
        if text.is_empty() {
            return Err(Errno::NOENT);
        }
        Ok(Path::new(OsStr::from_bytes(text.as_bytes())).to_owned())
    }

    pub(super) fn rights(&self) -> Result<Rights, Errno> {
        let mut status = String::new();
        let mut file = File::from(self.open("status", OFlags::RDONLY)?);
        file.read_to_string(&mut status).map_err(|_| Errno::SRCH)?;
        rights(&status).ok_or(Errno::SRCH)
    }

    /// Which namespace of a kind (`user`, `mnt`) it is in.
    pub(super) fn namespace(&self, kind: &str) -> Result<Identity, Errno> {
        identity(self.open(&format!("ns/{kind}"), OFlags::RDONLY)?.as_fd())
    }
}

/// Which namespace of a kind a process is in.
pub(super) fn namespace_of(process: i32, kind: &str) -> Result<Identity, Errno> {
    let path = format!("/proc/{process}/ns/{kind}");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    identity(openat(rustix::fs::CWD, path, flags, Mode::empty())?.as_fd())
}

fn identity(file: BorrowedFd) -> Result<Identity, Errno> {
    let seen = fstat(file)?;
    Ok((seen.st_dev, seen.st_ino))
}

/// Reads `/proc/PID/status` (proc_pid_status(5)): of four ids the last is that for files.
fn rights(status: &str) -> Option<Rights> {
    let line = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(rest.trim())
    };
    let fourth = |name| line(name)?.split_whitespace().nth(3)?.parse().ok();
    let bits = u64::from_str_radix(line("CapEff")?, 16).ok()?;
    Some(Rights {
        uid: fourth("Uid")?,
        gid: fourth("Gid")?,
        groups: line("Groups")?.split_whitespace().filter_map(|id| id.parse().ok()).collect(),
        umask: u32::from_str_radix(line("Umask")?, 8).ok()?,
        capabilities: CapabilitySet::from_bits_truncate(bits),
        process: line("Tgid")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_its_status() {
        let status = "Name:\tbash\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t77\nNgid:\t0\nPid:\t78\n\
                      Uid:\t1000\t1001\t1002\t1003\nGid:\t1\t2\t3\t4\nFDSize:\t256\nGroups:\t24 25 \n\
                      CapInh:\t0000000000000000\nCapEff:\t0000000008200000\n";
        let expected = Rights {
            uid: 1003,
            gid: 4,
            groups: vec![24, 25],
            umask: 0o22,
            capabilities: CapabilitySet::SYS_ADMIN | CapabilitySet::MKNOD,
            process: 77,
        };
        assert_eq!(rights(status), Some(expected));
        assert_eq!(rights("Name:\tzombie\n"), None);
    }
}
