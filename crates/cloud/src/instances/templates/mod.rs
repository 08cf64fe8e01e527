//! What lies beside an instance's root and came with its image: `metadata.yaml`, and templates of files.
//!
//! ```text
//! made, copied, renamed ── volatile.apply_template says which of them ──┐
//! start ── those, and those of every start ── apply::rendered ── a container: into its root, before it runs
//!                                                             └─ a machine: onto its drive, for its agent
//! ```
//! Clients see and change both ([`metadata`], [`files`]), whether the instance runs or not.

pub(super) mod apply;
mod beside;
pub mod files;
pub mod metadata;

use options::Raw;

/// What of an instance's past its templates are yet to be told.
const PENDING: &str = "volatile.apply_template";

/// What an instance's templates are rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// It was made of an image.
    Create,
    /// It was made of another instance.
    Copy,
    /// It got another name.
    Rename,
}

impl Trigger {
    /// Its word in `metadata.yaml`.
    const fn word(self) -> &'static str {
        match self {
            Trigger::Create => "create",
            Trigger::Copy => "copy",
            Trigger::Rename => "rename",
        }
    }
}

/// Has the next start render them for this, unless something before it is yet to be told.
pub(super) fn defer(config: &mut Raw, trigger: Trigger) {
    config.set_default(PENDING, trigger.word());
}

/// Whether an option says what a start is yet to do.
pub(super) fn is_pending(key: &str) -> bool {
    key == PENDING
}

/// They were rendered.
pub(super) fn done(config: &mut Raw) {
    config.remove(PENDING);
}
