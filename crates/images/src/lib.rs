//! Images: what is in a file somebody gives us, its files on disk, and images of our own making.
//!
//! ```text
//! server  --streams--> what it has, and its files
//! file(s) --inspect--> fingerprint, metadata      (read once, hashed while read)
//! file(s) --unpack---> rootfs/ metadata.yaml templates/   (nothing gets out of that folder)
//! disk    --adopt----> an image of two files
//! recipe  --build----> tarball and the same three, without unpacking it
//! rootfs  --pack-----> tarball
//! volumes <--backup--> tarball with an index
//! ```
//!
//! Everything here blocks, reports and can be cancelled through a [`exec::Control`]. Where images are
//! kept and listed is the cloud's matter.

pub mod adopt;
mod archive;
pub mod backup;
mod build;
mod decode;
mod digest;
mod disk;
mod error;
mod format;
mod inspect;
mod limits;
mod metadata;
mod pack;
pub mod streams;
pub mod templates;
mod unpack;

pub use build::{Built, RECIPES, Recipe, RecipeInfo, build, unpack_machine_image};
pub use digest::Digest;
pub use disk::{check_iso, is_qcow2, qcow2_size};
pub use error::{Error, Result};
pub use format::Format;
pub use inspect::{Files, Found, Kind, inspect};
pub use limits::Limits;
pub use metadata::{Metadata, Template};
pub use pack::{Compression, Contents, Packed, Packing, Root, Tarball, pack};
pub use unpack::{
    Unpacked, unpack, unpack_beside, unpack_disk, unpack_files, unpack_instance, unpack_machine,
    unpack_tree,
};
