//! Names of entries, made relative or refused.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The path beneath the tree: leading slashes and dots are dropped, `..` is refused. Empty for the
/// tree's own folder.
pub(super) fn relative(name: &Path) -> Result<PathBuf, &'static str> {
    let mut path = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) if part.as_bytes().contains(&0) => {
                return Err("has a NUL in its name");
            }
            Component::Normal(part) if part.len() > 255 => {
                return Err("has a name that is too long");
            }
            Component::Normal(part) => path.push(part),
            Component::ParentDir => return Err("has .. in its name"),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if path.as_os_str().len() > 4000 {
        return Err("has a path that is too long");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_or_refused() {
        let good = |name: &str| relative(Path::new(name)).unwrap();
        assert_eq!(good("./etc/passwd"), Path::new("etc/passwd"));
        assert_eq!(good("//etc/./passwd/"), Path::new("etc/passwd"));
        assert_eq!(good("./"), Path::new(""));
        for bad in ["..", "a/../b", "/..", "a\0b", &"x".repeat(256), &"x/".repeat(3000)] {
            assert!(relative(Path::new(bad)).is_err(), "{bad:?}");
        }
    }
}
