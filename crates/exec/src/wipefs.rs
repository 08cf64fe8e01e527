//! `wipefs`: what a disk holds by its signatures, and how it is made to hold nothing.

use std::path::Path;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// The kinds of what is on a disk, such as `ext4` or `gpt`; empty when it holds nothing known.
pub fn signatures(disk: &Path) -> Result<Vec<String>> {
    let words = ["--no-act", "--noheadings", "--output", "TYPE"];
    let output = run(tool().args(words).arg(disk), &Control::none())?;
    Ok(output.text().split_whitespace().map(str::to_owned).collect())
}

/// Erases all signatures.
pub fn wipe(disk: &Path) -> Result<()> {
    run(tool().args(["--all", "--force"]).arg(disk), &Control::none()).map(drop)
}

fn tool() -> Tool<'static> {
    Tool::new("wipefs", "util-linux")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_seen_and_erased() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(64 << 20).unwrap();
        assert!(signatures(file.path()).unwrap().is_empty());
        let (ext4, any) = (crate::mkfs::FileSystem::Ext4, crate::mkfs::Files::Any);
        if !crate::installed(ext4.program()) {
            return eprintln!("SKIP: {} is not installed", ext4.program());
        }
        crate::mkfs::make(file.path(), ext4, any).unwrap();
        assert_eq!(signatures(file.path()).unwrap(), ["ext4"]);
        wipe(file.path()).unwrap();
        assert!(signatures(file.path()).unwrap().is_empty());
    }
}
