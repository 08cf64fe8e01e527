//! Servers with LXD's API. Public images anybody may have; a secret lets anybody have a private one.

use std::path::Path;

use ::client::{Client, Network};
use images::Files;
use tls::Pin;
use wire::{
    endpoints::images::{ImageAliasGet, ImageExport, ImageGet},
    query::{ImageQuery, ProjectQuery},
};

use super::{Listing, Located, Origin};
use crate::{Error, Result, db::images::Image, images::fetch, instances::Kind};

/// Where such servers are when no port is named.
const PORT: &str = "8443";

/// Fails where a server could not be told from another.
pub(super) fn check(certificate: &str) -> Result<()> {
    pin(certificate).map(drop)
}

fn pin(certificate: &str) -> Result<Pin> {
    let certificate = tls::from_text(certificate).map_err(|why| {
        Error::invalid("certificate", format!("that of the other server is needed, as PEM: {why}"))
    })?;
    Ok(Pin::Fingerprint(tls::fingerprint(&certificate)))
}

/// A client of the server with that certificate.
pub(in crate::images) fn client(server: &str, certificate: &str) -> Result<Client> {
    let place = server.trim_start_matches("https://");
    let place = place.split('/').next().unwrap_or(place);
    let named = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let place = if named { place.to_owned() } else { format!("{place}:{PORT}") };
    let network = Network::at(&place, pin(certificate)?, None);
    let network = network.ok_or_else(|| {
        Error::invalid("server", format!("\"{server}\": an address such as https://host:8443"))
    })?;
    Ok(Client::remote(network))
}

fn query(origin: &Origin) -> ImageQuery {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    ImageQuery { project: given(&origin.project), secret: given(&origin.secret) }
}

pub(super) async fn locate(origin: &Origin, kind: Kind) -> Result<Located> {
    let (client, query) = (client(&origin.server, &origin.certificate)?, query(origin));
    let absent = |error: ::client::Error| match error.code() {
        Some(404 | 403) => origin.not_there(),
        _ => Error::from(error),
    };
    let fingerprint = match origin.fingerprint.as_str() {
        "" => {
            let named = ProjectQuery { project: query.project.clone() };
            match client.get::<ImageAliasGet>(&[&origin.alias], &named).await {
                Ok(alias) => alias.target,
                // A fingerprint may stand in place of a name.
                Err(error) if error.code() == Some(404) => origin.alias.clone(),
                Err(error) => return Err(absent(error)),
            }
        }
        start => start.to_owned(),
    };
    let image = client.get::<ImageGet>(&[&fingerprint], &query).await.map_err(absent)?;
    if Kind::from(image.r#type) != kind && origin.fingerprint.is_empty() {
        let why =
            format!("\"{}\" of {} is not one of a {}", origin.alias, origin.server, kind.word());
        return Err(Error::invalid("image", why));
    }
    let fingerprint = image.fingerprint.to_ascii_lowercase();
    Ok(Located { fingerprint, listing: Listing::Server(Box::new(image)) })
}

pub(super) async fn download(origin: &Origin, fingerprint: &str, folder: &Path) -> Result<Files> {
    let (client, query) = (client(&origin.server, &origin.certificate)?, query(origin));
    let request = client.request::<ImageExport>(&[fingerprint]).query(&query)?;
    fetch::receive(request, folder).await
}

/// Puts in what the other server says beyond the image's own metadata.
pub(super) fn describe(image: &mut Image, there: &wire::Image) {
    image.properties.extend(there.properties.clone());
    image.filename.clone_from(&there.filename);
    image.created_at = there.created_at.utc();
    image.expires_at = there.expires_at.utc();
}
