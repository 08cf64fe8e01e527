//! Volumes of files that are no backups: an ISO, a tarball, a disk of QEMU's. They say nothing of the
//! volume but what is in it.

use std::path::Path;

use exec::qemu_img;
use options::Raw;
use storage::FillError;

use super::{Form, draft::check_new};
use crate::{
    Error, Result, World,
    backups::{Unpack, Upload, limits},
    blocking::blocking,
    db::volumes::Volume,
    volumes::{Key, config, create},
};

/// The row of a volume that is made of such a file, which is looked at first.
pub(super) async fn draft(
    world: &World,
    (pool, project): (&str, &str),
    form: Form,
    upload: &Upload,
) -> Result<Volume> {
    let Some(name) = upload.name.as_deref() else {
        return Err(Error::invalid("volume name", "it is missing: such a file has none itself"));
    };
    let of = world.store.read(|db| {
        check_new(db, &Key::of(db, pool, project, name)?)?;
        crate::storage::find(db, pool)
    })?;
    let file = upload.file.clone();
    let size = blocking("look into file", move || look(&file, form)).await?;
    let content = match form {
        Form::Iso => "iso",
        Form::Qcow2 => "block",
        Form::Backup | Form::Tar => "filesystem",
    };
    let mut options = Raw::new();
    if let Some(size) = size {
        options.set("size", size.to_string());
    }
    config::complete(&mut options, &of.config, content);
    config::check(&options, content, &of)?;
    let key = world.store.read(|db| Key::of(db, pool, project, name))?;
    Ok(create::draft(world, &key, content, options, String::new()))
}

/// The size of the volume, where the file says one. A file that is something else is refused.
fn look(file: &Path, form: Form) -> Result<Option<u64>> {
    match form {
        Form::Backup => Ok(None),
        Form::Iso => Ok(images::check_iso(file).map(|()| None)?),
        Form::Tar if images::Format::of(file)?.is_tar() => Ok(None),
        Form::Tar => Err(Error::invalid("file", "it is no tarball")),
        Form::Qcow2 if !exec::installed(qemu_img::PROGRAM) => {
            Err(Error::Unsupported("a qcow2 file without qemu-img (package qemu-utils)"))
        }
        Form::Qcow2 => Ok(Some(images::qcow2_size(file)?)),
    }
}

/// Keeps the image of a disc.
pub(super) fn iso(unpack: &Unpack, _: &str, into: &Path) -> Result<(), FillError> {
    let size = std::fs::metadata(&unpack.file)?.len();
    let limit = limits(&unpack.pool)?.max_bytes;
    if size > limit {
        let (file, what) = (unpack.file.clone(), "bytes");
        return Err(images::Error::TooLarge { file, limit, what }.into());
    }
    storage::copy_file(&unpack.file, &into.join("root.img"), &unpack.control)?;
    Ok(())
}

/// Makes a plain disk of one of QEMU's.
pub(super) fn qcow2(unpack: &Unpack, _: &str, into: &Path) -> Result<(), FillError> {
    Ok(qemu_img::to_raw(&unpack.file, &into.join("root.img"), &unpack.control)?)
}
