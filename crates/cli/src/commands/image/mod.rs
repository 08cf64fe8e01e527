//! `image`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use client::{Answer, Client, Request};
use tokio::fs::File;
use wire::{
    ConfigMap, Empty, Image as Shown, ImageAlias, ImagePut, ImagesPost, Operation,
    endpoints::images::{
        ImageAliasGet, ImageCreate, ImageDelete, ImageExport, ImageGet, ImageRefresh, ImageReplace,
        ImagesList,
    },
    query::ImageQuery,
};

use self::{alias::AliasVerb, copy::Copy, import::Import};
use super::{OK, source};
use crate::{
    context::Context,
    error::{Error, Result},
    output::{self, FormatArg, Table, human},
    thing::{self, Thing},
};

mod alias;
mod copy;
mod elsewhere;
mod import;
mod push;
mod relay;

/// Images.
#[derive(Debug, clap::Args)]
pub(crate) struct Image {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List images, of another server by NAME:
    #[command(visible_alias = "ls")]
    List {
        /// Only those with an alias or fingerprint that begins like this
        filter: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Build an image: debian:12, debian:13, ubuntu:24.04 or busybox
    Build {
        /// Image
        image: String,
        /// Build it for virtual machines
        #[arg(long)]
        vm: bool,
        /// Alias to give it
        #[arg(long)]
        alias: Vec<String>,
        /// Let anybody fetch it
        #[arg(long)]
        public: bool,
    },
    /// Take an image of another server
    #[command(visible_alias = "cp")]
    Copy(Copy),
    /// Have an image be what its server has by that name now
    Refresh {
        /// Aliases or fingerprints
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Take an image from files
    Import(Import),
    /// Write an image into a file, or two: one of a virtual machine has its disk in FILE.root
    Export {
        /// Alias or fingerprint
        image: String,
        /// File; by default FINGERPRINT.image here
        file: Option<PathBuf>,
    },
    /// Show an image in words
    Info {
        /// Alias or fingerprint
        image: String,
    },
    /// Show an image's properties
    Show {
        /// Alias or fingerprint
        image: String,
    },
    /// Change an image's properties as YAML: in an editor, or from standard input
    Edit {
        /// Alias or fingerprint
        image: String,
    },
    /// Print the value of a property
    GetProperty {
        /// Alias or fingerprint
        image: String,
        /// Property
        key: String,
    },
    /// Set a property
    SetProperty {
        /// Alias or fingerprint
        image: String,
        /// Properties
        #[arg(required = true, value_name = "KEY=VALUE")]
        properties: Vec<String>,
    },
    /// Take a property away
    UnsetProperty {
        /// Alias or fingerprint
        image: String,
        /// Property
        key: String,
    },
    /// Delete images
    #[command(visible_alias = "rm")]
    Delete {
        /// Aliases or fingerprints
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Aliases of images
    #[command(subcommand)]
    Alias(AliasVerb),
}

impl Image {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List { filter, format } => list(cx, filter.as_deref(), format).await?,
            Verb::Build { image, vm, alias, public } => {
                let request = build_request(&image, vm, &alias, public);
                build(cx, &image, &request).await?;
            }
            Verb::Copy(copy) => copy.run(cx).await?,
            Verb::Refresh { images } => {
                for image in images {
                    refresh(cx, &image).await?;
                }
            }
            Verb::Import(import) => import.run(cx).await?,
            Verb::Export { image, file } => export(cx, &image, file).await?,
            Verb::Info { image } => {
                let image = match cx.remotes.image(&image) {
                    Some(name) => elsewhere::find(&name).await?,
                    None => Images::load(cx, &image).await?.reply,
                };
                out!("{}", info(&image));
            }
            Verb::Show { image } => {
                output::yaml(&Images::load(cx, &image).await?.reply.writable())?
            }
            Verb::Edit { image } => thing::edit::<Images>(cx, &image).await?,
            Verb::GetProperty { image, key } => thing::get::<Images>(cx, &image, &key).await?,
            Verb::SetProperty { image, properties } => {
                thing::set::<Images>(cx, &image, &properties).await?
            }
            Verb::UnsetProperty { image, key } => thing::unset::<Images>(cx, &image, &key).await?,
            Verb::Delete { images } => {
                for image in images {
                    let fingerprint = fingerprint(cx, &image).await?;
                    let query = cx.query();
                    let path = [fingerprint.as_str()];
                    let operation = cx.client.call::<ImageDelete>(&path, &query, &Empty {}).await?;
                    cx.finish(&operation).await?;
                }
            }
            Verb::Alias(verb) => verb.run(cx).await?,
        }
        Ok(OK)
    }
}

/// The fingerprint of an image that is named by an alias or by the start of its fingerprint.
async fn fingerprint(cx: &Context, name: &str) -> Result<String> {
    fingerprint_at(&cx.client, cx, name).await
}

/// The same on another server.
async fn fingerprint_at(client: &Client, cx: &Context, name: &str) -> Result<String> {
    match client.get::<ImageAliasGet>(&[name], &cx.query()).await {
        Ok(alias) => Ok(alias.target),
        Err(error) if error.code() == Some(404) => Ok(name.to_owned()),
        Err(error) => Err(error.into()),
    }
}

async fn list(cx: &Context, filter: Option<&str>, format: FormatArg) -> Result<()> {
    let elsewhere = filter.and_then(|word| cx.remotes.image(word));
    let (mut images, filter) = match elsewhere {
        Some(name) => (elsewhere::all(name.server).await?, Some(name.rest)),
        None => (cx.client.get::<ImagesList>(&[], &cx.list()).await?.into_full(), filter),
    };
    if let Some(start) = filter {
        images.retain(|image| {
            image.fingerprint.starts_with(start)
                || image.aliases.iter().any(|alias| alias.name.starts_with(start))
        });
    }
    images.sort_by(|a, b| alias_of(a).cmp(alias_of(b)));
    format.print(&images, table)
}

fn alias_of(image: &Shown) -> &str {
    image.aliases.first().map_or("", |alias| &alias.name)
}

fn table(images: &[Shown]) -> Table {
    let head = [
        "ALIAS",
        "FINGERPRINT",
        "PUBLIC",
        "DESCRIPTION",
        "ARCHITECTURE",
        "TYPE",
        "SIZE",
        "UPLOAD DATE",
    ];
    let mut table = Table::new(head);
    for image in images {
        let more = image.aliases.len().saturating_sub(1);
        let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
        table.row([
            format!("{}{more}", alias_of(image)),
            image.fingerprint.chars().take(12).collect(),
            human::yes(image.public).to_lowercase(),
            image.properties.get("description").cloned().unwrap_or_default(),
            image.architecture.clone(),
            image.r#type.as_str().to_uppercase(),
            human::bytes(image.size),
            human::moment(image.uploaded_at),
        ]);
    }
    table
}

async fn build(cx: &Context, image: &str, request: &ImagesPost) -> Result<()> {
    cx.say(format!("Building {image}"));
    let operation = cx.client.call::<ImageCreate>(&[], &cx.query(), request).await?;
    let operation = cx.finish(&operation).await?;
    outln!("Image built with fingerprint: {}", made(&operation));
    Ok(())
}

fn build_request(image: &str, vm: bool, aliases: &[String], public: bool) -> ImagesPost {
    let alias = |name: &String| ImageAlias { name: name.clone(), description: String::new() };
    ImagesPost {
        aliases: aliases.iter().map(alias).collect(),
        public,
        source: Some(source::of_build(image, vm)),
        ..ImagesPost::default()
    }
}

async fn refresh(cx: &Context, image: &str) -> Result<()> {
    let fingerprint = fingerprint(cx, image).await?;
    let operation = cx.client.call::<ImageRefresh>(&[&fingerprint], &cx.query(), &Empty {}).await?;
    let operation = cx.finish(&operation).await?;
    let newer = operation.metadata.as_ref().and_then(|all| all.get("refreshed")?.as_bool());
    cx.say(match newer {
        Some(true) => format!("Image {image} is a newer one now"),
        _ => format!("Image {image} is the newest"),
    });
    Ok(())
}

/// The fingerprint that an operation tells.
pub(super) fn made(operation: &Operation) -> String {
    let metadata: BTreeMap<_, _> = operation.metadata.clone().unwrap_or_default();
    metadata.get("fingerprint").and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

async fn export(cx: &Context, image: &str, file: Option<PathBuf>) -> Result<()> {
    let fingerprint = Images::load(cx, image).await?.reply.fingerprint;
    let path = file.unwrap_or_else(|| format!("{fingerprint}.image").into());
    let query = ImageQuery { project: cx.project.clone(), secret: None };
    let request = cx.client.request::<ImageExport>(&[&fingerprint]).query(&query)?;
    cx.say(format!("Writing {}", path.display()));
    if let Some(root) = received(request, &path).await? {
        cx.say(format!("Written besides: {}", root.display()));
    }
    cx.say("Image written");
    Ok(())
}

/// Writes the files of an image; tells the second one, if there are two.
async fn received(request: Request<'_, ImageExport>, path: &Path) -> Result<Option<PathBuf>> {
    let create = async |path: &Path| {
        let made = File::create(path).await;
        made.map_err(|source| Error::File { path: path.to_owned(), source })
    };
    match request.receive().await?.form() {
        Err(one) => {
            one.copy_to(&mut create(path).await?).await?;
            Ok(None)
        }
        Ok(mut form) => {
            // As the stock client names them.
            let mut root = path.as_os_str().to_owned();
            root.push(".root");
            let root = PathBuf::from(root);
            let place =
                async |field: &str| create(if field == "metadata" { path } else { &root }).await;
            while form.next(&place).await? {}
            Ok(Some(root))
        }
    }
}

fn info(image: &Shown) -> String {
    let mut lines = vec![
        format!("Fingerprint: {}", image.fingerprint),
        format!("Size: {}", human::bytes(image.size)),
        format!("Architecture: {}", image.architecture),
        format!("Type: {}", image.r#type.as_str()),
        format!("Public: {}", human::yes(image.public).to_lowercase()),
        "Timestamps:".into(),
    ];
    let moments = [("Created", image.created_at), ("Uploaded", image.uploaded_at)];
    let moments = moments
        .into_iter()
        .chain([("Expires", image.expires_at), ("Last used", image.last_used_at)]);
    for (name, moment) in moments {
        let moment = if moment.is_never() { "never".into() } else { human::moment(moment) };
        lines.push(format!("    {name}: {moment}"));
    }
    lines.push("Properties:".into());
    lines.extend(image.properties.iter().map(|(key, value)| format!("    {key}: {value}")));
    lines.push("Aliases:".into());
    lines.extend(image.aliases.iter().map(|alias| format!("    - {}", alias.name)));
    lines.push(format!("Cached: {}", human::yes(image.cached).to_lowercase()));
    lines.push(format!("Profiles: {}", image.profiles.join(", ")));
    lines.join("\n") + "\n"
}

/// Images, as things whose options are their properties.
pub(crate) struct Images;

impl Thing for Images {
    const NOUN: &'static str = "image";
    const EXAMPLE: &'static str = "\
public: false
auto_update: false
properties:
  description: Debian with all our tools
  os: debian
  release: bookworm
";
    type Shown = Shown;
    type Put = ImagePut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<Shown>> {
        let query = ImageQuery { project: cx.project.clone(), secret: None };
        let fingerprint = fingerprint(cx, name).await?;
        Ok(cx.client.request::<ImageGet>(&[&fingerprint]).query(&query)?.send().await?)
    }

    async fn store(cx: &Context, name: &str, put: &ImagePut, etag: Option<String>) -> Result<()> {
        let fingerprint = fingerprint(cx, name).await?;
        let request = cx.client.request::<ImageReplace>(&[&fingerprint]).query(&cx.query())?;
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &Shown) -> ImagePut {
        shown.writable()
    }

    fn config(put: &mut ImagePut) -> &mut ConfigMap {
        &mut put.properties
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_build_is_a_post_with_a_source() {
        let want = json!({
            "aliases": [{ "name": "base", "description": "" }], "auto_update": false, "public": false,
            "source": { "type": "image", "alias": "debian/12", "protocol": "microcloud-build", "mode": "pull" },
        });
        assert_eq!(json!(build_request("debian:12", false, &["base".into()], false)), want);
    }

    #[test]
    fn the_list_of_images() {
        let image = serde_json::from_value(json!({
            "fingerprint": "06b86454720d36b20f94e31c6812e05ec51c1b56", "size": 2_097_152, "type": "container",
            "architecture": "x86_64", "aliases": [{ "name": "debian/12" }, { "name": "base" }],
            "properties": { "description": "Debian 12" },
        }))
        .unwrap();
        let want = "debian/12 (1 more),06b86454720d,no,Debian 12,x86_64,CONTAINER,2.00MiB,\n";
        assert_eq!(table(&[image]).csv(), want);
    }
}
