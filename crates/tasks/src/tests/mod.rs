//! The runner over a toy world: files in a folder.

mod operations;
mod recover;
mod runner;
mod toy;
