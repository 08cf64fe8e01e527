//! What is asked of an instance: where it comes from, its state, exec, console.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ConfigMap;

api! {
    /// Where the disk of a new instance comes from.
    pub struct InstanceSource {
        /// `image`, `copy`, `migration` or `none`.
        pub r#type: String,
        /// The image by an alias.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub alias: String,
        /// The image by its fingerprint, or the start of it.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub fingerprint: String,
        /// The newest image with these properties.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub properties: ConfigMap,
        /// Server of a remote image.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub server: String,
        /// Secret of a private remote image.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub secret: String,
        /// `lxd`, `simplestreams`, or `microcloud-build` for an image that this server builds.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub protocol: String,
        /// `pull` or `push`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub mode: String,
        /// Certificate of the remote server, PEM.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub certificate: String,
        /// Image to start a migration from.
        #[serde(rename = "base-image", skip_serializing_if = "String::is_empty")]
        pub base_image: String,
        /// Operation of the other side of a migration.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub operation: String,
        /// Secrets of the websockets of a migration.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub secrets: ConfigMap,
        /// Instance or snapshot to copy: `web` or `web/snap0`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub source: String,
        /// Project of what is copied.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub project: String,
        /// Whether to move it while it runs.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub live: bool,
        /// Whether to leave the snapshots out.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub instance_only: bool,
        /// The same by its older name.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub container_only: bool,
        /// Whether to bring an instance that exists up to date.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub refresh: bool,
        /// Whether to go on when a file changes under the copy.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub allow_inconsistent: bool,
    }

    /// A program to run inside.
    pub struct InstanceExecPost {
        /// Program and its arguments.
        pub command: Vec<String>,
        /// Whether to hold the start until every websocket is connected.
        #[serde(rename = "wait-for-websocket")]
        pub wait_for_websocket: bool,
        /// Whether it gets a terminal (one websocket) or three pipes.
        pub interactive: bool,
        /// Variables on top of those the server sets.
        pub environment: ConfigMap,
        /// Columns of the terminal.
        pub width: u16,
        /// Rows of the terminal.
        pub height: u16,
        /// Whether to keep the output as log files; only without a terminal and websockets.
        #[serde(rename = "record-output")]
        pub record_output: bool,
        /// User id inside.
        pub user: u32,
        /// Group id inside.
        pub group: u32,
        /// Folder to start in; empty is the user's home.
        pub cwd: String,
    }

    /// What the operation of an exec knows. `return_code` is there when the program has ended.
    pub struct ExecMetadata {
        /// Secrets of the websockets: `0`, `1`, `2` (only `0` with a terminal) and `control`.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub fds: ConfigMap,
        /// Program and its arguments.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub command: Vec<String>,
        /// Variables.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub environment: ConfigMap,
        /// Whether it has a terminal.
        pub interactive: bool,
        /// Exit status; 128 + n when signal n ended it.
        #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
        pub return_code: Option<i32>,
        /// Addresses of recorded output: `1` and `2`.
        #[serde(skip_serializing_if = "ConfigMap::is_empty")]
        pub output: ConfigMap,
    }

    /// A console to attach to.
    pub struct InstanceConsolePost {
        /// Columns.
        pub width: u16,
        /// Rows.
        pub height: u16,
        /// Text or graphics.
        pub r#type: ConsoleKind,
        /// Whether to throw out who is attached already.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub force: bool,
    }

    /// A change of state of every instance of a project.
    pub struct InstancesPut {
        /// The change.
        pub state: Option<InstanceStatePut>,
    }

    /// Size of a terminal, as strings on the control websocket.
    pub struct WindowSize {
        /// Columns, decimal.
        pub width: String,
        /// Rows, decimal.
        pub height: String,
    }

    /// A message on the control websocket of an exec or a console.
    pub struct ExecControl {
        /// `window-resize` or `signal`.
        pub command: String,
        /// The new size.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub args: Option<WindowSize>,
        /// Number of the signal.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub signal: Option<i32>,
    }
}

impl ExecControl {
    /// The terminal has a new size.
    pub fn resize(width: u16, height: u16) -> Self {
        let size = WindowSize { width: width.to_string(), height: height.to_string() };
        Self { command: "window-resize".into(), args: Some(size), signal: None }
    }

    /// Send a signal to the program.
    pub fn signal(number: i32) -> Self {
        Self { command: "signal".into(), args: None, signal: Some(number) }
    }
}

/// Text or graphics. An empty string is read as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleKind {
    /// A serial line.
    #[default]
    #[serde(alias = "")]
    Console,
    /// A screen, in SPICE; virtual machines only.
    Vga,
    /// The same in VNC, which LXD does not have.
    Vnc,
}

/// What to do with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateAction {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop it and start it again.
    Restart,
    /// Let its processes pause.
    Freeze,
    /// Let them go on.
    Unfreeze,
}

/// A change of an instance's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStatePut {
    /// What to do.
    pub action: StateAction,
    /// Seconds to wait for a clean stop; 0 or less is as long as it takes.
    #[serde(default, deserialize_with = "crate::lenient::field")]
    pub timeout: i64,
    /// Whether to stop it the hard way.
    #[serde(default, deserialize_with = "crate::lenient::field")]
    pub force: bool,
    /// Whether to save the run-time state, or to start from it.
    #[serde(default, deserialize_with = "crate::lenient::field")]
    pub stateful: bool,
}
