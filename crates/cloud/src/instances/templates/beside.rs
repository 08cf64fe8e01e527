//! Access to the folder beside an instance's root, which has it for itself meanwhile.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use images::Metadata;
use rustix::{
    fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2},
    io::Errno,
};
use tasks::Claim;

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::Instance,
    expand,
    instances::{self, guests::Phase, options::Typed},
};

/// Who holds what is claimed for it.
const HOLDER: &str = "an access to its metadata";
/// Bytes of a `metadata.yaml` at most.
const LONGEST: u64 = 1 << 20;
const METADATA: &str = "metadata.yaml";
const TEMPLATES: &str = "templates";

/// Does something with it; to its end, even if whoever asked goes away.
pub(super) async fn with<T: Send + 'static>(
    world: &Arc<World>,
    (project, name): (&str, &str),
    work: impl FnOnce(&Beside, &Instance) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (world, of) = (world.clone(), (project.to_owned(), name.to_owned()));
    let done = tokio::spawn(async move {
        let guard = held(&world, &of.0, &of.1).await;
        let (row, typed) = world.store.read(|db| {
            let row = instances::find(db, &of.0, &of.1)?;
            let typed = Typed::parse(&expand::expand(db, &row)?)?;
            Ok::<_, Error>((row, typed))
        })?;
        let runs = world.guests.get(&of.0, &of.1).is_some();
        let pool = world.pools.open(&world, typed.root_pool()?).await?;
        let volume = row.root()?;
        let done = blocking("access to metadata", move || {
            if !runs {
                pool.attach(&volume)?;
            }
            let folder = pool.folder(&volume).map_err(Error::from);
            let done = folder.and_then(|folder| work(&Beside::open(&folder)?, &row));
            let detached = if runs { Ok(()) } else { pool.detach(&volume).map_err(Error::from) };
            done.and_then(|done| detached.map(|()| done))
        });
        let done = done.await;
        drop(guard);
        done
    });
    done.await.unwrap_or(Err(Error::Broken("access to metadata")))
}

/// Claims the instance. One that is about to end is waited for: its volume goes with it.
async fn held(world: &World, project: &str, name: &str) -> tasks::Guard {
    loop {
        let claim = [Claim::alone(instances::lock_name(project, name))];
        let guard = world.locks().lock(&claim, HOLDER).await;
        match world.guests.get(project, name) {
            Some(guest) if guest.phase() == Phase::Gone => {
                drop(guard);
                guest.gone().await;
            }
            _ => return guard,
        }
    }
}

/// The folder. What lies in it came from an image: nothing is followed out of it.
pub(super) struct Beside {
    folder: OwnedFd,
    path: PathBuf,
}

impl Beside {
    pub(super) fn open(folder: &Path) -> Result<Beside> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(io::Error::from);
        let opened = opened.map_err(Error::file("open", folder))?;
        Ok(Beside { folder: opened, path: folder.to_owned() })
    }

    /// What the image said of itself; nothing where there was none.
    pub(super) fn metadata(&self, architecture: &str) -> Result<Metadata> {
        let text = self.read(Path::new(METADATA), LONGEST)?;
        let nothing = || Metadata { architecture: architecture.to_owned(), ..Metadata::default() };
        Ok(text.map(|text| Metadata::parse(&text)).transpose()?.unwrap_or_else(nothing))
    }

    /// Whether there may be templates, without reading them.
    pub(super) fn has_metadata(&self) -> bool {
        rustix::fs::accessat(
            &self.folder,
            METADATA,
            rustix::fs::Access::EXISTS,
            rustix::fs::AtFlags::empty(),
        )
        .is_ok()
    }

    pub(super) fn set_metadata(&self, new: &Metadata) -> Result<()> {
        self.write(Path::new("."), METADATA, new.text()?.as_bytes())
    }

    /// A template; none of that name is None.
    pub(super) fn template(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(&Path::new(TEMPLATES).join(name), images::templates::MAX_TEMPLATE)
    }

    /// The names of templates, sorted.
    pub(super) fn templates(&self) -> Result<Vec<String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Some(folder) = self.at(Path::new(TEMPLATES), flags)? else { return Ok(Vec::new()) };
        let listed = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&folder)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        listed().map_err(Error::file("list", &self.path.join(TEMPLATES)))
    }

    pub(super) fn set_template(&self, name: &str, text: &[u8]) -> Result<()> {
        match rustix::fs::mkdirat(&self.folder, TEMPLATES, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.failed("make", TEMPLATES, error)),
        }
        self.write(Path::new(TEMPLATES), name, text)
    }

    /// Says whether it was there.
    pub(super) fn delete_template(&self, name: &str) -> Result<bool> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Some(folder) = self.at(Path::new(TEMPLATES), flags)? else { return Ok(false) };
        match rustix::fs::unlinkat(&folder, name, rustix::fs::AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("delete", name, error)),
        }
    }

    fn at(&self, path: &Path, flags: OFlags) -> Result<Option<OwnedFd>> {
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match openat2(&self.folder, path, flags, Mode::empty(), within) {
            Ok(opened) => Ok(Some(opened)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("open", path, error)),
        }
    }

    fn read(&self, path: &Path, longest: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.at(path, OFlags::RDONLY)? else { return Ok(None) };
        let read = || -> io::Result<Vec<u8>> {
            let stat = fstat(&file)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(io::Error::other("it is no file"));
            }
            let mut text = Vec::new();
            File::from(file.as_fd().try_clone_to_owned()?)
                .take(longest + 1)
                .read_to_end(&mut text)?;
            if text.len() as u64 > longest {
                return Err(io::Error::other(format!("it is longer than {longest} bytes")));
            }
            Ok(text)
        };
        read().map(Some).map_err(Error::file("read", &self.path.join(path)))
    }

    /// All or nothing: a new file takes the old one's place, which an image may share.
    fn write(&self, folder: &Path, name: &str, text: &[u8]) -> Result<()> {
        let opened = self.at(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let Some(opened) = opened else {
            return Err(self.failed("open", folder, Errno::NOENT));
        };
        // By the descriptor: the name is not walked again.
        let at = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        let written = || -> io::Result<()> {
            let mut draft = tempfile::Builder::new().prefix(".new-").tempfile_in(&at)?;
            draft.write_all(text)?;
            rustix::fs::fchmod(draft.as_file(), Mode::from_raw_mode(0o644))?;
            draft.as_file().sync_all()?;
            draft.persist(at.join(name))?;
            Ok(rustix::fs::fsync(&opened)?)
        };
        written().map_err(Error::file("write", &self.path.join(folder).join(name)))
    }

    fn failed(&self, verb: &'static str, path: impl AsRef<Path>, error: Errno) -> Error {
        Error::file(verb, &self.path.join(path))(error.into())
    }
}
