//! `file push`.

use std::{
    fs::{self, Metadata},
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use client::Content;

use super::{Form, Headers, Inside, failed};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Files to put into something.
#[derive(Debug, clap::Args)]
pub(super) struct Push {
    /// Files here, `-` for standard input; then where they go. A path that ends in `/` is a folder
    #[arg(required = true, num_args = 2.., value_name = "FILE... INSIDE")]
    words: Vec<String>,
    /// Folders with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// Make the folders that are missing
    #[arg(short = 'p', long)]
    create_dirs: bool,
    /// Owner, by number
    #[arg(long)]
    uid: Option<u32>,
    /// Group, by number
    #[arg(long)]
    gid: Option<u32>,
    /// Permissions, in octal digits
    #[arg(long)]
    mode: Option<String>,
}

/// All of standard input.
pub(super) fn stdin() -> Result<Content> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(Error::Stdio)?;
    Ok(Content::Bytes(bytes.into()))
}

impl Push {
    pub(super) async fn run(mut self, cx: &Context, form: Form) -> Result<()> {
        let Some(to) = self.words.pop() else { return Err(Error::Usage("nowhere to push to")) };
        let to = form.parse(&to)?;
        let into_folder = to.path.ends_with('/') || self.words.len() > 1 || self.recursive;
        if self.create_dirs {
            let folder = if into_folder { to.path.as_str() } else { parent(&to.path) };
            self.make_folders(cx, &to, folder).await?;
        }
        for word in &self.words {
            let from = Path::new(word);
            let name = from.file_name().map(|name| name.to_string_lossy().into_owned());
            let target = match name {
                Some(name) if into_folder && word != "-" => to.join(&name),
                _ => to.clone(),
            };
            cx.say(format!("Pushing {word} to {target}"));
            if word == "-" {
                target.put(cx, &self.headers(None), stdin()?).await?;
            } else {
                self.push(cx, from.to_owned(), target).await?;
            }
        }
        Ok(())
    }

    async fn push(&self, cx: &Context, from: PathBuf, to: Inside) -> Result<()> {
        let mut left = vec![(from, to)];
        while let Some((from, to)) = left.pop() {
            let seen = match self.recursive {
                true => fs::symlink_metadata(&from),
                false => fs::metadata(&from),
            };
            let seen = seen.map_err(failed(&from))?;
            let mut headers = self.headers(Some(&seen));
            if seen.is_dir() {
                if !self.recursive {
                    return Err(Error::Usage("a folder is pushed with --recursive"));
                }
                to.make_folder(cx, headers).await?;
                for entry in fs::read_dir(&from).map_err(failed(&from))? {
                    let entry = entry.map_err(failed(&from))?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    left.push((entry.path(), to.join(&name)));
                }
            } else if seen.is_symlink() {
                let target = fs::read_link(&from).map_err(failed(&from))?;
                headers.0.push(("x-lxd-type", "symlink".to_owned()));
                to.put(cx, &headers, target.to_string_lossy().into_owned().into()).await?;
            } else {
                to.put(cx, &headers, Content::File(from)).await?;
            }
        }
        Ok(())
    }

    async fn make_folders(&self, cx: &Context, to: &Inside, folder: &str) -> Result<()> {
        let mut at = Inside { of: to.of.clone(), path: String::from("/") };
        for name in folder.split('/').filter(|name| !name.is_empty()) {
            at = at.join(name);
            at.make_folder(cx, Headers::default()).await?;
        }
        Ok(())
    }

    /// Owner and mode: those that were asked for, else those of the file here. A single file goes
    /// to root.
    fn headers(&self, seen: Option<&Metadata>) -> Headers {
        let mode = self
            .mode
            .clone()
            .or_else(|| seen.map(|seen| format!("{:04o}", seen.permissions().mode() & 0o7777)));
        let seen = seen.filter(|_| self.recursive);
        let uid = self.uid.or(seen.map(MetadataExt::uid));
        let gid = self.gid.or(seen.map(MetadataExt::gid));
        let id = |name, id: Option<u32>| id.map(|id| (name, id.to_string()));
        let mode = mode.map(|mode| ("x-lxd-mode", mode));
        Headers([id("x-lxd-uid", uid), id("x-lxd-gid", gid), mode].into_iter().flatten().collect())
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent)
}
