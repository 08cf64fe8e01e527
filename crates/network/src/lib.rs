//! Managed networks and the ports on them.
