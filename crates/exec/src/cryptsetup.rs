//! `cryptsetup`: disks that are encrypted as LUKS2 has it.

use std::path::Path;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// By what a disk is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES in XTS, which processors with instructions for it do best.
    Aes,
    /// Adiantum, several times faster on those without.
    Adiantum,
}

/// Makes an encrypted disk of that identity and label of a disk or a file, whatever is on it.
///
/// The key is random and long, so that nothing is gained by making guesses slow.
pub fn format(disk: &Path, key: &Path, uuid: &str, label: &str, cipher: Cipher) -> Result<()> {
    let mut tool = tool("luksFormat").args(["--batch-mode", "--type", "luks2", "--uuid", uuid]);
    tool = tool.args(["--label", label]);
    tool = tool.args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]);
    if cipher == Cipher::Adiantum {
        tool = tool.args(["--cipher", "xchacha12,aes-adiantum-plain64", "--key-size", "256"]);
    }
    change(tool.arg("--key-file").arg(key).arg(disk))
}

/// Makes what is on an encrypted disk a disk in `/dev/mapper`. Room that is freed in it is freed on the disk.
pub fn open(disk: &Path, key: &Path, name: &str) -> Result<()> {
    let tool = tool("open").args(["--type", "luks2", "--allow-discards"]);
    change(tool.arg("--key-file").arg(key).arg(disk).arg(name))
}

/// Lets an open one have the room that its disk got.
pub fn resize(name: &str, key: &Path) -> Result<()> {
    change(tool("resize").arg("--key-file").arg(key).arg(name))
}

/// Ends that, at once or when the last who uses it has ended.
pub fn close(name: &str) -> Result<()> {
    change(tool("close").args(["--deferred", name]))
}

fn tool(verb: &'static str) -> Tool<'static> {
    Tool::new("cryptsetup", "cryptsetup-bin").arg(verb)
}

fn change(tool: Tool<'_>) -> Result<()> {
    run(tool, &Control::none()).map(drop)
}
