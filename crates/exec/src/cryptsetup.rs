//! `cryptsetup`: disks that are encrypted as LUKS2 has it.

use std::path::Path;
use std::time::Duration;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// What makes guesses of a passphrase slow (Argon2) is slow on a small or busy machine, too: an emulated one took over
/// a minute.
const TIMEOUT: Duration = Duration::from_secs(300);

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

/// The same by what its header has tokens for: a TPM, a FIDO2 key, the kernel's keyring.
pub fn open_by_token(disk: &Path, name: &str) -> Result<()> {
    let tool = tool("open").args(["--type", "luks2", "--allow-discards", "--token-only"]);
    change(tool.arg(disk).arg(name))
}

/// Whether a key opens a disk.
pub fn fits(disk: &Path, key: &Path) -> bool {
    let tool = tool("open").args(["--type", "luks2", "--test-passphrase"]);
    change(tool.arg("--key-file").arg(key).arg(disk)).is_ok()
}

/// What a new key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Random and long.
    Random,
    /// Something that can be remembered, so guesses are made slow.
    Passphrase,
}

/// Lets another key open a disk, too.
pub fn add_key(disk: &Path, key: &Path, new: &Path, made: Made) -> Result<()> {
    let mut tool = tool("luksAddKey").arg("--batch-mode").arg("--key-file").arg(key);
    if made == Made::Random {
        tool = tool.args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]);
    }
    change(tool.arg(disk).arg(new))
}

/// Lets a key open a disk no longer.
pub fn remove_key(disk: &Path, key: &Path) -> Result<()> {
    change(tool("luksRemoveKey").arg("--batch-mode").arg(disk).arg(key))
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
    Tool::new("cryptsetup", "cryptsetup-bin").arg(verb).timeout(TIMEOUT)
}

fn change(tool: Tool<'_>) -> Result<()> {
    run(tool, &Control::none()).map(drop)
}
