//! `monitor`: events as they happen.

use wire::{Event, EventKind, EventLifecycle, EventLogging};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
    output::{self, human},
};

/// Follows events.
#[derive(Debug, clap::Args)]
pub(crate) struct Monitor {
    /// Kinds of events; all when none is given
    #[arg(long = "type", value_enum, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Those of every project
    #[arg(long)]
    all_projects: bool,
    /// One line each
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
}

/// How to print events.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Lifecycle,
    Operation,
    Logging,
}

impl Monitor {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.wire()).collect();
        let project = cx.project.as_deref().unwrap_or(wire::DEFAULT_PROJECT);
        let mut events = cx.client.events(&kinds, (!self.all_projects).then_some(project)).await?;
        while let Some(event) = events.next().await? {
            self.print(&event)?;
        }
        Ok(OK)
    }

    fn print(&self, event: &Event) -> Result<()> {
        if self.pretty {
            outln!("{}", line(event));
            return Ok(());
        }
        match self.format {
            Format::Json => outln!("{}", serde_json::to_string(event).map_err(Error::Json)?),
            Format::Yaml => {
                output::yaml(event)?;
                outln!("");
            }
        }
        Ok(())
    }
}

impl Kind {
    fn wire(self) -> EventKind {
        match self {
            Self::Lifecycle => EventKind::Lifecycle,
            Self::Operation => EventKind::Operation,
            Self::Logging => EventKind::Logging,
        }
    }
}

/// An event in a line.
fn line(event: &Event) -> String {
    let text = match event.r#type {
        EventKind::Lifecycle => {
            read::<EventLifecycle>(event).map(|it| format!("{} {}", it.action, it.source))
        }
        EventKind::Operation => read::<wire::Operation>(event).map(|it| {
            format!(
                "{} {}: {} {}",
                it.id,
                it.description,
                it.status,
                it.progress().unwrap_or(it.err.clone())
            )
        }),
        EventKind::Logging => {
            read::<EventLogging>(event).map(|it| format!("{}: {}", it.level, it.message))
        }
        EventKind::Other => None,
    };
    let text = text.unwrap_or_else(|| event.metadata.to_string());
    format!(
        "{} {:<9} {}",
        human::time_of_day(event.timestamp),
        event.r#type.as_str(),
        text.trim_end()
    )
}

fn read<T: serde::de::DeserializeOwned>(event: &Event) -> Option<T> {
    serde_json::from_value(event.metadata.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tail(event: serde_json::Value) -> String {
        let line = line(&serde_json::from_value(event).unwrap());
        line.split_once(' ').unwrap().1.to_owned()
    }

    #[test]
    fn an_event_in_a_line() {
        let metadata = json!({ "action": "instance-started", "source": "/1.0/instances/web" });
        let got = tail(json!({ "type": "lifecycle", "metadata": metadata }));
        assert_eq!(got, "lifecycle instance-started /1.0/instances/web");
        let metadata =
            json!({ "id": "1", "description": "Creating instance", "status": "Running" });
        let got = tail(json!({ "type": "operation", "metadata": metadata }));
        assert_eq!(got, "operation 1 Creating instance: Running");
    }
}
