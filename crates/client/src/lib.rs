//! Rust client of the REST API.
