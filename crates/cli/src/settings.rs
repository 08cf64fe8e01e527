//! What a user had the client remember: YAML files in `~/.config/microcloud`.

use std::{env, fs, io, os::unix::fs::DirBuilderExt, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Where they are.
pub(crate) fn folder() -> Option<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
    Some(config.join("microcloud"))
}

/// The same, made if it is not there.
pub(crate) fn needed_folder() -> Result<PathBuf> {
    let folder = folder().ok_or(Error::Usage("HOME is not set: nothing can be remembered"))?;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|source| Error::File { path: folder.clone(), source })?;
    Ok(folder)
}

/// Reads a file; one that is not there says nothing.
pub(crate) fn load<T: DeserializeOwned + Default>(file: &str) -> Result<T> {
    match text(file)? {
        Some(text) => serde_saphyr::from_str(&text).map_err(Error::Parse),
        None => Ok(T::default()),
    }
}

/// What is in a file, if it is there.
pub(crate) fn text(file: &str) -> Result<Option<String>> {
    let Some(path) = folder().map(|folder| folder.join(file)) else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path, source }),
    }
}

/// Writes a file, in place or not at all.
pub(crate) fn store<T: Serialize>(file: &str, value: &T) -> Result<()> {
    let folder = needed_folder()?;
    let (path, new) = (folder.join(file), folder.join(format!("{file}.new")));
    let text = serde_saphyr::to_string(value).map_err(Error::Yaml)?;
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| Error::File { path, source })
}
