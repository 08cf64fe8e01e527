//! Storage pools and the volumes in them.
