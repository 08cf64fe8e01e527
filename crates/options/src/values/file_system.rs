//! Names of file systems, and programs that mount them.

use std::{fmt, ops::Deref};

use crate::{Kind, Value};

/// A file system, as `mount -t` and `/proc/filesystems` name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystemName(String);

/// A file system and the program that mounts it by FUSE: `ext4=fuse2fs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FuseProgram {
    /// The file system.
    pub file_system: FileSystemName,
    /// The program, as `mount.fuse(8)` is told it.
    pub program: String,
}

impl Value for FileSystemName {
    const KIND: Kind = Kind::Form { name: "file system", allowed: "a file system such as ext4" };

    fn parse(text: &str) -> Result<Self, String> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        match (1..=64).contains(&text.len()) && text.chars().all(inner) {
            true => Ok(Self(text.to_owned())),
            false => Err(Self::KIND.to_string()),
        }
    }
}

impl Value for FuseProgram {
    const KIND: Kind = Kind::Form {
        name: "file system and program",
        allowed: "a file system and a program, such as ext4=fuse2fs",
    };

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || Self::KIND.to_string();
        let (file_system, program) = text.split_once('=').ok_or_else(wrong)?;
        let plain = |c: char| c.is_ascii_graphic() && c != '#' && c != '=';
        if program.is_empty() || program.starts_with('-') || !program.chars().all(plain) {
            return Err(wrong());
        }
        let file_system = FileSystemName::parse(file_system)?;
        Ok(Self { file_system, program: program.to_owned() })
    }
}

impl Deref for FileSystemName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileSystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FuseProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.file_system, self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_one_word() {
        let fuse = FuseProgram::parse("ext4=fuse2fs").unwrap();
        assert_eq!((&*fuse.file_system, fuse.program.as_str()), ("ext4", "fuse2fs"));
        assert_eq!(fuse.to_string(), "ext4=fuse2fs");
        for wrong in ["ext4", "=fuse2fs", "ext4=", "ext4=-x", "ext4=a b", "ext4=a#b", "e/x=a"] {
            assert!(FuseProgram::parse(wrong).is_err(), "{wrong}");
        }
    }
}
