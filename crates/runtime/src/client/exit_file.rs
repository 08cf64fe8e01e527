//! How an instance ended, for a daemon that was not there.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    ExitReason,
    error::{At, Result},
};

/// Its name in the run folder.
pub(crate) const EXIT_FILE: &str = "exit.json";

#[derive(Serialize, Deserialize)]
struct Exit {
    generation: u64,
    reason: ExitReason,
}

/// The generation that ended last in `run_dir`, and how; `None` if none has.
pub fn last_exit(run_dir: &Path) -> Option<(u64, ExitReason)> {
    let bytes = fs::read(run_dir.join(EXIT_FILE)).ok()?;
    let exit: Exit = serde_json::from_slice(&bytes).ok()?;
    Some((exit.generation, exit.reason))
}

/// Written whole or not at all. Not synced: after a crash of the machine nothing runs anyway.
pub(crate) fn write_exit(run_dir: &Path, generation: u64, reason: ExitReason) -> Result<()> {
    let path = run_dir.join(EXIT_FILE);
    let part = run_dir.join("exit.json.new");
    let bytes = serde_json::to_vec(&Exit { generation, reason })?;
    let write = || -> io::Result<()> {
        File::create(&part)?.write_all(&bytes)?;
        fs::rename(&part, &path)
    };
    write().at("write", &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_exit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_exit(folder.path()), None);
        write_exit(folder.path(), 7, ExitReason::Signal(9)).unwrap();
        write_exit(folder.path(), 8, ExitReason::Halt).unwrap();
        assert_eq!(last_exit(folder.path()), Some((8, ExitReason::Halt)));
    }
}
