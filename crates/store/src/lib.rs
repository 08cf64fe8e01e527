//! The replicated state: a Raft log beneath an SQL database.
