//! `mtools`: makes and fills a FAT file system within a file, without mounting it.

use std::ffi::OsString;
use std::path::Path;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// A FAT file system in a file.
#[derive(Clone, Copy, Debug)]
pub struct Fat<'a> {
    /// The file.
    pub file: &'a Path,
    /// The byte at which it begins.
    pub start: u64,
}

impl Fat<'_> {
    /// Makes an empty one of so many sectors of 512 bytes.
    pub fn make(&self, sectors: u64, control: &Control) -> Result<()> {
        let tool = self.tool("mformat").args(["-F", "-v", "ESP", "-T"]).arg(sectors.to_string());
        run(tool.arg("::"), control).map(drop)
    }

    /// Makes a folder.
    pub fn folder(&self, path: &str, control: &Control) -> Result<()> {
        run(self.tool("mmd").arg(format!("::/{path}")), control).map(drop)
    }

    /// Copies a file into it.
    pub fn copy(&self, from: &Path, to: &str, control: &Control) -> Result<()> {
        run(self.tool("mcopy").arg(from).arg(format!("::/{to}")), control).map(drop)
    }

    fn tool(&self, program: &'static str) -> Tool<'static> {
        let mut image = OsString::from(self.file);
        image.push(format!("@@{}", self.start));
        Tool::new(program, "mtools").arg("-i").arg(image)
    }
}
