//! Paths.

use std::fmt;
use std::ops::Deref;
use std::path::{Component, Path, PathBuf};

use super::value;

/// A path from the root, without `..` in it, and without needless slashes and dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsolutePath(String);

impl AbsolutePath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    fn read(text: &str) -> Option<Self> {
        let path = Path::new(text);
        let up = path.components().any(|part| part == Component::ParentDir);
        let plain: PathBuf = path.components().collect();
        let plain = plain.to_str().filter(|_| path.is_absolute() && !up && !text.contains('\0'))?;
        Some(Self(plain.to_owned()))
    }
}

value!(AbsolutePath, "path", "a path that starts with / and has no .. in it", AbsolutePath::read);

impl Deref for AbsolutePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.as_path()
    }
}

impl AsRef<Path> for AbsolutePath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
