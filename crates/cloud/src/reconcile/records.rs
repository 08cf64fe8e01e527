//! Keeps with every pool what is needed to use it again without the database.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
        instances::Made,
        pools::{self as rows, Pool},
    },
    recover::record::Record,
};

/// What wakes it: any change of the state.
pub const STATE: &str = "state";
/// Changes come in bursts: this long it waits for the rest.
const BURST: Duration = Duration::from_secs(1);

/// Writes the record of each pool whose rows have changed.
#[derive(Default)]
pub struct Records {
    /// What each pool has.
    written: HashMap<String, [u8; 32]>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Records {
    fn name(&self) -> &'static str {
        "records of pools"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[STATE]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        tokio::time::sleep(BURST).await;
        let mut report = Report::default();
        let rows = match world.store.read(|db| Ok::<_, Error>(rows::all(db)?)) {
            Ok(rows) => rows,
            Err(error) => {
                report.fail(Arc::new(error));
                return report;
            }
        };
        for row in rows.iter().filter(|row| row.made == Made::Ready) {
            match self.write(world, row).await {
                // It is looked for by another, and has its record when it is back.
                Ok(_) | Err(Error::Unavailable { .. }) => {}
                Err(error) => report.fail(Arc::new(error)),
            }
        }
        report
    }
}

impl Records {
    async fn write(&mut self, world: &World, row: &Pool) -> Result<()> {
        let bytes = world.store.read(|db| Record::of(db, row))?.bytes()?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if self.written.get(&row.name) == Some(&digest) {
            return Ok(());
        }
        world.pools.keep(world, &row.name, bytes).await?;
        self.written.insert(row.name.clone(), digest);
        Ok(())
    }
}
