//! What executes a machine's instructions.

use std::fs;
#[cfg(target_arch = "x86_64")]
use std::time::Duration;

/// What executes a machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The processor, by `/dev/kvm`.
    Kvm,
    /// QEMU's translator: some ten times slower, but it works anywhere.
    Tcg,
}

impl Accel {
    /// What this machine can do. That `/dev/kvm` is there does not say that it is of use: some hosts have
    /// one that emulates each instruction, a thousand times slower than QEMU's translator does it.
    pub fn detect() -> Accel {
        let file = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
        let emulates = fs::exists("/sys/module/kvm_pvm").unwrap_or(false);
        match file.is_ok() && !emulates && is_fast() {
            true => Accel::Kvm,
            false => Accel::Tcg,
        }
    }
}

/// Whether a machine of KVM's counts as fast as a processor does: a loop that takes it a millisecond is given
/// three hundred.
#[cfg(target_arch = "x86_64")]
fn is_fast() -> bool {
    const TURNS: u32 = 1_000_000;
    const PATIENCE: Duration = Duration::from_millis(300);
    sys::kvm_counts(TURNS, PATIENCE).unwrap_or(false)
}

/// Of processors that are not x86 none is known whose KVM emulates.
#[cfg(not(target_arch = "x86_64"))]
fn is_fast() -> bool {
    true
}
