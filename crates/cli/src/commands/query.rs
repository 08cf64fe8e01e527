//! `query`: a request as it is.

use wire::{Operation, Response, ResponseType};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Sends a request.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// Path, with its query
    path: String,
    /// Method
    #[arg(short = 'X', long = "request", value_enum, default_value_t = Method::Get, ignore_case = true)]
    method: Method,
    /// JSON to send
    #[arg(short, long)]
    data: Option<String>,
    /// Print the answer with its envelope
    #[arg(long)]
    raw: bool,
    /// Wait for the operation
    #[arg(long)]
    wait: bool,
}

/// A method.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Query {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let target = with_project(&self.path, cx.project.as_deref());
        let (status, bytes) = cx.client.raw(self.method.as_str(), &target, self.data).await?;
        let Ok(answer) = serde_json::from_slice::<Response<serde_json::Value>>(&bytes) else {
            // A file: a log, for one.
            out!("{}", String::from_utf8_lossy(&bytes));
            return Ok(if status < 400 { OK } else { 1 });
        };
        if self.raw {
            print_json(&answer)?;
            return Ok(OK);
        }
        match answer.r#type {
            ResponseType::Error => {
                Err(client::Error::Api { code: answer.error_code, message: answer.error }.into())
            }
            ResponseType::Async if self.wait => {
                let metadata = answer.metadata.unwrap_or_default();
                let operation: Operation = serde_json::from_value(metadata).map_err(Error::Json)?;
                print_json(&cx.finish(&operation).await?)?;
                Ok(OK)
            }
            _ => {
                print_json(&answer.metadata.unwrap_or_default())?;
                Ok(OK)
            }
        }
    }
}

fn print_json(thing: &impl serde::Serialize) -> Result<()> {
    outln!("{}", serde_json::to_string_pretty(thing).map_err(Error::Json)?);
    Ok(())
}

/// Adds the project unless the path names one.
fn with_project(path: &str, project: Option<&str>) -> String {
    match project {
        Some(project) if !path.contains("project=") => {
            let sign = if path.contains('?') { '&' } else { '?' };
            format!("{path}{sign}project={project}")
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_added_once() {
        assert_eq!(
            with_project("/1.0/images?recursion=1", Some("x")),
            "/1.0/images?recursion=1&project=x"
        );
        assert_eq!(with_project("/1.0/images", Some("x")), "/1.0/images?project=x");
        assert_eq!(with_project("/1.0/images?project=y", Some("x")), "/1.0/images?project=y");
        assert_eq!(with_project("/1.0/images", None), "/1.0/images");
    }
}
