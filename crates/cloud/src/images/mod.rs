//! Images: their rows, their files, their volumes in pools.
//!
//! ```text
//! upload ──import──┐                                       ┌─> root of an instance (a clone)
//! server ──remote──┼─> images/<fingerprint>[.rootfs] + row ─┤
//! recipe ──build───┘                                       └─> volume in a pool, made at first use
//! ```
//! An image lives in the home of `features.images` of its project: the project itself or
//! `default`. Projects that have the same image share its files.

use store::Read;
use wire::{Image, ImageAlias, ImagePut, ImageSource, InstanceType};

use crate::{
    Error, Result, World,
    db::{
        images::{self as rows, Alias},
        instances::Made,
    },
};

pub mod alias;
mod build;
mod delete;
pub mod expected;
pub mod export;
mod fetch;
mod files;
mod got;
mod import;
mod provide;
mod publish;
mod push;
mod remote;
mod replicas;
pub mod secret;
mod update;
pub(crate) mod volume;

pub(crate) use self::{
    build::Build,
    delete::Delete,
    delete::{drop_all, drop_volumes_in},
    files::{clean, clean_folder},
    import::Import,
    provide::{Wanted, provide},
    publish::Publish,
    remote::{Catalogs, Download, Refresh},
};
pub use self::{
    build::build,
    delete::delete,
    import::{Upload, import},
    publish::publish,
    push::push,
    remote::{Follow, download, refresh},
    replicas::Replicas,
    update::update,
};

/// What says that this server builds an image itself.
pub const BUILD_PROTOCOL: &str = "microcloud-build";

/// Every image of a project, or of all.
pub fn list(world: &World, project: Option<&str>) -> Result<Vec<Image>> {
    world.store.read(|db| {
        let home = project.map(|name| home(db, name)).transpose()?;
        let aliases = rows::aliases(db)?;
        let wanted = |row: &rows::Image| {
            row.made == Made::Ready && home.as_ref().is_none_or(|home| *home == row.project)
        };
        let rows = rows::all(db)?.into_iter().filter(wanted);
        Ok(rows.map(|row| render(row, &aliases)).collect())
    })
}

/// The image whose fingerprint begins so; it must be the only one.
pub fn get(world: &World, project: &str, fingerprint: &str) -> Result<Image> {
    world.store.read(|db| Ok(render(find(db, project, fingerprint)?, &rows::aliases(db)?)))
}

/// The project in which images of `project` live.
pub(crate) fn home(db: &Read<'_>, project: &str) -> Result<String> {
    Ok(crate::projects::find(db, project)?.home_of("features.images").to_owned())
}

pub(crate) fn find(db: &Read<'_>, project: &str, fingerprint: &str) -> Result<rows::Image> {
    let home = home(db, project)?;
    let mut found = match fingerprint.is_empty() {
        true => Vec::new(),
        false => rows::by_prefix(db, &home, fingerprint)?,
    };
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let why =
                format!("\"{fingerprint}\" is the beginning of more than one: give more of it");
            Err(Error::invalid("fingerprint", why))
        }
        (None, _) => Err(Error::not_found("image", fingerprint)),
    }
}

fn render(row: rows::Image, aliases: &[Alias]) -> Image {
    let own = |alias: &&Alias| alias.fingerprint == row.fingerprint && alias.project == row.project;
    let alias = |alias: &Alias| ImageAlias {
        name: alias.name.clone(),
        description: alias.description.clone(),
    };
    let update_source = (!row.source.protocol.is_empty()).then(|| ImageSource {
        alias: row.source.alias.clone(),
        certificate: row.source.certificate.clone(),
        server: row.source.server.clone(),
        protocol: row.source.protocol.clone(),
        image_type: row.kind.clone(),
    });
    Image {
        aliases: aliases.iter().filter(own).map(alias).collect(),
        update_source,
        fingerprint: row.fingerprint,
        filename: row.filename,
        size: u64::try_from(row.size).unwrap_or_default(),
        architecture: row.architecture,
        r#type: kind(&row.kind),
        cached: row.cached,
        public: row.public,
        auto_update: row.auto_update,
        properties: row.properties,
        profiles: vec![crate::profiles::DEFAULT.to_owned()],
        created_at: row.created_at.into(),
        expires_at: row.expires_at.into(),
        last_used_at: row.last_used_at.into(),
        uploaded_at: row.uploaded_at.into(),
        project: row.project,
    }
}

fn kind(word: &str) -> InstanceType {
    match word {
        "virtual-machine" => InstanceType::VirtualMachine,
        _ => InstanceType::Container,
    }
}

fn writable(row: &rows::Image) -> ImagePut {
    ImagePut {
        auto_update: row.auto_update,
        properties: row.properties.clone(),
        public: row.public,
        expires_at: row.expires_at.into(),
        profiles: vec![crate::profiles::DEFAULT.to_owned()],
    }
}
