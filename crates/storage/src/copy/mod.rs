//! Copies of trees with all that root can keep: owners, modes, times, extended attributes (so file
//! capabilities), hard links, holes, devices. Blocks are shared where the file system can.

mod attributes;
mod disk;
mod file;
mod sync;
mod tree;

pub(crate) use attributes::copy_folder_attributes;
pub(crate) use disk::{sync_disk, sync_parts};
pub use file::copy_file;
pub(crate) use file::{can_reflink, copy_onto_disk, disk_bytes, length};
pub use sync::sync_tree;
pub use tree::{Copied, copy_tree};
