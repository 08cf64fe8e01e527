//! Columns of the list of instances.

use wire::{Instance, InstanceFull, InstanceState};

use crate::{
    error::{Error, Result},
    output::{Format, Table, human},
};

/// A column: a letter with a head, or an option.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Known(&'static Known),
    Option { key: String, head: String },
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    letter: char,
    head: &'static str,
    /// Whether the server must look at the running instance for it.
    state: bool,
}

const fn known(letter: char, head: &'static str, state: bool) -> Known {
    Known { letter, head, state }
}

const KNOWN: [Known; 21] = [
    known('n', "NAME", false),
    known('s', "STATE", false),
    known('4', "IPV4", true),
    known('6', "IPV6", true),
    known('t', "TYPE", false),
    known('S', "SNAPSHOTS", true),
    known('a', "ARCHITECTURE", false),
    known('b', "STORAGE POOL", false),
    known('c', "CREATED AT", false),
    known('d', "DESCRIPTION", false),
    known('D', "DISK USAGE", true),
    known('e', "PROJECT", false),
    known('f', "BASE IMAGE", false),
    known('F', "BASE IMAGE", false),
    known('l', "LAST USED AT", false),
    known('L', "LOCATION", false),
    known('m', "MEMORY USAGE", true),
    known('N', "PROCESSES", true),
    known('p', "PID", true),
    known('P', "PROFILES", false),
    known('u', "CPU USAGE", true),
];

/// The columns of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns(Vec<Column>);

/// Whether all there is will be printed, whatever the columns.
pub(super) fn is_data(format: Format) -> bool {
    matches!(format, Format::Json | Format::Yaml)
}

impl Columns {
    /// Letters and options, parted by commas: `ns4`, `n,limits.memory:MEMORY`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut columns = Vec::new();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            if word.contains('.') {
                let (key, head) = word.split_once(':').unwrap_or((word, ""));
                let head = if head.is_empty() { key.to_uppercase() } else { head.to_owned() };
                columns.push(Column::Option { key: key.to_owned(), head });
                continue;
            }
            for letter in word.chars() {
                let column = KNOWN.iter().find(|known| known.letter == letter);
                let form = "letters of columns (see \"microcloud list --help\")";
                let column = column.ok_or_else(|| Error::Form { word: text.to_owned(), form })?;
                columns.push(Column::Known(column));
            }
        }
        Ok(Self(columns))
    }

    pub(super) fn need_state(&self) -> bool {
        self.0.iter().any(|column| matches!(column, Column::Known(known) if known.state))
    }

    pub(super) fn table(&self, instances: &[InstanceFull]) -> Table {
        let mut table = Table::new(self.0.iter().map(|column| match column {
            Column::Known(known) => known.head,
            Column::Option { head, .. } => head,
        }));
        for instance in instances {
            table.row(self.0.iter().map(|column| match column {
                Column::Known(known) => cell(known.letter, instance),
                Column::Option { key, .. } => option(&instance.instance, key),
            }));
        }
        table
    }
}

fn option(instance: &Instance, key: &str) -> String {
    instance.expanded_config.get(key).cloned().unwrap_or_default()
}

fn cell(letter: char, full: &InstanceFull) -> String {
    let instance = &full.instance;
    match letter {
        'n' => instance.name.clone(),
        's' => instance.status.to_uppercase(),
        't' => kind(instance),
        'S' => full.snapshots.as_ref().map_or(0, Vec::len).to_string(),
        'a' => instance.architecture.clone(),
        'b' => pool(instance),
        'c' => human::moment(instance.created_at),
        'd' => instance.description.clone(),
        'e' => instance.project.clone(),
        'f' => option(instance, "volatile.base_image").chars().take(12).collect(),
        'F' => option(instance, "volatile.base_image"),
        'l' => human::moment(instance.last_used_at),
        'L' => instance.location.clone(),
        'P' => instance.profiles.join("\n"),
        _ => full.state.as_ref().map_or(String::new(), |state| state_cell(letter, state)),
    }
}

fn state_cell(letter: char, state: &InstanceState) -> String {
    let running = state.pid != 0;
    match letter {
        '4' => addresses(state, "inet"),
        '6' => addresses(state, "inet6"),
        'D' => state.disk.get("root").map_or(String::new(), |disk| human::bytes(disk.usage)),
        'm' if running => human::bytes(state.memory.usage),
        'N' if running => state.processes.to_string(),
        'p' if running => state.pid.to_string(),
        'u' if running => format!("{}s", state.cpu.usage / 1_000_000_000),
        _ => String::new(),
    }
}

fn kind(instance: &Instance) -> String {
    let kind = instance.r#type.as_str().to_uppercase();
    if instance.ephemeral { format!("{kind} (EPHEMERAL)") } else { kind }
}

fn pool(instance: &Instance) -> String {
    let mut devices = instance.expanded_devices.values();
    let root = devices.find(|device| device.get("path").is_some_and(|path| path == "/"));
    root.and_then(|device| device.get("pool")).cloned().unwrap_or_default()
}

/// One line each, such as `10.0.0.2 (eth0)`; those of the machine itself and of the link are left out.
fn addresses(state: &InstanceState, family: &str) -> String {
    let networks = state.network.iter().flatten().filter(|(name, _)| *name != "lo");
    let lines = networks.flat_map(|(name, network)| {
        let shown = network.addresses.iter();
        let shown = shown.filter(|address| address.family == family && address.scope == "global");
        shown.map(move |address| format!("{} ({name})", address.address))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn web() -> InstanceFull {
        serde_json::from_value(json!({
            "name": "web", "status": "Running", "type": "container", "ephemeral": true,
            "expanded_config": { "limits.memory": "1GiB" }, "snapshots": [{ "name": "snap0" }],
            "state": { "pid": 42, "memory": { "usage": 1_048_576 }, "network": {
                "lo": { "addresses": [{ "family": "inet", "address": "127.0.0.1", "scope": "local" }] },
                "eth0": { "addresses": [
                    { "family": "inet", "address": "10.0.0.2", "scope": "global" },
                    { "family": "inet6", "address": "fd42::2", "scope": "global" },
                    { "family": "inet6", "address": "fe80::1", "scope": "link" },
                ]},
            }},
        }))
        .unwrap()
    }

    #[test]
    fn the_default_columns() {
        let table = Columns::parse("ns46tS").unwrap().table(&[web()]);
        let want = "web,RUNNING,10.0.0.2 (eth0),fd42::2 (eth0),CONTAINER (EPHEMERAL),1\n";
        assert_eq!(table.csv(), want);
    }

    #[test]
    fn options_are_columns_too() {
        let columns = Columns::parse("n,limits.memory:MEMORY,user.x,pm").unwrap();
        let text = columns.table(&[web()]).compact();
        assert_eq!(
            text,
            "NAME  MEMORY  USER.X  PID  MEMORY USAGE\nweb   1GiB            42   1.00MiB\n"
        );
    }

    #[test]
    fn state_is_asked_for_only_when_needed() {
        assert!(!Columns::parse("nsacPt").unwrap().need_state());
        assert!(Columns::parse("n4").unwrap().need_state());
    }

    #[test]
    fn an_unknown_letter_is_refused() {
        assert!(Columns::parse("nX").unwrap_err().to_string().contains("\"nX\""));
    }
}
