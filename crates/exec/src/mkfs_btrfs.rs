//! `mkfs.btrfs`: makes an empty btrfs.

use std::path::Path;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// Its name, to look for it.
pub const PROGRAM: &str = "mkfs.btrfs";

/// What to do with a device that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// It is refused: [`holds_something`] tells.
    Keep,
    /// It is overwritten.
    Wipe,
}

/// Makes a file system with that label, and that UUID if one is given, on a device or in a file.
pub fn make(target: &Path, label: &str, uuid: Option<&str>, old: Old) -> Result<()> {
    let mut tool = Tool::new(PROGRAM, "btrfs-progs").args(["--quiet", "--label", label]);
    if let Some(uuid) = uuid {
        tool = tool.args(["--uuid", uuid]);
    }
    if old == Old::Wipe {
        tool = tool.arg("--force");
    }
    run(tool.arg(target), &Control::none()).map(drop)
}

/// Whether a failed [`make`] refused to overwrite what is there.
pub fn holds_something(error: &crate::Error) -> bool {
    error.stderr_has("appears to contain") || error.stderr_has("Use the -f option")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_kept_unless_it_may_go() {
        if !crate::installed(PROGRAM) {
            return eprintln!("SKIP: {PROGRAM} is not installed");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(128 << 20).unwrap();
        make(file.path(), "one", None, Old::Keep).unwrap();
        let error = make(file.path(), "two", None, Old::Keep).unwrap_err();
        assert!(holds_something(&error), "{error}");
        make(file.path(), "two", None, Old::Wipe).unwrap();
    }
}
