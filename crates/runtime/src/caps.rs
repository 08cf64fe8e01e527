//! The capabilities a container keeps.
