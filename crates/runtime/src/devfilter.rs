//! Which devices a privileged container may use.
