//! `image copy`: from another server into the one that is meant; that one fetches it.

use client::Client;
use wire::{
    Empty, Image, ImageAlias, ImagesPost, ImagesPostSource, InstanceType,
    endpoints::{
        images::{ImageCreate, ImageGet, ImageSecret},
        server::ServerGet,
    },
    query::{ImageQuery, TargetQuery},
};

use super::{elsewhere, fingerprint_at, made};
use crate::{
    context::Context,
    error::{Error, Result},
    remotes::LOCAL,
};

/// What to copy, and as what.
#[derive(Debug, clap::Args)]
pub(super) struct Copy {
    /// Image: NAME:ALIAS or NAME:FINGERPRINT of a server that has a name
    source: String,
    /// Alias to give it
    #[arg(long)]
    alias: Vec<String>,
    /// Give it the aliases that it has there
    #[arg(long)]
    copy_aliases: bool,
    /// Follow its source
    #[arg(long)]
    auto_update: bool,
    /// Let anybody fetch it
    #[arg(long)]
    public: bool,
    /// Take the image of a virtual machine
    #[arg(long)]
    vm: bool,
}

/// Where an image is, and what it is there.
struct Found {
    image: Image,
    /// Under which addresses the other server may be reached; one is enough.
    sources: Vec<ImagesPostSource>,
}

impl Copy {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        let found = match cx.remotes.image(&self.source) {
            Some(name) => {
                let source = ImagesPostSource {
                    server: name.server.to_owned(),
                    protocol: "simplestreams".into(),
                    alias: name.rest.to_owned(),
                    ..self.pulled()
                };
                let image = match self.copy_aliases {
                    true => elsewhere::find(&name).await?,
                    // The server finds out.
                    false => Image::default(),
                };
                Found { image, sources: vec![source] }
            }
            None => self.of_server(cx).await?,
        };
        let mut last = Error::Usage("that server has no address: set core.https_address there");
        for source in &found.sources {
            let post = self.request(&found.image, source.clone());
            cx.say(format!("Copying {} from {}", self.source, source.server));
            match fetched(cx, &post).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks the other server for all that the one which is meant has to know.
    async fn of_server(&self, cx: &Context) -> Result<Found> {
        let (name, image) = self.source.split_once(':').unwrap_or((LOCAL, &self.source));
        let remote = cx.remotes.find(name)?;
        let client = match remote {
            Some(remote) => remote.client()?,
            None => Context::local(),
        };
        let known = client.get::<ServerGet>(&[], &TargetQuery::default()).await?;
        let there =
            known.environment.ok_or(Error::Usage("that server does not trust this user"))?;
        let image = find(&client, cx, image).await?;
        let secret = match image.public {
            true => String::new(),
            false => secret(&client, cx, &image.fingerprint).await?,
        };
        let servers = match remote {
            Some(remote) => vec![remote.url.clone()],
            None => there.addresses.iter().map(|address| format!("https://{address}")).collect(),
        };
        let source = |server: String| ImagesPostSource {
            server,
            protocol: "lxd".into(),
            certificate: there.certificate.clone(),
            secret: secret.clone(),
            fingerprint: image.fingerprint.clone(),
            project: cx.project.clone().unwrap_or_default(),
            ..self.pulled()
        };
        let sources = servers.into_iter().map(source).collect();
        Ok(Found { sources, image })
    }

    fn pulled(&self) -> ImagesPostSource {
        let kind = if self.vm { InstanceType::VirtualMachine.as_str() } else { "" };
        ImagesPostSource {
            r#type: "image".into(),
            mode: "pull".into(),
            image_type: kind.into(),
            ..ImagesPostSource::default()
        }
    }

    fn request(&self, image: &Image, mut source: ImagesPostSource) -> ImagesPost {
        if source.image_type.is_empty() && !image.fingerprint.is_empty() {
            source.image_type = image.r#type.as_str().into();
        }
        let own = self
            .alias
            .iter()
            .map(|name| ImageAlias { name: name.clone(), ..ImageAlias::default() });
        let theirs = image.aliases.iter().filter(|_| self.copy_aliases).cloned();
        ImagesPost {
            aliases: own.chain(theirs).collect(),
            auto_update: self.auto_update,
            public: self.public,
            source: Some(source),
            ..ImagesPost::default()
        }
    }
}

async fn fetched(cx: &Context, post: &ImagesPost) -> Result<()> {
    let operation = cx.client.call::<ImageCreate>(&[], &cx.query(), post).await?;
    let operation = cx.finish(&operation).await?;
    outln!("Image copied with fingerprint: {}", made(&operation));
    Ok(())
}

/// An image of another server by its alias or the start of its fingerprint.
async fn find(client: &Client, cx: &Context, name: &str) -> Result<Image> {
    let fingerprint = fingerprint_at(client, cx, name).await?;
    let query = ImageQuery { project: cx.project.clone(), secret: None };
    Ok(client.get::<ImageGet>(&[&fingerprint], &query).await?)
}

/// What lets the server that is meant have an image that not anybody may have.
async fn secret(client: &Client, cx: &Context, fingerprint: &str) -> Result<String> {
    let operation = client.call::<ImageSecret>(&[fingerprint], &cx.query(), &Empty {}).await?;
    let told = operation.metadata.as_ref().and_then(|all| all.get("secret")?.as_str());
    Ok(told.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_where_from_and_what_it_is_called() {
        let alias = |name: &str| ImageAlias { name: name.into(), ..ImageAlias::default() };
        let copy = Copy {
            source: "images:debian/12".into(),
            alias: vec!["mine".into()],
            copy_aliases: true,
            auto_update: true,
            public: false,
            vm: true,
        };
        let image = Image { aliases: vec![alias("debian/12")], ..Image::default() };
        let post = copy.request(&image, copy.pulled());
        assert_eq!(post.aliases, [alias("mine"), alias("debian/12")]);
        assert!(post.auto_update && !post.public);
        assert_eq!(post.source.unwrap().image_type, "virtual-machine");
    }
}
