//! `mksquashfs`: packs a folder into one compressed, read-only file.

use std::path::Path;
use std::time::Duration;

use crate::control::{Control, Progress};
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
const STAGE: &str = "pack squashfs";

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Zstandard at this level, 1 to 22: quick to read.
    Zstd(u8),
    /// LZMA: small and slow.
    Xz,
    /// What every kernel reads.
    #[default]
    Gzip,
}

/// Packs the folder `source` into the new file `target` (an old one is replaced), with owners,
/// modes and extended attributes as they are. `exclude` are paths relative to `source`.
pub fn pack(
    source: &Path,
    target: &Path,
    compression: Compression,
    exclude: &[&Path],
    control: &Control,
) -> Result<()> {
    let mut tool = Tool::new("mksquashfs", "squashfs-tools")
        .args([source, target])
        .args(["-noappend", "-no-recovery", "-xattrs"])
        .args(compression_args(compression))
        .timeout(TIMEOUT)
        .on_line(|line| {
            if let Some(percent) = bar_percent(line) {
                control.report(Progress::percent(STAGE, percent));
            }
        });
    if !exclude.is_empty() {
        // It takes all that follows for paths to leave out, so this stands last.
        tool = tool.arg("-e").args(exclude);
    }
    run(tool, control).map(drop)
}

fn compression_args(compression: Compression) -> Vec<String> {
    let args: &[&str] = match compression {
        Compression::Zstd(_) => &["-comp", "zstd", "-Xcompression-level"],
        Compression::Xz => &["-comp", "xz"],
        Compression::Gzip => &["-comp", "gzip"],
    };
    let mut args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    if let Compression::Zstd(level) = compression {
        args.push(level.clamp(1, 22).to_string());
    }
    args
}

/// The percentage at the end of a progress bar such as `[===   ]  2932/10760  27%`.
pub(crate) fn bar_percent(line: &str) -> Option<u8> {
    if !line.starts_with('[') {
        return None;
    }
    line.trim_end().strip_suffix('%')?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_ends_in_its_percentage() {
        assert_eq!(bar_percent("[================|      ]  2932/10760  27%"), Some(27));
        assert_eq!(bar_percent("[======================\\] 10760/10760 100%"), Some(100));
        assert_eq!(bar_percent("\t35.14% of uncompressed filesystem size"), None);
        assert_eq!(bar_percent("[=="), None);
    }

    #[test]
    fn levels_outside_the_range_are_brought_in() {
        assert_eq!(compression_args(Compression::Zstd(90)).last().unwrap(), "22");
        assert_eq!(compression_args(Compression::Xz), ["-comp", "xz"]);
    }
}
