//! `image copy`: from another server into the one that is meant; that one fetches it, or has it brought.

use client::Client;
use wire::{
    Empty, Image, ImageAlias, ImagesPost, ImagesPostSource, InstanceType, Operation,
    endpoints::images::{ImageCreate, ImageGet, ImageSecret},
    query::ImageQuery,
};

use super::{elsewhere, fingerprint_at, made, push, relay};
use crate::{
    commands::mode::{Known, Mode, no_address},
    context::Context,
    error::{Error, Result},
    remotes::{ImageName, LOCAL, Remote},
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
    /// Who connects to whom
    #[arg(long, default_value = "pull")]
    mode: Mode,
}

/// An image of another server.
pub(super) struct There<'a> {
    pub(super) client: Client,
    /// `None` is the daemon of this machine.
    remote: Option<&'a Remote>,
    pub(super) image: Image,
}

impl Copy {
    pub(super) async fn run(self, cx: &Context) -> Result<()> {
        if self.auto_update && self.mode != Mode::Pull {
            return Err(Error::Usage("--auto-update is for --mode pull: else it has no source"));
        }
        if let Some(name) = cx.remotes.image(&self.source) {
            return self.of_images(cx, &name).await;
        }
        let there = self.there(cx).await?;
        if self.mode == Mode::Pull {
            let sources = self.sources(cx, &there).await?;
            return self.pull(cx, &there.image, sources).await;
        }
        cx.say(format!("Copying {}", self.source));
        let mut post = self.request(&there.image, ImagesPostSource::default());
        post.properties.clone_from(&there.image.properties);
        post.expires_at = Some(there.image.expires_at);
        match self.mode {
            Mode::Relay => relay::relay(cx, &there, post).await?,
            Mode::Pull | Mode::Push => push::push(cx, &there, post).await?,
        }
        outln!("Image copied with fingerprint: {}", there.image.fingerprint);
        Ok(())
    }

    /// From a server of images, which does nothing by itself.
    async fn of_images(&self, cx: &Context, name: &ImageName<'_>) -> Result<()> {
        if self.mode != Mode::Pull {
            return Err(Error::Usage("a server of images only has images pulled: --mode pull"));
        }
        let source = ImagesPostSource {
            server: name.server.to_owned(),
            protocol: "simplestreams".into(),
            alias: name.rest.to_owned(),
            ..self.pulled()
        };
        let image = match self.copy_aliases {
            true => elsewhere::find(name).await?,
            // The server finds out.
            false => Image::default(),
        };
        self.pull(cx, &image, vec![source]).await
    }

    /// Has the server that is meant fetch it. Under one of several addresses is enough.
    async fn pull(
        &self,
        cx: &Context,
        image: &Image,
        sources: Vec<ImagesPostSource>,
    ) -> Result<()> {
        let mut last = no_address();
        for source in sources {
            cx.say(format!("Copying {} from {}", self.source, source.server));
            match fetched(cx, &self.request(image, source)).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn there<'a>(&self, cx: &'a Context) -> Result<There<'a>> {
        let (name, image) = self.source.split_once(':').unwrap_or((LOCAL, &self.source));
        let remote = cx.remotes.find(name)?;
        let client = match remote {
            Some(remote) => remote.client()?,
            None => Context::local(),
        };
        let image = find(&client, cx, image).await?;
        Ok(There { client, remote, image })
    }

    /// Under which addresses the other server has it, and all that the one which is meant has to know.
    async fn sources(&self, cx: &Context, there: &There<'_>) -> Result<Vec<ImagesPostSource>> {
        let known = Known::ask(&there.client, there.remote).await?;
        let image = &there.image;
        let secret = match image.public {
            true => String::new(),
            false => secret(&there.client, cx, &image.fingerprint).await?,
        };
        let source = |server: String| ImagesPostSource {
            server,
            protocol: "lxd".into(),
            certificate: known.certificate.clone(),
            secret: secret.clone(),
            fingerprint: image.fingerprint.clone(),
            project: cx.project.clone().unwrap_or_default(),
            ..self.pulled()
        };
        Ok(known.urls.iter().cloned().map(source).collect())
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
    Ok(secret_of(&operation))
}

/// The secret that a server gave.
pub(super) fn secret_of(operation: &Operation) -> String {
    let told = operation.metadata.as_ref().and_then(|all| all.get("secret")?.as_str());
    told.unwrap_or_default().to_owned()
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
            mode: Mode::Pull,
        };
        let image = Image { aliases: vec![alias("debian/12")], ..Image::default() };
        let post = copy.request(&image, copy.pulled());
        assert_eq!(post.aliases, [alias("mine"), alias("debian/12")]);
        assert!(post.auto_update && !post.public);
        assert_eq!(post.source.unwrap().image_type, "virtual-machine");
    }
}
