//! What the fuzzers do with their bytes: a module a target, with `look`, which must come to an end without a panic, and
//! `seeds`, which are good examples to begin with.
//!
//! Beside panics, hangs and memory without bound, which the fuzzer itself sees, they look whether an archive reaches
//! outside of its folder, and whether what was read and written is read as the same again.

#![allow(clippy::unwrap_used, clippy::missing_errors_doc, reason = "a panic is how a fuzzer tells")]

pub mod api;
pub mod options;
pub mod streams;
pub mod tarball;

/// Writes what to begin with to the folder that `FUZZ_SEEDS` names, if there is one; the fuzzer reads it after that.
pub fn sow(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (number, seed) in seeds().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed{number}")), seed).unwrap();
    }
}
