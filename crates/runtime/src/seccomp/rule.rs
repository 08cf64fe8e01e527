//! What the policy says and the assembler writes down.

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    /// It fails with this error number.
    Errno(u16),
    /// Whoever listens is asked.
    Ask,
    /// The process dies by SIGSYS.
    Kill,
}

impl Action {
    pub(super) const REFUSE: Action = Action::Errno(libc::ENOSYS as u16);
}

/// The calls a rule is about, by number on one ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) only: Option<Condition>,
}

/// A condition on the lower 32 bits of an argument, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    AnyBit { argument: u8, bits: u32 },
    Equals { argument: u8, mask: u32, value: u32 },
}

/// One line of a filter: the first that fits decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) call: Call,
    pub(super) action: Action,
}

/// All that holds for programs of one ABI.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AbiRules {
    /// The kernel's number of the ABI (`AUDIT_ARCH_*`).
    pub(super) audit: u32,
    /// Numbers from here on belong to another ABI that shares the audit number.
    pub(super) end: Option<u32>,
    pub(super) rules: Vec<Rule>,
    pub(super) otherwise: Action,
}
