//! `file`: files of instances; `storage volume file`: those of custom volumes.

use client::{Content, Received};
use wire::{
    Endpoint,
    endpoints::files::{
        InstanceFileDelete, InstanceFileGet, InstanceFilePut, VolumeFileDelete, VolumeFileGet,
        VolumeFilePut,
    },
    query::FileQuery,
};

use self::{mount::Mount, pull::Pull, push::Push};
use super::OK;
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
};

mod mount;
pub(super) mod pull;
mod push;

/// Files of instances: INSTANCE/PATH, or of custom volumes: POOL/VOLUME/PATH.
#[derive(Debug, clap::Args)]
pub(crate) struct File {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Put files into it
    Push(Push),
    /// Get files out of it
    Pull(Pull),
    /// Have the files in a folder of this machine (needs sshfs)
    Mount(Mount),
    /// Delete files, links and empty folders
    #[command(visible_alias = "rm")]
    Delete {
        /// Files
        #[arg(required = true, value_name = "INSIDE")]
        files: Vec<String>,
    },
    /// Change a file in an editor, or replace it by standard input; owner and mode stay
    Edit {
        /// File
        #[arg(value_name = "INSIDE")]
        file: String,
    },
}

impl File {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        self.run_in(cx, Form::Instance).await?;
        Ok(OK)
    }

    /// The same with files that are named in that form.
    pub(super) async fn run_in(self, cx: &Context, form: Form) -> Result<()> {
        match self.verb {
            Verb::Push(push) => push.run(cx, form).await?,
            Verb::Pull(pull) => pull.run(cx, form).await?,
            Verb::Mount(mount) => mount.run(cx, form).await?,
            Verb::Delete { files } => {
                for file in &files {
                    form.parse(file)?.delete(cx).await?;
                }
            }
            Verb::Edit { file } => {
                form.parse(&file)?.edit(cx).await?;
            }
        }
        Ok(())
    }
}

/// How a word names a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// `web/etc/hosts`.
    Instance,
    /// `default/data/notes.txt`.
    Volume,
}

impl Form {
    fn parse(self, word: &str) -> Result<Inside> {
        let parts: Vec<&str> = match self {
            Form::Instance => word.splitn(2, '/').collect(),
            Form::Volume => word.splitn(3, '/').collect(),
        };
        let (of, path) = match (self, &parts[..]) {
            (Form::Instance, [name, path]) => (Of::Instance((*name).to_owned()), path),
            (Form::Volume, [pool, name, path]) => {
                (Of::Volume { pool: (*pool).to_owned(), name: (*name).to_owned() }, path)
            }
            _ => return Err(self.wrong(word)),
        };
        if parts[..parts.len() - 1].contains(&"") {
            return Err(self.wrong(word));
        }
        Ok(Inside { of, path: format!("/{path}") })
    }

    fn wrong(self, word: &str) -> Error {
        let form = match self {
            Form::Instance => "INSTANCE/PATH",
            Form::Volume => "POOL/VOLUME/PATH",
        };
        Error::Form { word: word.to_owned(), form }
    }
}

/// Whose file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Instance(String),
    Volume { pool: String, name: String },
}

/// A file of an instance or a custom volume.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inside {
    of: Of,
    path: String,
}

impl std::fmt::Display for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.of {
            Of::Instance(name) => write!(f, "{name}{}", self.path),
            Of::Volume { pool, name } => write!(f, "{pool}/{name}{}", self.path),
        }
    }
}

/// What is said of a file that is made.
#[derive(Debug, Clone, Default)]
struct Headers(Vec<(&'static str, String)>);

impl Inside {
    fn query(&self, cx: &Context) -> FileQuery {
        FileQuery { project: cx.project.clone(), path: self.path.clone() }
    }

    /// The same, a name further.
    fn join(&self, name: &str) -> Inside {
        let path = format!("{}/{name}", self.path.trim_end_matches('/'));
        Inside { of: self.of.clone(), path }
    }

    /// What stands in the address: for an instance's files, and for a volume's.
    fn at(&self) -> Vec<&str> {
        match &self.of {
            Of::Instance(name) => vec![name],
            Of::Volume { pool, name } => vec![pool, "custom", name],
        }
    }

    /// The last name.
    fn name(&self) -> &str {
        self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    async fn get(&self, cx: &Context) -> Result<Received> {
        let (at, query) = (self.at(), self.query(cx));
        Ok(match self.of {
            Of::Instance(_) => {
                cx.client.request::<InstanceFileGet>(&at).query(&query)?.receive().await?
            }
            Of::Volume { .. } => {
                cx.client.request::<VolumeFileGet>(&at).query(&query)?.receive().await?
            }
        })
    }

    async fn delete(&self, cx: &Context) -> Result<()> {
        let (at, query) = (self.at(), self.query(cx));
        match self.of {
            Of::Instance(_) => {
                cx.client.request::<InstanceFileDelete>(&at).query(&query)?.send().await?
            }
            Of::Volume { .. } => {
                cx.client.request::<VolumeFileDelete>(&at).query(&query)?.send().await?
            }
        };
        Ok(())
    }

    async fn put(&self, cx: &Context, headers: &Headers, content: Content) -> Result<()> {
        match self.of {
            Of::Instance(_) => self.put_by::<InstanceFilePut>(cx, headers, content).await,
            Of::Volume { .. } => self.put_by::<VolumeFilePut>(cx, headers, content).await,
        }
    }

    async fn put_by<E: Endpoint<Query = FileQuery>>(
        &self,
        cx: &Context,
        headers: &Headers,
        content: Content,
    ) -> Result<()> {
        let mut request = cx.client.request::<E>(&self.at());
        for (name, value) in &headers.0 {
            request = request.header(name, value.clone());
        }
        request.query(&self.query(cx))?.content(content).await?.send().await?;
        Ok(())
    }

    async fn edit(&self, cx: &Context) -> Result<()> {
        if !edit::has_person() {
            return self.put(cx, &Headers::default(), push::stdin()?).await;
        }
        let mut bytes = Vec::new();
        self.get(cx).await?.copy_to(&mut bytes).await?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| Error::Usage("the file is no text: pull it and push it"))?;
        let ending = self.name().rfind('.').map_or("", |dot| &self.name()[dot..]);
        edit::text_on_terminal(cx, (ending, &text), async |new| {
            self.put(cx, &Headers::default(), new.to_owned().into()).await
        })
        .await
    }

    async fn make_folder(&self, cx: &Context, mut headers: Headers) -> Result<()> {
        headers.0.push(("x-lxd-type", "directory".to_owned()));
        self.put(cx, &headers, String::new().into()).await
    }
}

fn failed(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_instance_or_a_volume_and_a_path() {
        let file = Form::Instance.parse("web/etc/hosts").unwrap();
        assert_eq!((file.at(), file.path.as_str()), (vec!["web"], "/etc/hosts"));
        assert_eq!((file.name(), file.to_string().as_str()), ("hosts", "web/etc/hosts"));
        assert_eq!(Form::Instance.parse("web/").unwrap().join("a").path, "/a");
        let file = Form::Volume.parse("fast/data/a/b").unwrap();
        assert_eq!((file.at(), file.path.as_str()), (vec!["fast", "custom", "data"], "/a/b"));
        for (form, word) in
            [(Form::Instance, "web"), (Form::Instance, "/etc"), (Form::Volume, "fast/data")]
        {
            assert!(form.parse(word).is_err(), "{word}");
        }
    }
}
