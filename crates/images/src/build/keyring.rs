//! The keys a distribution's archive is signed with: the caller's, this machine's, or, for a
//! distribution whose keys this release does not package, those in Debian's archive, which this
//! machine can check.

use std::fs;
use std::path::{Path, PathBuf};

use exec::{Control, Progress};

use super::mirror;
use super::recipe::{Distribution, Recipe, Release, Source};
use crate::error::At;
use crate::{Error, Result};

/// The release of Debian whose package is taken.
const FROM: &str = "debian/13";

/// The keyring to build with; `work` is for what has to be fetched.
pub(super) fn find(
    recipe: &Recipe,
    release: &Release,
    work: &Path,
    control: &Control,
) -> Result<PathBuf> {
    let distribution = release.distribution;
    let installed = || PathBuf::from(distribution.keyring);
    let keyring = recipe.keyring.clone().unwrap_or_else(installed);
    if keyring.exists() {
        return Ok(keyring);
    }
    let missing =
        Error::Missing { what: "the key of the archive", package: distribution.keyring_package };
    let debian = Recipe::new(FROM)?;
    match debian.info()?.source {
        Source::Archive(debian_release) if recipe.keyring.is_none() => {
            let trusted = debian_release.distribution;
            if trusted.id == distribution.id || !Path::new(trusted.keyring).exists() {
                return Err(missing);
            }
            let line = source_line(&debian, debian_release);
            fetch(distribution, &line, &work.join("keyring"), control)
        }
        _ => Err(missing),
    }
}

fn source_line(recipe: &Recipe, release: &Release) -> String {
    let keyring = release.distribution.keyring;
    let mirror = mirror::main(recipe, release);
    format!("deb [signed-by={keyring}] {mirror} {} main\n", release.suite)
}

/// Takes the package with the keys from Debian; apt checks it against Debian's signature.
fn fetch(wanted: &Distribution, line: &str, work: &Path, control: &Control) -> Result<PathBuf> {
    control.report(Progress::stage("fetch the archive's keys"));
    for folder in ["lists/partial", "cache/archives/partial"] {
        let folder = work.join(folder);
        fs::create_dir_all(&folder).at("make folder", &folder)?;
    }
    fs::write(work.join("status"), "").at("write", work)?;
    fs::write(work.join("sources.list"), line).at("write", work)?;
    exec::apt_get::update(work, control)?;
    exec::apt_get::download(work, wanted.keyring_package, control)?;
    let files = work.join("files");
    for entry in fs::read_dir(work).at("list", work)? {
        let path = entry.at("list", work)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            exec::dpkg_deb::extract(&path, &files, control)?;
        }
    }
    let keyring = files.join(wanted.keyring.trim_start_matches('/'));
    match keyring.exists() {
        true => Ok(keyring),
        false => {
            Err(Error::Missing { what: "the key of the archive", package: wanted.keyring_package })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_was_named_is_not_replaced_by_another() {
        let mut recipe = Recipe::new("ubuntu/24.04").unwrap();
        let Source::Archive(release) = recipe.info().unwrap().source else { panic!() };
        recipe.keyring = Some("/no/such/keyring".into());
        let work = tempfile::tempdir().unwrap();
        let error = find(&recipe, release, work.path(), &Control::none()).unwrap_err();
        assert!(error.to_string().ends_with("apt install ubuntu-keyring"), "{error}");
        recipe.keyring = Some(work.path().to_owned());
        assert_eq!(find(&recipe, release, work.path(), &Control::none()).unwrap(), work.path());
    }
}
