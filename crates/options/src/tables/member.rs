//! Options of the members of a cluster.

use std::collections::BTreeMap;

use crate::Options;
use crate::values::choice;

choice! {
    /// Which new instances a member takes.
    pub enum Scheduler { All = "all", Manual = "manual", Group = "group" }
}

/// Options of a member.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "cluster-member", group = "miscellaneous")]
pub struct MemberOptions {
    /// Which new instances the member takes.
    ///
    /// `all`; `group`: those that are meant for a group it is in; `manual`: those that are meant for it alone.
    #[option(key = "scheduler.instance", default = "all", since = "clustering_config")]
    pub scheduler: Scheduler,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}
