//! `file`: files of instances.

use client::{Content, Received};
use wire::{
    endpoints::files::{InstanceFileDelete, InstanceFileGet, InstanceFilePut},
    query::FileQuery,
};

use self::{pull::Pull, push::Push};
use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

pub(super) mod pull;
mod push;

/// Files of instances.
#[derive(Debug, clap::Args)]
pub(crate) struct File {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Put files into an instance
    Push(Push),
    /// Get files out of an instance
    Pull(Pull),
    /// Delete files, links and empty folders of an instance
    #[command(visible_alias = "rm")]
    Delete {
        /// Files
        #[arg(required = true, value_name = "INSTANCE/PATH")]
        files: Vec<Inside>,
    },
    /// Replace the contents of a file by standard input; owner and mode stay
    Edit {
        /// File
        #[arg(value_name = "INSTANCE/PATH")]
        file: Inside,
    },
}

impl File {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::Push(push) => push.run(cx).await?,
            Verb::Pull(pull) => pull.run(cx).await?,
            Verb::Delete { files } => {
                for file in &files {
                    let request = cx.client.request::<InstanceFileDelete>(&[&file.instance]);
                    request.query(&file.query(cx))?.send().await?;
                }
            }
            Verb::Edit { file } => file.put(cx, &Headers::default(), push::stdin()?).await?,
        }
        Ok(OK)
    }
}

/// A file of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inside {
    instance: String,
    path: String,
}

impl std::str::FromStr for Inside {
    type Err = String;

    fn from_str(word: &str) -> Result<Inside, String> {
        match word.split_once('/') {
            Some((instance, path)) if !instance.is_empty() => {
                Ok(Inside { instance: instance.to_owned(), path: format!("/{path}") })
            }
            _ => Err(String::from("it has to be of the form INSTANCE/PATH, as in web/etc/hosts")),
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

    /// The same instance, a name further.
    fn join(&self, name: &str) -> Inside {
        let path = format!("{}/{name}", self.path.trim_end_matches('/'));
        Inside { instance: self.instance.clone(), path }
    }

    /// The last name.
    fn name(&self) -> &str {
        self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    async fn get(&self, cx: &Context) -> Result<Received> {
        let request = cx.client.request::<InstanceFileGet>(&[&self.instance]);
        Ok(request.query(&self.query(cx))?.receive().await?)
    }

    async fn put(&self, cx: &Context, headers: &Headers, content: Content) -> Result<()> {
        let mut request = cx.client.request::<InstanceFilePut>(&[&self.instance]);
        for (name, value) in &headers.0 {
            request = request.header(name, value.clone());
        }
        request.query(&self.query(cx))?.content(content).await?.send().await?;
        Ok(())
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
    fn a_word_is_an_instance_and_a_path() {
        let file: Inside = "web/etc/hosts".parse().unwrap();
        assert_eq!((file.instance.as_str(), file.path.as_str()), ("web", "/etc/hosts"));
        assert_eq!(file.name(), "hosts");
        assert_eq!("web/".parse::<Inside>().unwrap().join("a").path, "/a");
        assert!("web".parse::<Inside>().is_err());
        assert!("/etc".parse::<Inside>().is_err());
    }
}
