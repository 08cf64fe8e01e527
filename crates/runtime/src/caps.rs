//! The capabilities a container keeps.
//!
//! An unprivileged container keeps all: they hold in its user namespace only. In a privileged one
//! root is the host's root, so what reaches past every namespace is taken away for good: from the
//! bounding set, so that no program with file capabilities gets it back. Called in PID 1 and in every
//! process started inside, before it becomes its program and while it is still root.

use std::io;

use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

/// What a privileged container must do without: the machine's clock, its kernel modules, its ports
/// and memory, and the rules of its security modules.
const PRIVILEGED_LACKS: CapabilitySet = CapabilitySet::SYS_TIME
    .union(CapabilitySet::SYS_MODULE)
    .union(CapabilitySet::SYS_RAWIO)
    .union(CapabilitySet::MAC_ADMIN)
    .union(CapabilitySet::MAC_OVERRIDE);

/// The capabilities to take away from a container.
pub fn lacking(privileged: bool) -> CapabilitySet {
    if privileged { PRIVILEGED_LACKS } else { CapabilitySet::empty() }
}

/// Takes `gone` away from the calling thread and all it will execute. Needs `CAP_SETPCAP` where the
/// set is not empty.
pub fn give_up(gone: CapabilitySet) -> io::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    for capability in gone.iter() {
        remove_capability_from_bounding_set(capability)?;
    }
    clear_ambient_capability_set()?;
    let mut own = capabilities(None)?;
    own.effective -= gone;
    own.permitted -= gone;
    own.inheritable -= gone;
    set_capabilities(None, own)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::thread::capability_is_in_bounding_set;

    use super::*;

    #[test]
    fn only_privileged_containers_lose_any() {
        assert!(lacking(false).is_empty());
        assert!(lacking(true).contains(CapabilitySet::SYS_MODULE));
        assert!(!lacking(true).contains(CapabilitySet::SYS_ADMIN), "systemd mounts with it");
    }

    /// Capabilities belong to a thread, so a thread of its own can lose them.
    #[test]
    fn what_is_given_up_cannot_be_had_again() {
        let probe = || {
            let before = capabilities(None).unwrap();
            if !before.effective.contains(CapabilitySet::SETPCAP) {
                eprintln!("SKIP: no CAP_SETPCAP");
                return;
            }
            give_up(lacking(true)).unwrap();
            let after = capabilities(None).unwrap();
            assert_eq!(after.permitted, before.permitted - PRIVILEGED_LACKS);
            assert!(!capability_is_in_bounding_set(CapabilitySet::SYS_TIME).unwrap());
            assert!(capability_is_in_bounding_set(CapabilitySet::CHOWN).unwrap());
            assert!(set_capabilities(None, before).is_err() || before == after);
        };
        std::thread::spawn(probe).join().unwrap();
    }
}
