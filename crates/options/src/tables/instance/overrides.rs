//! Overrides beneath the options.

use crate::{IdmapEntry, Lines, Options};

/// Overrides beneath the options (`raw.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "raw")]
pub struct Overrides {
    /// AppArmor rules to add to the instance's profile.
    #[option(key = "raw.apparmor", apply = restart)]
    pub apparmor: Option<String>,
    /// Ids of the host that are the same users within the instance.
    ///
    /// A line each: `uid`, `gid` or `both`, the ids of the host, the ids of the instance; `both
    /// 1000 1000`.
    #[option(
        key = "raw.idmap",
        apply = restart,
        condition = "unprivileged container",
        since = "id_map"
    )]
    pub idmap: Option<Lines<IdmapEntry>>,
}
