//! The words of the command line.

use clap::{Parser, Subcommand};

use crate::{commands, context::Context, error::Result};

/// Containers and virtual machines on your own machines.
#[derive(Debug, Parser)]
#[command(name = "microcloud", version, about, max_term_width = 100)]
#[command(after_help = "\"microcloud daemon\" runs the server. \
    MICROCLOUD_DIR names its folder, MICROCLOUD_PROJECT the project.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Global {
    /// Project to work in
    #[arg(long, global = true)]
    pub(crate) project: Option<String>,
    /// Print results only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

macro_rules! command {
    ($( $(#[$meta:meta])* $name:ident($type:ty), )*) => {
        /// The commands.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command { $( $(#[$meta])* $name($type), )* }

        impl Command {
            /// Runs the command; the number is the exit status.
            pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
                match self { $( Self::$name(command) => command.run(cx).await, )* }
            }
        }
    };
}

command! {
    /// Make an instance and start it
    Launch(commands::create::Launch),
    /// Make an instance
    Create(commands::create::Create),
    /// List instances
    #[command(visible_alias = "ls")]
    List(commands::list::List),
    /// Start instances
    Start(commands::state::Start),
    /// Stop instances
    Stop(commands::state::Stop),
    /// Restart instances
    Restart(commands::state::Restart),
    /// Freeze instances
    Pause(commands::state::Pause),
    /// Let frozen instances go on
    Resume(commands::state::Resume),
    /// Run a program inside an instance
    Exec(commands::exec::Exec),
    /// Open a shell inside an instance
    Shell(commands::exec::Shell),
    /// Put files into instances, get them out
    File(commands::file::File),
    /// Attach to the console of an instance
    Console(commands::console::Console),
    /// Copy an instance
    #[command(visible_alias = "cp")]
    Copy(commands::copy::Copy),
    /// Move an instance to another name, storage pool or project
    #[command(visible_alias = "mv")]
    Move(commands::relocate::Move),
    /// Make several machines one cloud
    Cluster(commands::cluster::Cluster),
    /// Make this server a member of a cluster
    Join(commands::cluster::Join),
    /// Take a snapshot of an instance
    Snapshot(commands::snapshot::Snapshot),
    /// Put an instance back to a snapshot
    Restore(commands::snapshot::Restore),
    /// Give an instance a new root
    Rebuild(commands::rebuild::Rebuild),
    /// Write an instance into a file
    Export(commands::backup::Export),
    /// Make an instance of such a file
    Import(commands::backup::Import),
    /// Make an image of an instance or a snapshot
    Publish(commands::publish::Publish),
    /// Delete instances and snapshots
    #[command(visible_alias = "rm")]
    Delete(commands::delete::Delete),
    /// Rename an instance or a snapshot
    Rename(commands::rename::Rename),
    /// Show what an instance uses, or what the server is
    Info(commands::info::Info),
    /// Wait until an instance has an address, or a status
    Wait(commands::wait::Wait),
    /// Show what instances use, the busiest first
    Top(commands::top::Top),
    /// Options and devices of instances and the server
    Config(commands::config::Config),
    /// Profiles: options and devices that instances share
    Profile(commands::profile::Profile),
    /// Images and their aliases
    Image(commands::image::Image),
    /// Networks
    Network(commands::network::Network),
    /// Storage pools and volumes
    Storage(commands::storage::Storage),
    /// Projects
    Project(commands::project::Project),
    /// Servers by name: NAME:web is the instance web there
    Remote(commands::remote::Remote),
    /// What the server is doing
    Operation(commands::operation::Operation),
    /// What the server could not do as asked
    Warning(commands::warning::Warning),
    /// Follow what happens
    Monitor(commands::monitor::Monitor),
    /// Send a request as it is
    Query(commands::query::Query),
    /// Show the server at a glance
    Status(commands::status::Status),
    /// Look for what this machine lacks, and what helps
    Doctor(commands::doctor::Doctor),
    /// Set up a new server: a storage pool, a network, the default profile
    Init(commands::init::Init),
    /// Take in what storage pools hold, after the database was lost
    Recover(commands::recover::Recover),
    /// Copies and backups of the server's own database
    Database(commands::database::Database),
    /// Stop all instances, then the server
    Shutdown(commands::shutdown::Shutdown),
    /// Show the versions of client and server
    Version(commands::version::Version),
    /// Words that stand for others
    Alias(commands::alias::Alias),
    /// Print what a shell needs to complete commands and names: source <(microcloud completion bash)
    Completion(commands::completion::Completion),
    /// Write manual pages
    Manual(commands::completion::Manual),
}
