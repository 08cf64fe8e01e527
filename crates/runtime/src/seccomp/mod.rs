//! Which system calls are refused.
