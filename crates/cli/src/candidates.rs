//! What a shell can complete: commands and options by themselves, and names of what the server has.
//!
//! The shell starts the program with [`VARIABLE`] set whenever somebody presses the tab key, so a server that does not
//! answer at once has nothing.

use std::{collections::BTreeSet, ffi::OsString, time::Duration};

use clap::{Command, CommandFactory};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCandidates, CompletionCandidate},
};
use wire::{
    Empty, Endpoint, Listing,
    endpoints::{
        cluster::ClusterMembersList, images::ImageAliasesList, instances::InstancesList,
        networks::NetworksList, profiles::ProfilesList, projects::ProjectsList,
        server::MetadataConfigurationGet, storage::StoragePoolsList,
    },
    query::{ListQuery, NoQuery},
};

use crate::{
    arguments::{Arguments, Global},
    context::Context,
    error::Result,
    output::human,
    remotes::Remotes,
};

/// The variable by which a shell asks.
pub(crate) const VARIABLE: &str = "COMPLETE";
/// A person waits for the key.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers a shell that asks, and ends the program then.
pub(crate) fn answer() {
    CompleteEnv::with_factory(|| known(Arguments::command(), &[])).var(VARIABLE).complete();
}

/// What an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Instance,
    /// An instance or an option.
    Option,
    Image,
    Member,
    Network,
    Pool,
    Profile,
    Project,
}

/// A command, and those beneath it, with what completes their arguments.
fn known(command: Command, above: &[&str]) -> Command {
    let name = command.get_name().to_owned();
    let path: Vec<&str> = match above {
        // The program's own name.
        [] => vec![""],
        [""] => vec![&name],
        _ => [above, &[&name]].concat(),
    };
    let command = command.mut_args(|argument| match kind(&path, argument.get_id().as_str()) {
        Some(kind) => argument.add(ArgValueCandidates::new(move || candidates(kind))),
        None => argument,
    });
    command.mut_subcommands(|below| known(below, &path))
}

fn kind(path: &[&str], argument: &str) -> Option<Kind> {
    Some(match (path, argument) {
        (_, "instance" | "instances")
        | (["start" | "stop" | "restart" | "pause" | "resume" | "delete"], "names") => {
            Kind::Instance
        }
        (["rename" | "move"], "name") | (["copy" | "publish"], "source") => Kind::Instance,
        (["config", "get" | "set" | "unset"], "words") => Kind::Option,
        (["launch" | "create" | "image", ..], "image") => Kind::Image,
        (["cluster", ..], "name" | "member") | (_, "target") => Kind::Member,
        (["network", ..], "name") | (_, "network") => Kind::Network,
        (["storage", ..], "name") if path.len() == 2 => Kind::Pool,
        (_, "pool" | "storage") => Kind::Pool,
        (["profile", ..], "name") | (_, "profile" | "profiles") => Kind::Profile,
        (["project", ..], "name") | (_, "project" | "target_project") => Kind::Project,
        _ => return None,
    })
}

fn candidates(kind: Kind) -> Vec<CompletionCandidate> {
    ask(kind).unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// What there is of a kind; nothing if nobody tells.
fn ask(kind: Kind) -> Option<BTreeSet<OsString>> {
    let remotes = Remotes::load().ok()?;
    let server = remotes.default_name().to_owned();
    let cx = Context::new(&Global::default(), remotes, &server).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, all(&cx, kind)).await });
    Some(found.ok()?.ok()?.into_iter().map(OsString::from).collect())
}

async fn all(cx: &Context, kind: Kind) -> Result<Vec<String>> {
    match kind {
        Kind::Instance => names::<InstancesList, _>(cx).await,
        Kind::Option => {
            let mut found = names::<InstancesList, _>(cx).await?;
            let options = cx.client.get::<MetadataConfigurationGet>(&[], &NoQuery {}).await?;
            found.extend(options_of(&serde_json::json!(options)));
            Ok(found)
        }
        Kind::Image => names::<ImageAliasesList, _>(cx).await,
        Kind::Member => names::<ClusterMembersList, _>(cx).await,
        Kind::Network => names::<NetworksList, _>(cx).await,
        Kind::Pool => names::<StoragePoolsList, _>(cx).await,
        Kind::Profile => names::<ProfilesList, _>(cx).await,
        Kind::Project => names::<ProjectsList, _>(cx).await,
    }
}

async fn names<E, T>(cx: &Context) -> Result<Vec<String>>
where
    E: Endpoint<Query = ListQuery, Body = Empty, Reply = Listing<T>>,
{
    let query = ListQuery { project: cx.project.clone(), ..ListQuery::default() };
    Ok(match cx.client.get::<E>(&[], &query).await? {
        Listing::Urls(urls) => urls.iter().map(|url| human::name_of(url).to_owned()).collect(),
        Listing::Full(_) => Vec::new(),
    })
}

/// Options of instances and of the server that have one name, not a family of them.
fn options_of(metadata: &serde_json::Value) -> Vec<String> {
    let groups =
        ["instance", "server"].into_iter().filter_map(|kind| metadata["configs"][kind].as_object());
    let lists =
        groups.flat_map(|groups| groups.values()).filter_map(|group| group["keys"].as_array());
    let keys = lists.flatten().filter_map(serde_json::Value::as_object).flat_map(|key| key.keys());
    keys.filter(|key| !key.contains(['*', '<'])).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_completed_by_what_they_name() {
        for (path, argument, want) in [
            (&["exec"][..], "instance", Some(Kind::Instance)),
            (&["stop"], "names", Some(Kind::Instance)),
            (&["config", "set"], "words", Some(Kind::Option)),
            (&["storage", "show"], "name", Some(Kind::Pool)),
            (&["storage", "volume", "show"], "pool", Some(Kind::Pool)),
            (&["storage", "volume", "show"], "name", None),
            (&["profile", "show"], "name", Some(Kind::Profile)),
            (&[""], "project", Some(Kind::Project)),
            (&["query"], "path", None),
        ] {
            assert_eq!(kind(path, argument), want, "{path:?} {argument}");
        }
    }

    /// A name in the table above that no command has any more completes nothing.
    #[test]
    fn the_commands_have_such_arguments() {
        fn count(command: &Command) -> usize {
            let own =
                command.get_arguments().filter(|one| one.get::<ArgValueCandidates>().is_some());
            own.count() + command.get_subcommands().map(count).sum::<usize>()
        }
        let all = known(Arguments::command(), &[]);
        for (path, argument) in [
            (&["exec"][..], "instance"),
            (&["start"], "names"),
            (&["config", "set"], "words"),
            (&["network", "show"], "name"),
            (&["launch"], "image"),
        ] {
            let command = path.iter().try_fold(&all, |command, name| command.find_subcommand(name));
            let argument = command.unwrap().get_arguments().find(|one| one.get_id() == argument);
            assert!(
                argument.is_some_and(|one| one.get::<ArgValueCandidates>().is_some()),
                "{path:?}"
            );
        }
        assert!(count(&all) > 100, "{}", count(&all));
    }

    #[test]
    fn options_are_read_from_the_metadata() {
        let key = |name: &str| serde_json::json!({ name: {} });
        let metadata = serde_json::json!({ "configs": {
            "instance": { "boot": { "keys": [key("boot.autostart"), key("user.*")] } },
            "server": { "core": { "keys": [key("core.https_address")] } },
            "network-bridge": { "x": { "keys": [key("ipv4.address")] } },
        }});
        assert_eq!(options_of(&metadata), ["boot.autostart", "core.https_address"]);
    }
}
