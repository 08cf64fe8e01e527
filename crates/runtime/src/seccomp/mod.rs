//! Which system calls a container is refused, as a classic BPF program.
//!
//! ```text
//! spec::Seccomp --policy--> rules for each ABI --assemble--> program --sys--> kernel
//! ```
//! Pure: [`compile`] is called by the monitor before it forks, and the result is loaded in PID 1 and
//! in every process that is started inside later. A 64-bit kernel also runs 32-bit programs, so
//! each rule holds for both ABIs; any third one kills the process.
//!
//! A refused call answers ENOSYS, as if the kernel did not know it, because the C library then falls
//! back to what older kernels have. LXD kills the process for a listed call without an action.
//!
//! Some calls are asked about instead ([`asked`]); `intercept` answers them. Left out: conditions on
//! arguments in the user's lists.

mod asked;
mod assemble;
mod line;
mod multiplex;
mod names;
mod policy;
mod rule;

#[cfg(test)]
mod machine;
#[cfg(test)]
mod tests;

pub(crate) use asked::{Kind, Numbers};
pub use libc::sock_filter as SockFilter;
use spec::Seccomp;

/// The kernel takes no longer programs (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;

/// A processor family, which has a 64-bit ABI and a 32-bit one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86_64 and i386. The x32 ABI is always refused.
    X86_64,
    /// aarch64 and arm (EABI).
    Aarch64,
}

impl Arch {
    /// The one this program was built for; `None` where there are no tables for it.
    pub const fn host() -> Option<Arch> {
        if cfg!(target_arch = "x86_64") {
            Some(Arch::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Arch::Aarch64)
        } else {
            None
        }
    }
}

/// Why a policy cannot become a program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a system call of any architecture known here.
    #[error("there is no system call {name:?} (in the rule {line:?})")]
    UnknownCall {
        /// The name.
        name: String,
        /// The whole line.
        line: String,
    },
    /// More than a name and an action.
    #[error("system call rule {line:?} is not of the form NAME [allow|kill|errno NUMBER]")]
    BadLine {
        /// The whole line.
        line: String,
    },
    /// More rules than the kernel takes.
    #[error("the system call rules need {count} instructions, the kernel takes {LONGEST}")]
    TooLong {
        /// How many they need.
        count: usize,
    },
}

/// The program for a policy; empty when there is nothing to filter.
pub fn compile(policy: &Seccomp, arch: Arch) -> Result<Vec<SockFilter>, Error> {
    if !policy.enabled {
        return Ok(Vec::new());
    }
    let program = assemble::program(&policy::abis(policy, arch)?);
    if program.len() > LONGEST {
        return Err(Error::TooLong { count: program.len() });
    }
    Ok(program)
}
