//! Pools that are encrypted, beneath any driver that takes a disk.
//!
//! ```text
//! <pool>.img or a disk ─> LUKS2, opened with the pool's key ─> /dev/mapper/microcloud-<id> ─> the driver, which sees a disk
//! ```
//! The key is a file of random bytes of the server's own, named by the pool's identity, which is also that of the encrypted
//! disk: by it a disk is found and known for the pool's. Without the key nothing of the pool can be read, by anybody.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use exec::cryptsetup::{self, Cipher};
use exec::wipefs;
use uuid::Uuid;

use crate::error::At;
use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, disks, fsio, pool_file};

mod keys;

pub use keys::Secret;

/// Bytes of a key.
const KEY: usize = 64;
/// Where a LUKS2 header has its label and its identity, as text that a zero byte ends.
const MAGIC: &[u8] = b"LUKS\xba\xbe\x00\x02";
const LABEL: std::ops::Range<usize> = 24..24 + 48;
const UUID: std::ops::Range<usize> = 168..168 + 36;
/// What the label of ours begins with; the driver follows.
const OURS: &str = "microcloud ";

/// A driver, and the same on encrypted disks for pools that have keys.
pub(crate) struct Encrypted<D>(pub(crate) D);

impl<D: Driver> Driver for Encrypted<D> {
    fn info(&self) -> &'static DriverInfo {
        self.0.info()
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        let Some(crypt) = Crypt::of(spec) else { return self.0.create(spec) };
        crypt.make(self.info().name)?;
        self.0.create(&crypt.inner()?)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        let Some(crypt) = Crypt::of(spec) else { return self.0.open(spec) };
        self.0.open(&crypt.inner()?)
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        let Some(crypt) = Crypt::of(spec) else { return self.0.delete(spec) };
        match crypt.inner() {
            Ok(inner) => {
                self.0.delete(&inner)?;
                crypt.close()?;
            }
            // There is nothing, or nothing of ours.
            Err(Error::NoPool { .. } | Error::ForeignPool { .. } | Error::Source { .. }) => {}
            Err(error) => return Err(error),
        }
        crypt.remove()
    }

    fn check_delete(&self, spec: &PoolSpec) -> Result<()> {
        match Crypt::of(spec) {
            Some(crypt) => self.0.check_delete(&crypt.as_disk()),
            None => self.0.check_delete(spec),
        }
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        let Some(crypt) = Crypt::of(spec) else { return self.0.close(spec) };
        self.0.close(&crypt.as_disk())?;
        crypt.close()
    }

    fn identify(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Crypt::of(spec) {
            // It is found by its identity.
            Some(_) => Ok(None),
            None => self.0.identify(spec),
        }
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match (Crypt::of(spec), &spec.source) {
            (None, _) => self.0.recognise(spec),
            (Some(_), Some(disk)) => identity(disk),
            (Some(_), None) => identity(&pool_file::path(spec)),
        }
    }

    fn unable(&self) -> Option<String> {
        self.0.unable()
    }

    fn unlock(&self, spec: &PoolSpec, passphrase: &[u8]) -> Result<()> {
        match Crypt::of(spec) {
            Some(crypt) => crypt.unlock(passphrase),
            None => Err(Error::NotEncrypted { pool: spec.name.clone() }),
        }
    }

    fn rekey(&self, spec: &PoolSpec, now: Option<&[u8]>, new: Secret<'_>) -> Result<()> {
        match Crypt::of(spec) {
            Some(crypt) => crypt.rekey(now, new),
            None => Err(Error::NotEncrypted { pool: spec.name.clone() }),
        }
    }

    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        match Crypt::of(spec) {
            Some(crypt) => match crypt.grow()? {
                true => self.0.expand(&crypt.as_disk()),
                false => Ok(()),
            },
            None => self.0.grow(spec),
        }
    }
}

/// The identity of the encrypted disk that is on a disk or in a file; None where there is none.
fn identity(path: &Path) -> Result<Option<Uuid>> {
    let header = header(path)?;
    let text = header.as_ref().and_then(|header| std::str::from_utf8(&header[UUID]).ok());
    Ok(text.and_then(|text| Uuid::parse_str(text).ok()))
}

/// The driver of the encrypted pool that is on a disk or in a file; None where there is none.
pub fn encrypted_driver_in(path: &Path) -> Result<Option<String>> {
    let header = header(path)?;
    let text = header.as_ref().and_then(|header| std::str::from_utf8(&header[LABEL]).ok());
    let driver = text.and_then(|text| text.trim_end_matches('\0').strip_prefix(OURS));
    Ok(driver.map(str::to_owned))
}

fn header(path: &Path) -> Result<Option<[u8; UUID.end]>> {
    let mut header = [0; UUID.end];
    let read = File::open(path).at("open", path)?.read_exact_at(&mut header, 0);
    Ok((read.is_ok() && header.starts_with(MAGIC)).then_some(header))
}

/// The encryption of a pool.
struct Crypt<'a> {
    spec: &'a PoolSpec,
    key: PathBuf,
    /// Of the disk in `/dev/mapper`.
    name: String,
}

impl Crypt<'_> {
    fn of(spec: &PoolSpec) -> Option<Crypt<'_>> {
        let (keys, id) = (spec.keys.as_ref()?, spec.id.unwrap_or_default());
        let (key, name) = (keys.join(format!("{id}.key")), format!("microcloud-{}", id.simple()));
        Some(Crypt { spec, key, name })
    }

    fn device(&self) -> PathBuf {
        Path::new("/dev/mapper").join(&self.name)
    }

    /// The pool as the driver sees it.
    fn as_disk(&self) -> PoolSpec {
        let mut spec = PoolSpec { keys: None, disk: None, ..self.spec.clone() };
        spec.source = Some(self.device());
        spec.options.size = None;
        // Or its disk could not be closed.
        spec.options.zfs.export = true;
        spec
    }

    /// The same, once its disk is open.
    fn inner(&self) -> Result<PoolSpec> {
        if !fsio::exists(&self.device())? {
            self.with_disk(|disk| self.open(disk))?;
        }
        Ok(self.as_disk())
    }

    /// Does something with the encrypted disk.
    fn with_disk(&self, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let backing = self.find()?;
        if backing != pool_file::path(self.spec) {
            return work(&backing);
        }
        // Open until it is used, or it would go again.
        let (disk, _open) = pool_file::attach(&backing)?;
        work(&disk)
    }

    /// Opens it with the pool's key, or else with what its header has a token for.
    fn open(&self, disk: &Path) -> Result<()> {
        self.tidy(disk)?;
        if !fsio::exists(&self.key)? {
            return cryptsetup::open_by_token(disk, &self.name).or_else(|_| self.need_key());
        }
        cryptsetup::open(disk, &self.key, &self.name).map_err(self.failed("open", disk))
    }

    /// The file, or the disk whatever its name is now.
    fn find(&self) -> Result<PathBuf> {
        let ours = |path: &Path| identity(path).is_ok_and(|found| found == self.spec.id);
        let Some(usual) = &self.spec.source else {
            let file = pool_file::path(self.spec);
            return match (fsio::exists(&file)?, ours(&file)) {
                (true, true) => Ok(file),
                (true, false) => Err(Error::ForeignPool { path: file }),
                (false, _) => Err(Error::NoPool { path: self.spec.path.clone() }),
            };
        };
        let why = "no disk of this machine is the pool's encrypted one";
        let gone = || Error::Source { path: usual.clone(), why };
        disks::find(usual, ours)?.ok_or_else(gone)
    }

    fn need_key(&self) -> Result<()> {
        let why = "it is the key of an encrypted pool, and is not there: bring it from a backup, or say the \
                   passphrase, if it has one: microcloud storage unlock";
        match fsio::exists(&self.key)? {
            true => Ok(()),
            false => Err(Error::Key { path: self.key.clone(), why }),
        }
    }

    /// Makes the key and the encrypted disk; what is there of this pool stays.
    fn make(&self, driver: &str) -> Result<()> {
        if !Path::new("/sys/class/misc/device-mapper").exists() && !crate::has_modules() {
            let why = "the kernel has no device mapper, which encryption needs";
            return Err(Error::Key { path: self.key.clone(), why });
        }
        match &self.spec.source {
            Some(disk) => self.make_on_disk(disk, driver),
            None => self.make_in_file(driver),
        }
    }

    fn make_in_file(&self, driver: &str) -> Result<()> {
        let file = pool_file::path(self.spec);
        if fsio::exists(&file)? {
            return self.find().map(drop);
        }
        self.make_key()?;
        pool_file::make(self.spec, &file, |new| self.format(new, driver))
    }

    fn make_on_disk(&self, disk: &Path, driver: &str) -> Result<()> {
        let refuse = |why| Err(Error::Source { path: disk.to_owned(), why });
        if !std::fs::metadata(disk).is_ok_and(|stat| stat.file_type().is_block_device()) {
            return refuse("only a disk, or the server's own file, can be encrypted");
        }
        if identity(disk)?.is_some_and(|found| Some(found) == self.spec.id) {
            return Ok(());
        }
        let holds = wipefs::signatures(disk).map_err(self.failed("look at", disk))?;
        if !holds.is_empty() && !self.spec.options.wipe {
            return refuse("it holds something already: empty it, or say source.wipe=true");
        }
        wipefs::wipe(disk).map_err(self.failed("wipe", disk))?;
        self.make_key()?;
        self.format(disk, driver)
    }

    fn make_key(&self) -> Result<()> {
        match fsio::exists(&self.key)? {
            true => Ok(()),
            false => self.write_key(&self.key),
        }
    }

    fn write_key(&self, to: &Path) -> Result<()> {
        let folder = to.parent().unwrap_or(Path::new("/"));
        fsio::ensure_dir(folder, 0o700)?;
        let (mut random, source) = (vec![0; KEY], "/dev/urandom");
        File::open(source).and_then(|mut file| file.read_exact(&mut random)).at("read", source)?;
        fsio::replace(to, &random)?;
        fsio::sync_dir(folder)
    }

    fn format(&self, disk: &Path, driver: &str) -> Result<()> {
        let id = self.spec.id.unwrap_or_default().to_string();
        let format =
            |cipher| cryptsetup::format(disk, &self.key, &id, &format!("{OURS}{driver}"), cipher);
        let cipher = if has_aes() { Cipher::Aes } else { Cipher::Adiantum };
        format(cipher)
            .or_else(|error| match cipher {
                // A kernel without it.
                Cipher::Adiantum => format(Cipher::Aes),
                Cipher::Aes => Err(error),
            })
            .map_err(self.failed("encrypt", disk))
    }

    /// Makes the file larger, and the disk that is in it; false where it is.
    fn grow(&self) -> Result<bool> {
        if self.spec.source.is_some() {
            return Err(Error::NotGrowing { pool: self.spec.name.clone() });
        }
        let file = pool_file::path(self.spec);
        if !pool_file::grow(self.spec, &file)? {
            return Ok(false);
        }
        // Without the file nobody could say the passphrase.
        self.need_key()?;
        self.inner()?;
        if let Some(device) = pool_file::device_of(&file)? {
            pool_file::refresh(&device)?;
        }
        let device = self.device();
        let failed = self.failed("make larger", &device);
        cryptsetup::resize(&self.name, &self.key).map_err(failed).map(|()| true)
    }

    fn close(&self) -> Result<()> {
        match fsio::exists(&self.device())? {
            true => cryptsetup::close(&self.name).map_err(self.failed("close", &self.device())),
            false => Ok(()),
        }
    }

    /// Removes what was made for the pool, the key last.
    fn remove(&self) -> Result<()> {
        match self.find() {
            Ok(path) if self.spec.source.is_none() => fsio::remove_file(&path)?,
            Ok(disk) => wipefs::wipe(&disk).map_err(self.failed("wipe", &disk))?,
            Err(Error::NoPool { .. } | Error::ForeignPool { .. } | Error::Source { .. }) => {}
            Err(error) => return Err(error),
        }
        fsio::remove_file(&self.key.with_extension("key.new"))?;
        fsio::remove_file(&self.key.with_extension("key.old"))?;
        fsio::remove_file(&self.key)
    }

    fn failed(&self, doing: &'static str, disk: &Path) -> impl Fn(exec::Error) -> Error {
        let what = disk.display().to_string();
        move |source| Error::Program { doing, what: what.clone(), source: Box::new(source) }
    }
}

/// Whether the processor has instructions for AES.
fn has_aes() -> bool {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of_processor = |line: &&str| line.starts_with("flags") || line.starts_with("Features");
    text.lines().filter(of_processor).any(|line| line.split_whitespace().any(|word| word == "aes"))
}

/// The pool as its driver sees it.
#[cfg(test)]
pub(crate) fn as_seen_by_driver(spec: &PoolSpec) -> PoolSpec {
    Crypt::of(spec).map_or(spec.clone(), |crypt| crypt.as_disk())
}

/// Closes the disk of a pool that a test left, if it is encrypted.
#[cfg(test)]
pub(crate) fn forget(spec: &PoolSpec) {
    if let Some(Err(error)) = Crypt::of(spec).map(|crypt| crypt.close()) {
        eprintln!("left behind: {error}");
    }
}

#[cfg(test)]
mod tests;
