//! `project`.

use std::fs;

use wire::{
    ConfigMap, Project as Shown, ProjectPost, ProjectPut, ProjectState, ProjectsPost,
    endpoints::projects::{
        ProjectCreate, ProjectDelete, ProjectGet, ProjectRename, ProjectReplace, ProjectStateGet,
        ProjectsList,
    },
    query::NoQuery,
};

use super::OK;
use crate::{
    context::{self, Context},
    error::{Error, Result},
    output::{FormatArg, Table, human},
    pairs,
    thing::Thing,
    verbs::{Named, Verbs},
};

/// Projects.
#[derive(Debug, clap::Args)]
pub(crate) struct Project {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List projects
    #[command(visible_alias = "ls")]
    List(FormatArg),
    #[command(flatten)]
    Common(Verbs),
    /// Make a project
    Create {
        /// Project
        name: String,
        /// Option, such as features.images=false
        #[arg(short, long, value_name = "KEY=VALUE")]
        config: Vec<String>,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Rename a project
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Show what a project uses of its limits
    Info {
        /// Project
        name: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Work in this project from now on (--project and MICROCLOUD_PROJECT go before it)
    Switch {
        /// Project
        name: String,
    },
}

impl Project {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let all = cx.client.get::<ProjectsList>(&[], &cx.list()).await?.into_full();
                format.print(&all, |projects| table(projects, cx.project.as_deref()))?;
            }
            Verb::Create { name, config, description } => {
                let request = ProjectsPost { name, description, config: pairs::map(&config)? };
                cx.client.call::<ProjectCreate>(&[], &NoQuery {}, &request).await?;
                cx.say(format!("Project {} created", request.name));
            }
            Verb::Common(verbs) => verbs.run::<Projects>(cx).await?,
            Verb::Rename { name, new_name } => {
                let request = ProjectPost { name: new_name };
                let operation =
                    cx.client.call::<ProjectRename>(&[&name], &NoQuery {}, &request).await?;
                cx.finish(&operation).await?;
            }
            Verb::Info { name, format } => {
                let state = cx.client.get::<ProjectStateGet>(&[&name], &NoQuery {}).await?;
                format.print(&[state], usage_table)?;
            }
            Verb::Switch { name } => switch(cx, &name).await?,
        }
        Ok(OK)
    }
}

async fn switch(cx: &Context, name: &str) -> Result<()> {
    Projects::load(cx, name).await?;
    let file =
        context::project_file().ok_or(Error::Usage("HOME is not set; use MICROCLOUD_PROJECT"))?;
    let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| fs::write(&file, format!("{name}\n")));
    written.map_err(|source| Error::File { path: file, source })
}

fn table(projects: &[Shown], current: Option<&str>) -> Table {
    let mut table = Table::new([
        "NAME",
        "IMAGES",
        "PROFILES",
        "STORAGE VOLUMES",
        "NETWORKS",
        "DESCRIPTION",
        "USED BY",
    ]);
    for project in projects {
        let feature = |name: &str| {
            let value = project.config.get(&format!("features.{name}"));
            human::yes(value.is_some_and(|value| value == "true")).to_owned()
        };
        let mark = if current.unwrap_or(wire::DEFAULT_PROJECT) == project.name {
            " (current)"
        } else {
            ""
        };
        table.row([
            format!("{}{mark}", project.name),
            feature("images"),
            feature("profiles"),
            feature("storage.volumes"),
            feature("networks"),
            project.description.clone(),
            project.used_by.len().to_string(),
        ]);
    }
    table
}

fn usage_table(states: &[ProjectState]) -> Table {
    let mut table = Table::new(["RESOURCE", "LIMIT", "USAGE"]);
    for (name, resource) in states.iter().flat_map(|state| &state.resources) {
        let limit =
            if resource.Limit < 0 { "UNLIMITED".into() } else { resource.Limit.to_string() };
        table.row([name.to_uppercase(), limit, resource.Usage.to_string()]);
    }
    table
}

/// Projects, as things with options.
pub(crate) struct Projects;

impl Named for Projects {
    const NOUN: &'static str = "project";
    const EXAMPLE: &'static str = "\
description: What the children try
config:
  features.images: \"false\"
  features.profiles: \"true\"
";
    type Shown = Shown;
    type Put = ProjectPut;
    type Query = NoQuery;
    type Get = ProjectGet;
    type Replace = ProjectReplace;
    type Delete = ProjectDelete;

    fn query(_: &Context) -> NoQuery {
        NoQuery {}
    }

    fn writable(shown: &Shown) -> ProjectPut {
        shown.writable()
    }

    fn config(put: &mut ProjectPut) -> &mut ConfigMap {
        &mut put.config
    }
}
