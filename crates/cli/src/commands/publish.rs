//! `publish`.

use wire::{
    Empty, ImageAlias, ImagesPost, ImagesPostSource, InstanceStatePut, StateAction, StatusCode,
    Timestamp,
    endpoints::{
        images::{ImageAliasDelete, ImageAliasGet, ImageCreate},
        instances::InstanceGet,
    },
    query::ThingQuery,
};

use super::{OK, image, state};
use crate::{
    context::Context,
    error::{Error, Result},
    pairs,
};

/// Makes an image of an instance that is stopped, or of a snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct Publish {
    /// What to make it of: INSTANCE or INSTANCE/SNAPSHOT
    source: String,
    /// Properties of the image, over those it was made of
    #[arg(value_name = "KEY=VALUE")]
    properties: Vec<String>,
    /// Alias to give it; may be given several times
    #[arg(long)]
    alias: Vec<String>,
    /// Let anybody fetch it
    #[arg(long)]
    public: bool,
    /// How to compress it: gzip, zstd, xz, lzma or none, with a level if need be: "zstd -9"
    #[arg(long, value_name = "ALGORITHM", default_value = "")]
    compression: String,
    /// When the image is out of date: 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expire: Option<String>,
    /// Stop the instance meanwhile if it runs
    #[arg(short, long)]
    force: bool,
    /// Take aliases from the images that have them
    #[arg(long)]
    reuse: bool,
}

impl Publish {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let request = self.request()?;
        self.free_aliases(cx).await?;
        let again = self.force && !self.source.contains('/') && self.runs(cx).await?;
        if again {
            state::change(cx, &self.source, &act(StateAction::Stop)).await?;
        }
        let published = publish(cx, &request).await;
        if again {
            state::change(cx, &self.source, &act(StateAction::Start)).await?;
        }
        outln!("Instance published with fingerprint: {}", published?);
        Ok(OK)
    }

    fn request(&self) -> Result<ImagesPost> {
        let kind = if self.source.contains('/') { "snapshot" } else { "instance" };
        let source = ImagesPostSource {
            r#type: kind.into(),
            name: self.source.clone(),
            ..ImagesPostSource::default()
        };
        let alias = |name: &String| ImageAlias { name: name.clone(), description: String::new() };
        Ok(ImagesPost {
            aliases: self.alias.iter().map(alias).collect(),
            compression_algorithm: self.compression.clone(),
            expires_at: self.expire.as_deref().map(moment).transpose()?,
            properties: pairs::map(&self.properties)?,
            public: self.public,
            source: Some(source),
            ..ImagesPost::default()
        })
    }

    /// Refuses aliases that are taken, or deletes them.
    async fn free_aliases(&self, cx: &Context) -> Result<()> {
        for name in &self.alias {
            match cx.client.get::<ImageAliasGet>(&[name], &cx.query()).await {
                Err(error) if error.code() == Some(404) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if self.reuse => {
                    cx.client.call::<ImageAliasDelete>(&[name], &cx.query(), &Empty {}).await?;
                }
                Ok(_) => return Err(Error::Usage("an alias is taken: --reuse takes it over")),
            }
        }
        Ok(())
    }

    async fn runs(&self, cx: &Context) -> Result<bool> {
        let query = ThingQuery { project: cx.project.clone(), ..ThingQuery::default() };
        let found = cx.client.get::<InstanceGet>(&[&self.source], &query).await?;
        Ok(found.instance.status_code != StatusCode::STOPPED)
    }
}

async fn publish(cx: &Context, request: &ImagesPost) -> Result<String> {
    let operation = cx.client.call::<ImageCreate>(&[], &cx.query(), request).await?;
    Ok(image::made(&cx.finish(&operation).await?))
}

fn act(action: StateAction) -> InstanceStatePut {
    let force = action == StateAction::Stop;
    InstanceStatePut { action, timeout: -1, force, stateful: false }
}

fn moment(text: &str) -> Result<Timestamp> {
    let form = "a time such as 2030-01-31T00:00:00Z";
    serde_json::from_value(text.into()).map_err(|_| Error::Form { word: text.to_owned(), form })
}
