//! Whole files that are put in place at once, such as those made of templates.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{
    serve::Server,
    words::{Ask, Owner, Writing},
};

/// A file that is to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub contents: String,
    /// Of whom it is; one that is there keeps what is not given.
    pub owner: Owner,
    /// Whether one that is there stays as it is.
    pub create_only: bool,
}

impl Server {
    /// Puts a file in place, with the folders that lead to it.
    ///
    /// # Errors
    /// Where it is to be something else is, or nothing can be.
    pub fn make(&mut self, made: &Made) -> io::Result<()> {
        let path = Path::new("/").join(&made.path);
        let is_there = self.is_there(&path)?;
        if is_there && made.create_only {
            return Ok(());
        }
        if !is_there {
            self.make_folders(&path)?;
        }
        let (how, owner) = (Writing::Replace, made.owner);
        let (_, file) = self.answer(Ask::Write { path, how, owner })?;
        let mut file = File::from(file.ok_or(Errno::BADF)?);
        file.write_all(made.contents.as_bytes())?;
        self.answer(Ask::Commit)?;
        Ok(())
    }

    fn make_folders(&mut self, path: &Path) -> io::Result<()> {
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in above.into_iter().rev().skip(1) {
            if !self.is_there(folder)? {
                let owner = Owner { uid: Some(0), gid: Some(0), mode: Some(0o755) };
                self.answer(Ask::MakeFolder { path: folder.into(), owner })?;
            }
        }
        Ok(())
    }

    fn is_there(&mut self, path: &Path) -> Result<bool, Errno> {
        match self.answer(Ask::Look { path: path.into(), follow: true }) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
