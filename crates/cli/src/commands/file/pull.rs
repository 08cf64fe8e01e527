//! `file pull`.

use std::{
    fs, io,
    os::{
        fd::AsFd,
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use client::Received;
use tokio::fs::OpenOptions;

use super::{Form, Inside, failed};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Files to get out of something.
#[derive(Debug, clap::Args)]
pub(super) struct Pull {
    /// Files; then where they go here, `-` for standard output
    #[arg(required = true, num_args = 2.., value_name = "INSIDE... FILE")]
    words: Vec<String>,
    /// Folders with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// Make the folders that are missing
    #[arg(short = 'p', long)]
    create_dirs: bool,
}

impl Pull {
    pub(super) async fn run(mut self, cx: &Context, form: Form) -> Result<()> {
        let Some(to) = self.words.pop() else { return Err(Error::Usage("nowhere to pull to")) };
        let into_folder = to.ends_with('/') || self.words.len() > 1 || Path::new(&to).is_dir();
        if self.create_dirs {
            let folder = if into_folder { Some(Path::new(&to)) } else { Path::new(&to).parent() };
            let folder = folder.unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        for word in &self.words {
            let from = form.parse(word)?;
            if to == "-" {
                from.get(cx).await?.copy_to(&mut stdout()?).await?;
                continue;
            }
            cx.say(format!("Pulling {word} to {to}"));
            let target = PathBuf::from(&to);
            let target = if into_folder { target.join(from.name()) } else { target };
            self.pull(cx, from, target).await?;
        }
        Ok(())
    }

    async fn pull(&self, cx: &Context, from: Inside, to: PathBuf) -> Result<()> {
        let mut left = vec![(from, to)];
        while let Some((from, to)) = left.pop() {
            let received = from.get(cx).await?;
            match received.header("x-lxd-type") {
                "directory" if !self.recursive => {
                    return Err(Error::Usage("a folder is pulled with --recursive"));
                }
                "directory" => {
                    let mode = mode(&received);
                    if to.is_symlink() {
                        fs::remove_file(&to).map_err(failed(&to))?;
                    }
                    if !to.is_dir() {
                        fs::create_dir(&to).map_err(failed(&to))?;
                    }
                    // Before what is in it, which needs the owner's rights.
                    let mode = fs::Permissions::from_mode(mode | 0o700);
                    fs::set_permissions(&to, mode).map_err(failed(&to))?;
                    for name in received.reply::<Vec<String>>().await? {
                        left.push((from.join(&name), to.join(plain(&name)?)));
                    }
                }
                "symlink" => {
                    let target = received.bytes().await?;
                    let target = String::from_utf8_lossy(&target).into_owned();
                    let _ = fs::remove_file(&to);
                    symlink(target, &to).map_err(failed(&to))?;
                }
                _ => save(received, &to).await?,
            }
        }
        Ok(())
    }
}

/// A name that an instance gives is one name: nothing that leads out of the folder here.
fn plain(name: &str) -> Result<&str> {
    match name {
        "" | "." | ".." => Err(Error::Usage("it names a file that cannot be")),
        name if name.contains('/') => Err(Error::Usage("it names a file that cannot be")),
        name => Ok(name),
    }
}

fn mode(received: &Received) -> u32 {
    u32::from_str_radix(received.header("x-lxd-mode"), 8).unwrap_or(0o644) & 0o777
}

/// A link that is here is replaced, not followed: an instance that changes what it has between two
/// questions must not write elsewhere.
async fn save(received: Received, to: &Path) -> Result<()> {
    if to.is_symlink() {
        fs::remove_file(to).map_err(failed(to))?;
    }
    let mode = mode(&received);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = options.open(to).await.map_err(failed(to))?;
    received.copy_to(&mut file).await?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(failed(to))
}

/// The standard output, for bytes that must not be taken for text.
pub(in crate::commands) fn stdout() -> Result<tokio::fs::File> {
    let own = io::stdout().as_fd().try_clone_to_owned().map_err(Error::Stdio)?;
    Ok(tokio::fs::File::from(fs::File::from(own)))
}
