//! `image import`: one file, two files, or a folder with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use client::Upload;
use wire::{ImagesPost, ImagesPostSource, endpoints::images::ImageCreate};

use super::{alias, made};
use crate::{
    context::Context,
    error::{Error, Result},
    pairs,
};

/// Files of an image.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The image, its metadata file, a folder with both files of a split image, or the address of one
    file: PathBuf,
    /// The root file system or disk of a split image; then properties
    #[arg(value_name = "ROOTFS | KEY=VALUE")]
    more: Vec<String>,
    /// Alias to give it
    #[arg(long)]
    alias: Vec<String>,
    /// Let anybody fetch it
    #[arg(long)]
    public: bool,
}

impl Import {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let request = cx.client.request::<ImageCreate>(&[]).query(&cx.query())?;
        let request = match self.address() {
            Some(url) => request.body(&self.of_address(url)?)?,
            None => request.upload(self.upload()?).await?,
        };
        cx.say("Importing the image");
        let operation = request.send().await?.reply;
        let fingerprint = made(&cx.finish(&operation).await?);
        for name in self.alias {
            alias::create(cx, name, fingerprint.clone(), String::new()).await?;
        }
        outln!("Image imported with fingerprint: {fingerprint}");
        Ok(())
    }

    /// The address of a web server, if it is one: the server fetches it.
    fn address(&self) -> Option<&str> {
        let word = self.file.to_str()?;
        ["https://", "http://"].iter().any(|scheme| word.starts_with(scheme)).then_some(word)
    }

    fn of_address(&self, url: &str) -> Result<ImagesPost> {
        let properties = self.more.iter().map(|word| pairs::pair(word));
        Ok(ImagesPost {
            public: self.public,
            properties: properties.collect::<Result<_>>()?,
            source: Some(ImagesPostSource {
                r#type: String::from("url"),
                mode: String::from("pull"),
                url: url.to_owned(),
                ..ImagesPostSource::default()
            }),
            ..ImagesPost::default()
        })
    }

    fn upload(&self) -> Result<Upload> {
        let (rootfs, properties) = match self.more.split_first() {
            Some((first, rest)) if !first.contains('=') || Path::new(first).exists() => {
                (Some(first.into()), rest)
            }
            _ => (None, self.more.as_slice()),
        };
        let (metadata, rootfs) = match rootfs {
            None if self.file.is_dir() => split(&self.file)?,
            rootfs => (self.file.clone(), rootfs),
        };
        let properties = properties.iter().map(|word| pairs::pair(word)).collect::<Result<_>>()?;
        let disk = rootfs.as_deref().is_some_and(is_disk);
        Ok(Upload { metadata, rootfs, disk, public: self.public, properties })
    }
}

/// The name tells a machine's disk from a container's file system.
fn is_disk(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "img" || end == "qcow2")
}

/// The files of a split image in a folder.
fn split(folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder)
        .map_err(failed)?
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(failed)?;
    let mut names: Vec<_> =
        entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let find = |starts: &[&str]| {
        names.iter().find(|name| starts.iter().any(|start| name.starts_with(start)))
    };
    let metadata = find(&["metadata.tar", "meta.tar", "lxd.tar", "incus.tar"]);
    let rootfs = find(&["rootfs.", "disk."]);
    match (metadata, rootfs) {
        (Some(metadata), Some(rootfs)) => Ok((folder.join(metadata), Some(folder.join(rootfs)))),
        _ => Err(Error::NoImage(folder.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(file: &Path, more: &[&str]) -> Result<Upload> {
        let more = more.iter().map(|&word| word.to_owned()).collect();
        Import { file: file.to_owned(), more, alias: Vec::new(), public: false }.upload()
    }

    #[test]
    fn one_file_with_properties() {
        let upload = import(Path::new("x.tar.gz"), &["os=Debian"]).unwrap();
        assert_eq!(
            (upload.rootfs, upload.properties),
            (None, vec![("os".into(), "Debian".into())])
        );
    }

    #[test]
    fn two_files() {
        let upload = import(Path::new("meta.tar.xz"), &["rootfs.squashfs", "os=Debian"]).unwrap();
        assert_eq!(upload.rootfs, Some("rootfs.squashfs".into()));
        assert_eq!(upload.properties.len(), 1);
    }

    #[test]
    fn a_folder_with_a_split_image() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(import(folder.path(), &[]), Err(Error::NoImage(_))));
        for name in ["lxd.tar.xz", "rootfs.squashfs", "SHA256SUMS"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let upload = import(folder.path(), &[]).unwrap();
        assert_eq!(upload.metadata, folder.path().join("lxd.tar.xz"));
        assert_eq!(upload.rootfs, Some(folder.path().join("rootfs.squashfs")));
    }
}
