//! What a caller may do. A door finds it out once for each request; verbs ask where a request names a project
//! besides its own.

use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Result, World};

/// What a caller may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rights {
    /// All there is. The daemon itself, too.
    #[default]
    Everything,
    /// What is in these projects, and to look at what they share.
    Projects(Vec<String>),
    /// To look at metrics, beside what anybody may.
    Metrics,
    /// What anybody may.
    Nothing,
}

impl Rights {
    /// Whether what is in a project may be seen and changed.
    pub fn within(&self, project: &str) -> bool {
        match self {
            Rights::Everything => true,
            Rights::Projects(own) => own.iter().any(|name| name == project),
            Rights::Metrics | Rights::Nothing => false,
        }
    }
}

impl Caller {
    /// Fails unless it may act in a project.
    ///
    /// # Errors
    /// That it may not; not whether there is such a project.
    pub fn check(&self, project: &str) -> Result<()> {
        if self.rights.within(project) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// The same, where a request may name a project besides its own: an empty name is none.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_named(&self, project: &str) -> Result<()> {
        if project.is_empty() { Ok(()) } else { self.check(project) }
    }
}

/// The project in which a kind of thing of `project` lives: `feature` is such as `features.images`.
pub fn home(world: &World, project: &str, feature: &str) -> Result<String> {
    let found = world.store.read(|db| crate::projects::find(db, project))?;
    Ok(found.home_of(feature).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_of_journals_of_before_may_do_all() {
        let old: Caller = serde_json::from_str(r#"{"requestor":null}"#).unwrap();
        assert_eq!(old.rights, Rights::Everything);
        assert!(!Rights::Nothing.within("default"));
        let held = Rights::Projects(vec![String::from("a")]);
        assert!(held.within("a") && !held.within("default"));
    }
}
