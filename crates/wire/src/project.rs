//! Projects: rooms of their own for instances, images, profiles and more.

use std::collections::BTreeMap;

use crate::ConfigMap;

api! {
    /// A project.
    pub struct Project {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
        /// Addresses of what is in it.
        pub used_by: Vec<String>,
    }

    /// A project's changeable part, to replace it.
    pub struct ProjectPut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
    }

    /// A new project.
    pub struct ProjectsPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
    }

    /// A project's new name.
    pub struct ProjectPost {
        /// The name.
        pub name: String,
    }

    /// What a project uses.
    pub struct ProjectState {
        /// Limit and use by resource: `containers`, `cpu`, `disk`, `instances`, `memory`, `networks`, `processes`,
        /// `virtual-machines`.
        pub resources: BTreeMap<String, ProjectStateResource>,
    }

    /// Limit and use of a resource.
    #[allow(non_snake_case, reason = "the API spells these with capitals")]
    pub struct ProjectStateResource {
        /// The limit; -1 when there is none.
        pub Limit: i64,
        /// The use.
        pub Usage: i64,
    }
}

impl Project {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> ProjectPut {
        ProjectPut { config: self.config.clone(), description: self.description.clone() }
    }
}
