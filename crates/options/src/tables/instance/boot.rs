//! Starting and stopping with the machine.

use crate::Options;

/// Starting and stopping with the machine (`boot.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "boot")]
pub struct Boot {
    /// Whether the instance starts with the server.
    ///
    /// When it is not set, the instance comes back in the state in which the server left it.
    #[option(key = "boot.autostart", default_text = "the last state")]
    pub autostart: Option<bool>,
    /// Seconds to wait after this instance before the next one starts.
    #[option(key = "boot.autostart.delay", default = "0")]
    pub autostart_delay: u32,
    /// Place in the order of starting.
    ///
    /// The highest number starts first.
    #[option(key = "boot.autostart.priority", default = "0")]
    pub autostart_priority: i32,
    /// Seconds for a clean shutdown when the machine stops.
    ///
    /// After that the instance is stopped by force.
    #[option(
        key = "boot.host_shutdown_timeout",
        default = "30",
        since = "container_host_shutdown_timeout"
    )]
    pub host_shutdown_timeout: u32,
    /// Place in the order of stopping.
    ///
    /// The highest number stops first.
    #[option(key = "boot.stop.priority", default = "0", since = "container_stop_priority")]
    pub stop_priority: i32,
}
