//! The derive macro of the crate `options`.
