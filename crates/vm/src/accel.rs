//! What executes a machine's instructions.

use std::fs;

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
        match file.is_ok() && !fs::exists("/sys/module/kvm_pvm").unwrap_or(false) && has_extension()
        {
            true => Accel::Kvm,
            false => Accel::Tcg,
        }
    }
}

/// Whether the processor has what KVM needs; of others than x86 `/proc/cpuinfo` does not say.
fn has_extension() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm"))
}
