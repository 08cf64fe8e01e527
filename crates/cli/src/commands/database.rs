//! `database`: the server's own database: copies of it, backups, going back.

use std::{
    io::{IsTerminal, stdin},
    path::PathBuf,
    time::Duration,
};

use client::Content;
use wire::{
    Database as Found, DatabaseRestorePost,
    endpoints::{
        database::{DatabaseBackup, DatabaseGet, DatabaseRestore},
        server::ServerGet,
    },
};

use super::{OK, backup::Target};
use crate::{
    context::Context,
    error::{Error, Result},
    output::{
        Table,
        human::{bytes, moment},
    },
    question::is_so,
};

/// How long the server may take until it answers again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(50);

/// Copies and backups of the server's own database.
///
/// What instances have on their disks is not in it: that is what `microcloud export` and snapshots are for.
#[derive(Debug, clap::Args)]
pub(crate) struct Database {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show how large it is, which copies the server keeps, and what was damaged
    Show,
    /// Write a backup of database, certificates and keys, while all goes on. It is secret: who has it has the server
    Backup {
        /// The new file; `-` is the standard output
        file: PathBuf,
    },
    /// Go back to a backup, or to one of the copies. What is there now is set aside
    ///
    /// For a server that does not start: microcloud daemon --restore FILE, then start it. Volumes that a restored
    /// database does not know: microcloud recover.
    Restore {
        /// The backup
        #[arg(required_unless_present = "copy", conflicts_with = "copy")]
        file: Option<PathBuf>,
        /// The name of a copy
        #[arg(long)]
        copy: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl Database {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::Show => show(&cx.client.get::<DatabaseGet>(&[], &cx.target()).await?),
            Verb::Backup { file } => backup(cx, file).await?,
            Verb::Restore { file, copy, yes } => restore(cx, file, copy, yes).await?,
        }
        Ok(OK)
    }
}

fn show(found: &Found) {
    outln!("Size: {}", bytes(found.size));
    for said in &found.damaged {
        outln!("Warning: {said}");
    }
    let mut table = Table::new(["COPY", "MADE AT", "SIZE"]);
    for copy in &found.copies {
        table.row([copy.name.clone(), moment(copy.made_at), bytes(copy.size)]);
    }
    if !found.copies.is_empty() {
        out!("{}", table.boxed());
    }
}

async fn backup(cx: &Context, file: PathBuf) -> Result<()> {
    let target = Target::secret(file)?;
    target.fetch(cx.client.request::<DatabaseBackup>(&[]).query(&cx.target())?).await?;
    target.told(cx);
    Ok(())
}

async fn restore(
    cx: &Context,
    file: Option<PathBuf>,
    copy: Option<String>,
    yes: bool,
) -> Result<()> {
    if !yes {
        if !stdin().is_terminal() {
            return Err(Error::Usage("there is nobody to ask; say --yes"));
        }
        if !is_so("What was changed since is not known any more. Go back?", false)? {
            return Ok(());
        }
    }
    let request = cx.client.request::<DatabaseRestore>(&[]).query(&cx.target())?;
    let request = match file {
        Some(file) => request.content(Content::File(file)).await?,
        None => request.body(&DatabaseRestorePost { copy: copy.unwrap_or_default() })?,
    };
    match request.send().await {
        // It may begin anew before its answer is out.
        Ok(_) | Err(client::Error::Broken { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    cx.say("Restored; the server begins anew");
    let back = async {
        // Once it does not answer, and then until it does.
        tokio::time::sleep(LOOK).await;
        while cx.client.get::<ServerGet>(&[], &cx.target()).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let back = tokio::time::timeout(PATIENCE, back).await;
    back.map_err(|_| Error::Usage("the server does not come back: see its log"))?;
    cx.say("Volumes that the database does not know now: microcloud recover");
    Ok(())
}
