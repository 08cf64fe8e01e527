//! openraft's own suite for storage, on the real files.

use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;
use uuid::Uuid;

use crate::core::Core;
use crate::fault::Switch;
use crate::files::Folder;
use crate::log::{self, Log};
use crate::log_file::Identity;
use crate::machine::Machine;
use crate::options::Options;
use crate::raft::{StorageError, Types};

struct Builder;

impl StoreBuilder<Types, Log, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError> {
        // Memory where there is some: the suite opens many.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        let folder = Folder::lock(dir.path()).unwrap();
        let file = log::open_file(&folder.log()).unwrap();
        let options = Options::new(&[]);
        let identity = Identity { cluster: Uuid::new_v4(), me: options.me.clone() };
        let core = Core::open(folder, options, identity).unwrap();
        let log = Log::open(file, Switch::new(), core.reserve.clone()).unwrap();
        Ok((dir, log, Machine(Arc::new(core))))
    }
}

#[test]
fn openraft_accepts_the_log_and_the_state() {
    Suite::test_all(Builder).unwrap();
}
