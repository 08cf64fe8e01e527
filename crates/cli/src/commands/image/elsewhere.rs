//! Images of servers that hold images and nothing else: they speak simplestreams, and are asked from here.

use std::collections::BTreeSet;

use exec::Control;
use images::{
    Kind,
    streams::{Catalog, Listed, Web},
};
use wire::{Image, ImageAlias, InstanceType};

use crate::{
    error::{Error, Result},
    remotes::ImageName,
};

/// All that a server has, the newest first.
pub(super) async fn all(server: &str) -> Result<Vec<Image>> {
    Ok(shown(&catalog(server).await?))
}

/// The image of that name: the newest one for this machine's processor, of a container if there is one.
pub(super) async fn find(name: &ImageName<'_>) -> Result<Image> {
    let catalog = catalog(name.server).await?;
    let called = |kind| catalog.by_alias(name.rest, std::env::consts::ARCH, kind);
    let found = called(Kind::Container).or_else(|| called(Kind::VirtualMachine));
    let found = match found {
        None => catalog.by_fingerprint(name.rest).map_err(Error::Images)?,
        found => found,
    };
    let no_image = || Error::NoSuchImage { name: name.rest.to_owned(), server: name.server.into() };
    found.map(image).ok_or_else(no_image)
}

async fn catalog(server: &str) -> Result<Catalog> {
    let server = server.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        Catalog::read(&Web::new(None)?, &server, &Control::none())
    });
    let read = read.await.map_err(|error| Error::Runtime(error.into()))?;
    read.map_err(Error::Images)
}

/// A name means the newest of its product, so only that one is shown with it.
fn shown(catalog: &Catalog) -> Vec<Image> {
    let mut known = BTreeSet::new();
    let one = |listed: &Listed| {
        let mut image = image(listed);
        image.aliases.retain(|alias| {
            let of = (alias.name.clone(), listed.architecture.clone(), image.r#type.as_str());
            known.insert(of)
        });
        image
    };
    catalog.all().iter().map(one).collect()
}

fn image(listed: &Listed) -> Image {
    let alias = |name: &String| ImageAlias { name: name.clone(), description: String::new() };
    let made = listed.made_at().map(Into::into).unwrap_or_default();
    Image {
        fingerprint: listed.fingerprint.clone(),
        size: listed.size(),
        aliases: listed.aliases.iter().map(alias).collect(),
        architecture: listed.architecture.clone(),
        r#type: match listed.kind {
            Kind::Container => InstanceType::Container,
            Kind::VirtualMachine => InstanceType::VirtualMachine,
        },
        public: true,
        properties: listed.properties.clone(),
        created_at: made,
        uploaded_at: made,
        expires_at: listed.expires_at().map(Into::into).unwrap_or_default(),
        ..Image::default()
    }
}
