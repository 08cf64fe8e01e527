//! How many descriptors this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open descriptors to `wanted`, or as far as it goes. What is started from here inherits it.
pub fn raise_descriptor_limit(wanted: u64) {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let limit = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    if setrlimit(Resource::Nofile, limit(wanted)).is_err()
        && let Some(most) = now.maximum
    {
        let _ = setrlimit(Resource::Nofile, limit(most));
    }
}
