//! Copies of the state that the store keeps itself, beside it: what a damaged file is mended from, and what a person
//! goes back to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::core::Core;
use crate::error::{BoxError, Error, Result};
use crate::meta::Meta;
use crate::{files, mend};

/// Between two copies, while something changes. A cluster's state is a few MB: a day of it is a hundred.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Before the first: a daemon that ends at once again and again writes none.
const FIRST: Duration = Duration::from_secs(5 * 60);
/// So many of the newest are kept.
const NEWEST: usize = 4;
/// And one a day of so many days.
const DAYS: usize = 7;
const DAY: u64 = 24 * 60 * 60;

/// A copy of the state.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) path: PathBuf,
    pub(crate) made: SystemTime,
    pub(crate) meta: Meta,
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("copies")
}

/// Seconds since 1970.
pub(crate) fn stamp(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The copies of a store's state, the newest first, with the time each was made at.
pub fn copies(dir: &Path) -> Vec<(PathBuf, SystemTime)> {
    let listed = fs::read_dir(folder(dir)).into_iter().flatten().flatten();
    let mut found: Vec<_> = listed
        .filter_map(|entry| {
            let path = entry.path();
            let seconds = path.file_name()?.to_str()?.strip_suffix(".db")?.parse().ok()?;
            Some((path, UNIX_EPOCH + Duration::from_secs(seconds)))
        })
        .collect();
    found.sort_by_key(|(_, made)| std::cmp::Reverse(*made));
    found
}

/// Those that can be read, and the snapshot if it can be.
pub(crate) fn sound(dir: &Path) -> Vec<Copy> {
    let snapshot = dir.join("snapshot.db");
    let made = fs::metadata(&snapshot).and_then(|file| file.modified());
    let all = made.ok().map(|made| (snapshot, made)).into_iter().chain(copies(dir));
    all.filter_map(|(path, made)| {
        let meta = read(&path).inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "a copy that cannot be read");
        });
        Some(Copy { meta: meta.ok()?, path, made })
    })
    .collect()
}

/// What a copy says of itself, if all of it can be read.
pub(crate) fn read(path: &Path) -> Result<Meta, BoxError> {
    let conn = files::open_reader(path)?;
    mend::check(&conn)?;
    Meta::load(&conn)
}

/// Keeps copies for as long as the store is open.
pub(crate) async fn keep(core: Arc<Core>) {
    tokio::time::sleep(FIRST).await;
    loop {
        let of_it = core.clone();
        let kept = tokio::task::spawn_blocking(move || of_it.keep_copy()).await;
        // Other errors are that it was closed, or has failed, which is told elsewhere.
        if let Ok(Err(Error::File { source, .. })) = kept {
            tracing::warn!(%source, "no copy of the database");
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Core {
    /// Writes a copy if anything has changed since the last, and removes what is too many.
    pub(crate) fn keep_copy(&self) -> Result<Option<PathBuf>> {
        self.check()?;
        let dir = self.folder.path();
        let folder = folder(dir);
        let work = || -> Result<Option<PathBuf>, BoxError> {
            fs::create_dir_all(&folder)?;
            let now = self.changed.borrow().revision;
            if let Some((newest, _)) = copies(dir).first()
                && read(newest).is_ok_and(|meta| meta.revision == now)
            {
                return Ok(None);
            }
            let path = folder.join(format!("{}.db", stamp(clock::now())));
            self.write_copy(&folder.join("new"), &path)?;
            for path in spare(&copies(dir)) {
                fs::remove_file(path)?;
            }
            Ok(Some(path))
        };
        work().map_err(|e| Error::file("keep copies in", &folder, e))
    }
}

/// Which are too many, of all, the newest first.
fn spare(all: &[(PathBuf, SystemTime)]) -> Vec<&Path> {
    let mut days = Vec::new();
    let spare = all.iter().enumerate().filter(|(place, (_, made))| {
        let day = stamp(*made) / DAY;
        let first = !days.contains(&day) && days.len() < DAYS;
        if first {
            days.push(day);
        }
        *place >= NEWEST && !first
    });
    spare.map(|(_, (path, _))| path.as_path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_one_a_day_for_a_week() {
        // One an hour, for ten days.
        let hours = (0..240_u64).rev().map(|hour| hour * 60 * 60);
        let all: Vec<_> = hours
            .map(|seconds| {
                (PathBuf::from(seconds.to_string()), UNIX_EPOCH + Duration::from_secs(seconds))
            })
            .collect();
        let spare = spare(&all);
        let kept = all.iter().map(|(path, _)| path.as_path()).filter(|path| !spare.contains(path));
        let kept: Vec<u64> = kept.map(|path| path.to_str().unwrap().parse().unwrap()).collect();
        let hours: Vec<u64> = kept.iter().map(|seconds| seconds / 3600).collect();
        assert_eq!(hours, [239, 238, 237, 236, 215, 191, 167, 143, 119, 95]);
    }
}
