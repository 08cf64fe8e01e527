//! Options of projects: features, limits, restrictions, and the rest.

use std::collections::BTreeMap;

use crate::Options;

pub use defaults::ProjectDefaults;
pub use features::Features;
pub use limits::ProjectLimits;
pub use restricted::{Access, Interception, ManagedAccess, Privilege, Restricted};

mod defaults;
mod features;
mod limits;
mod restricted;

/// Options of a project.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "project", group = "specific")]
pub struct ProjectOptions {
    /// What the project has of its own.
    #[option(nested)]
    pub features: Features,
    /// Limits of the project as a whole.
    #[option(nested)]
    pub limits: ProjectLimits,
    /// What is refused in the project.
    #[option(nested)]
    pub restricted: Restricted,
    /// What else is particular to the project.
    #[option(nested)]
    pub defaults: ProjectDefaults,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}
