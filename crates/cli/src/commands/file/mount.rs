//! `file mount`: an instance's files in a folder of this machine, by sshfs; or SFTP for another program.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as Plain,
    },
    path::PathBuf,
};

use tokio::{
    fs::File,
    io::{copy_bidirectional, join},
    net::UnixStream,
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};
use wire::endpoints::files::InstanceSftp;

use super::{Form, Of};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// What to mount, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Mount {
    /// Instance, or a path in one: INSTANCE/PATH
    inside: String,
    /// Folder of this machine, until ctrl-c
    #[arg(required_unless_present = "stdio")]
    target: Option<PathBuf>,
    /// Speak SFTP on standard input and output instead, for another program
    #[arg(long, conflicts_with = "target")]
    stdio: bool,
}

impl Mount {
    pub(super) async fn run(self, cx: &Context, form: Form) -> Result<()> {
        let word = match self.inside.contains('/') {
            true => self.inside.clone(),
            false => format!("{}/", self.inside),
        };
        let inside = form.parse(&word)?;
        let Of::Instance(name) = &inside.of else {
            return Err(Error::Usage("only the files of instances can be mounted"));
        };
        let query = cx.query();
        let mut server = cx.client.upgrade::<InstanceSftp>(&[name], &query, "sftp").await?;
        let Some(target) = self.target else {
            let (input, output) = (own(io::stdin().as_fd())?, own(io::stdout().as_fd())?);
            // Whichever end is gone ends it.
            let _ = copy_bidirectional(&mut server, &mut join(input, output)).await;
            return Ok(());
        };
        // sshfs hears ctrl-c itself, and unmounts.
        let _mine = signal(SignalKind::interrupt()).map_err(Error::Terminal)?;
        let (mut here, there) = pair().map_err(Error::Stdio)?;
        let carried = tokio::spawn(async move { copy_bidirectional(&mut server, &mut here).await });
        cx.say(format!("{} is mounted on {}; ctrl-c ends that", self.inside, target.display()));
        let (name, path) = (name.clone(), inside.path.clone());
        let mounted = spawn_blocking(move || exec::sshfs::mount(&name, &path, &target, there));
        let mounted = mounted.await.map_err(|panic| Error::Stdio(io::Error::other(panic)))?;
        carried.abort();
        Ok(mounted?)
    }
}

/// Standard input or output, to be read or written beside other work.
fn own(stream: std::os::fd::BorrowedFd<'_>) -> Result<File> {
    let stream = stream.try_clone_to_owned().map_err(Error::Stdio)?;
    Ok(File::from_std(std::fs::File::from(stream)))
}

/// Our end of a stream, and one for a program.
fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (here, there) = Plain::pair()?;
    here.set_nonblocking(true)?;
    Ok((UnixStream::from_std(here)?, there.into()))
}
