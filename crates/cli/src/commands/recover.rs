//! `recover`: what storage pools hold is put into a database that does not know it.

use std::io::{IsTerminal, stdin};

use wire::{
    RecoverPost, Recovered, StoragePoolsPost,
    endpoints::recover::{RecoverImport, RecoverValidate},
};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
    output::Table,
    question::is_so,
};

/// Finds instances, volumes and buckets that the server does not know, and takes them in.
///
/// For a server whose database is lost, or a disk from another server. Pools in the server's own folder
/// are found by themselves.
#[derive(Debug, clap::Args)]
pub(crate) struct Recover {
    /// A pool that lies elsewhere: its name, driver, and disk or folder
    #[arg(long = "pool", num_args = 3, value_names = ["NAME", "DRIVER", "SOURCE"])]
    pools: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Recover {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let pools = self.pools.chunks(3).filter_map(|words| match words {
            [name, driver, source] => Some(StoragePoolsPost {
                name: name.clone(),
                driver: driver.clone(),
                description: String::new(),
                config: [(String::from("source"), source.clone())].into(),
            }),
            _ => None,
        });
        let request = RecoverPost { pools: pools.collect() };
        let found = cx.client.call::<RecoverValidate>(&[], &cx.target(), &request).await?;
        show(&found);
        if found.pools.is_empty() && found.volumes.is_empty() {
            cx.say("There is nothing to recover");
            return Ok(OK);
        }
        if !self.yes {
            if !stdin().is_terminal() {
                return Err(Error::Usage("there is nobody to ask; say --yes"));
            }
            if !is_so("Take these in?", true)? {
                return Ok(OK);
            }
        }
        let taken = cx.client.call::<RecoverImport>(&[], &cx.target(), &request).await?;
        cx.say(format!("Recovered: {} volumes", taken.volumes.len()));
        Ok(OK)
    }
}

fn show(found: &Recovered) {
    let mut table = Table::new(["POOL", "PROJECT", "TYPE", "NAME", "SNAPSHOTS"]);
    for volume in &found.volumes {
        table.row([
            volume.pool.clone(),
            volume.project.clone(),
            volume.r#type.clone(),
            volume.name.clone(),
            volume.snapshots.to_string(),
        ]);
    }
    for pool in &found.pools {
        outln!("Storage pool: {pool}");
    }
    if !found.volumes.is_empty() {
        out!("{}", table.boxed());
    }
    for problem in &found.problems {
        outln!("Cannot recover: {problem}");
    }
}
