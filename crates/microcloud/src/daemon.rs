//! The role `daemon`: wires the world in one place, brings it up, serves it, ends in order.
//!
//! ```text
//! folder, store ─> World ─> boot (tasks settled, networks, instances found) ─> socket, "ready"
//!        └─ a signal: see `ending`; then what is under way is answered, and the daemon ends
//! ```

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use cloud::{
    Dirs, Host, Parts, World,
    cluster::{self, Links},
    images, instances, reconcile,
    server::{self, Doors},
    storage,
};
use network::Plane;
use store::Store;
use tasks::Reconcilers;
use tokio::task::AbortHandle;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    ending::{Ending, Signals},
    schema, systemd,
};

/// How long tasks under way may take when the daemon alone ends, before they are cancelled.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long cancelled tasks may take; what is left then is settled at the next start.
const CANCELLED: Duration = Duration::from_secs(10);
/// How long threads that work on them may take after that.
const THREADS: Duration = Duration::from_secs(1);
/// Threads for requests: enough to use a Pi, few enough to be small.
const MOST_THREADS: usize = 4;
/// An idle thread that was made for blocking work goes away after this.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// A running instance takes some ten: its monitor, its counters, its network. As in the unit of systemd.
const DESCRIPTORS: u64 = 1 << 20;

/// What is logged when nobody says. What s3s has to say goes to its client.
const LOG: &str = "info,openraft=error,openraft::replication=off,s3s=off";

const USAGE: &str = "\
Usage: microcloud daemon [--group NAME]
       microcloud daemon --restore FILE

Runs the server. Members of the group NAME may use its socket too; that is as good as being root.
Its state is in $MICROCLOUD_DIR, else /var/lib/microcloud. What it logs says $MICROCLOUD_LOG: a
level, and target=level for parts, with commas between.

With --restore it makes all ready to begin with a backup (microcloud database backup) when it is
started next, and ends.

SIGTERM and SIGINT end the daemon; instances live on, unless the machine shuts down. SIGPWR stops
the instances first, as `microcloud shutdown` does.
";

/// What the command line says.
struct Arguments {
    folder: PathBuf,
    group: Option<String>,
    /// A backup to begin with, next time.
    restore: Option<PathBuf>,
}

/// Runs the daemon until it is told to end.
pub(crate) fn main(words: &[std::ffi::OsString]) -> ExitCode {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        let shown = std::io::stdout().write_all(USAGE.as_bytes());
        return if shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let done = arguments(words).and_then(|arguments| {
        sys::keep_heap_small();
        sys::raise_descriptor_limit(DESCRIPTORS);
        log()?;
        #[cfg(feature = "testing")]
        crate::jumps::follow();
        let runtime = runtime()?;
        let done = runtime.block_on(run(arguments));
        // Dropped, it would wait for ever for a thread that hangs.
        runtime.shutdown_timeout(THREADS);
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(words: &[std::ffi::OsString]) -> Result<Arguments> {
    let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
    let (mut group, mut restore) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--group" => group = Some(words.next().context("--group needs the name of a group")?),
            "--restore" => {
                let file = words.next().context("--restore needs the file of a backup")?;
                restore = Some(PathBuf::from(file));
            }
            other => bail!("unknown argument \"{other}\"; see: microcloud daemon --help"),
        }
    }
    let folder = std::env::var_os("MICROCLOUD_DIR").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| "/var/lib/microcloud".into(), Into::into);
    Ok(Arguments { folder, group, restore })
}

/// Writes to the standard error what `$MICROCLOUD_LOG` asks for.
fn log() -> Result<()> {
    let wish = std::env::var("MICROCLOUD_LOG").unwrap_or_else(|_| String::from(LOG));
    let levels: Targets = wish.parse().with_context(|| format!("MICROCLOUD_LOG is \"{wish}\""))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(rustix::termios::isatty(std::io::stderr()));
    tracing_subscriber::registry().with(lines).with(levels).init();
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cpus.min(MOST_THREADS))
        .thread_keep_alive(KEEP_ALIVE)
        .enable_all()
        .build()
        .context("start the runtime")
}

async fn run(arguments: Arguments) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the daemon must run as root: sudo microcloud daemon");
    }
    let group = arguments.group.as_deref().map(group_id).transpose()?;
    let dirs = Dirs::new(&arguments.folder);
    if let Some(file) = arguments.restore {
        server::database::stage(&dirs, &file, schema::known()?).context("restore the server")?;
        let said = "Ready. The server begins with it when it is started (again).";
        return Ok(writeln!(std::io::stdout(), "{said}")?);
    }
    server::database::finish(&dirs).context("restore the server")?;
    cluster::finish_leave(&dirs).context("leave the cluster")?;
    cluster::finish_join(&dirs).context("join the cluster")?;
    server::database::mend(&dirs).context("look whether the database can be read")?;
    cluster::go_on_alone(&dirs).context("go on without the members that were lost")?;
    dirs.make().with_context(|| format!("make the state folder {}", arguments.folder.display()))?;
    let links = Arc::new(Links::default());
    let transport = links.clone();
    let options = store::Options { transport, ..store::Options::new(schema::known()?) };
    let store = Store::open(&dirs.database(), options)
        .await
        .with_context(|| format!("open the database in {}", dirs.database().display()))?;
    let host = Host::look().context("look at the machine")?;
    let (world, started) = World::new(Parts {
        plane: Plane::new(cloud::names::daemon_tag(dirs.root())).context("open netlink")?,
        links,
        binary: PathBuf::from("/proc/self/exe"),
        host,
        dirs,
        store,
    });
    let world = Arc::new(world);
    world.set_desk(api::desk(world.clone()));
    world.set_doors(Doors {
        https: api::door(world.clone()),
        cluster: api::door(world.clone()),
        metrics: api::metrics_door(world.clone()),
        buckets: s3::door(world.clone()),
        instead: server::doors::Instead::default(),
    });
    if world.store.check_known().is_ok() && world.store.level() >= world.store.works_from() {
        cluster::give_up_lost(&world).await.context("give up the members that were lost")?;
        cluster::keep_certificate(&world).context("keep the certificate of the cluster")?;
    }
    cluster::refresh(&world).context("read who the members are")?;
    // Before the rest: the others may need this member's vote, and it theirs.
    let opening = tokio::spawn(server::doors::open(world.clone()));
    let standing = tokio::spawn(cluster::watch_standing(world.clone()));
    let whereabouts = tokio::spawn(cluster::watch_whereabouts(world.clone()));
    cluster::await_leader(&world).await;
    if world.cluster.is_removed() || !cluster::fits(&world).await {
        return stand_aside(&world, group).await;
    }
    let versions = tokio::spawn(cluster::watch_versions(world.clone()));
    let followed = tokio::spawn(instances::exit::follow(world.clone(), started));
    let leasing = tokio::spawn(cluster::keep_lease(world.clone()));
    let due = reconcile::boot(&world).await.context("bring up what is there")?;
    let mut reconcilers = Reconcilers::new(world.clone());
    reconcilers.start(reconcile::Networks);
    reconcilers.start(reconcile::Snapshots::default());
    reconcilers.start(reconcile::Pools);
    reconcilers.start(reconcile::Powers);
    reconcilers.start(reconcile::Records::default());
    if let Some(stuck) = world.stuck() {
        reconcilers.start(stuck);
    }
    reconcilers.start(reconcile::Backups);
    reconcilers.start(reconcile::Warnings::default());
    reconcilers.start(cluster::Votes);
    reconcilers.start(cluster::Healing::default());
    reconcilers.start(cluster::Certificate);
    reconcilers.start(reconcile::Gone::default());
    reconcilers.start(instances::PluggedIn::default());
    reconcilers.start(instances::Nodes::default());
    reconcilers.start(instances::Proxies::default());
    reconcilers.start(storage::Everywhere::default());
    reconcilers.start(images::Replicas);
    reconcilers.start(images::Follow::default());
    let reconcilers = Arc::new(reconcilers);
    let waking = tokio::spawn(wake(world.clone(), reconcilers.clone()));
    let listener = api::bind(&world.dirs.socket(), group)
        .with_context(|| format!("listen on {}", world.dirs.socket().display()))?;
    world.open();
    systemd::tell("READY=1");
    tracing::info!(version = server::VERSION, folder = %world.dirs.root().display(), "ready");
    let starting = tokio::spawn(start(world.clone(), due));
    let ending = serve(&world, listener, &starting.abort_handle()).await?;
    waking.abort();
    // The other holder of the reconcilers, which go now.
    let _ = waking.await;
    drop(reconcilers);
    followed.abort();
    opening.abort();
    standing.abort();
    whereabouts.abort();
    versions.abort();
    leasing.abort();
    end(&world, ending).await
}

/// What is done once clients are answered.
async fn start(world: Arc<World>, due: reconcile::Autostart) {
    cluster::arrive(&world).await;
    #[cfg(feature = "testing")]
    if let Err(error) = crate::fill::fill(&world.store).await {
        tracing::error!("{error:#}");
    }
    due.run(&world).await;
}

/// Answers why it does nothing else: the server was removed from its cluster while it was off, or is of another
/// version than the database is for.
async fn stand_aside(world: &Arc<World>, group: Option<u32>) -> Result<()> {
    let listener = api::bind(&world.dirs.socket(), group)
        .with_context(|| format!("listen on {}", world.dirs.socket().display()))?;
    world.open();
    systemd::tell("READY=1");
    let versions = tokio::spawn(cluster::watch_versions(world.clone()));
    let nothing = tokio::spawn(async {});
    let ending = serve(world, listener, &nothing.abort_handle()).await?;
    versions.abort();
    end(world, ending).await
}

/// Tells the reconcilers of every change of the state, of trouble that was noted, and of every task that got stuck.
async fn wake(world: Arc<World>, reconcilers: Arc<Reconcilers<World>>) {
    let mut changed = world.store.watch();
    let mut noted = world.warnings.watch();
    let mut powers = world.powers.watch();
    let Some(mut stuck) = world.watch_stuck() else { return };
    let mut uevents = instances::Uevents::listen();
    let mut seen = changed.borrow().revision();
    loop {
        tokio::select! {
            Ok(()) = changed.changed() => {
                reconcilers.wake(reconcile::STATE);
                let now = changed.borrow_and_update().clone();
                // Another member may have changed them.
                for (table, topic) in [
                    ("networks", reconcile::NETWORKS),
                    ("members", cluster::MEMBERS),
                    ("cluster_certificate", cluster::CERTIFICATE),
                ] {
                    if now.since(seen, table) {
                        reconcilers.wake(topic);
                    }
                }
                seen = now.revision();
            }
            () = uevents.next() => reconcilers.wake(instances::NODES),
            Ok(()) = noted.changed() => reconcilers.wake(reconcile::NOTED),
            Ok(()) = powers.changed() => reconcilers.wake(reconcile::POWERS),
            Ok(()) = stuck.changed() => reconcilers.wake(tasks::STUCK),
            else => return,
        }
    }
}

/// Serves until a signal, or until the database fails. While instances stop it goes on to answer.
async fn serve(
    world: &Arc<World>,
    listener: tokio::net::UnixListener,
    starting: &AbortHandle,
) -> Result<Ending> {
    let mut signals = Signals::listen()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(api::serve(listener, world.clone(), async {
        // Its sender gone means stop, too.
        let _ = stopped.await;
    }));
    let ended = async {
        let ending = signals.ending().await;
        systemd::tell("STOPPING=1");
        starting.abort();
        match ending {
            Ending::Daemon | Ending::Again => tracing::info!("ending; instances live on"),
            Ending::Instances => {
                tracing::info!("ending; instances are stopped first");
                systemd::patiently(reconcile::shutdown(world, signals.another())).await;
            }
        }
        ending
    };
    let ending = tokio::select! {
        ending = ended => ending,
        () = world.cluster.again() => {
            tracing::info!("beginning anew, as its place in a cluster has changed");
            Ending::Again
        }
        error = world.store.failed() => {
            return Err(error).context("the database has failed; nothing is changed any more");
        }
    };
    drop(stop);
    // Event streams stay open for ever: what is not answered soon is cut.
    let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
    Ok(ending)
}

async fn end(world: &World, ending: Ending) -> Result<()> {
    let patience = match ending {
        Ending::Daemon | Ending::Again => PATIENCE,
        // They had theirs before the instances stopped.
        Ending::Instances => Duration::ZERO,
    };
    let mut left = world.finish_tasks(patience).await;
    if left > 0 {
        world.cancel_operations();
        left = world.finish_tasks(CANCELLED).await;
    }
    if left > 0 {
        tracing::warn!(left, "tasks under way are settled at the next start");
    }
    let _ = std::fs::remove_file(world.dirs.socket());
    runtime::forget_groups(&world.tag);
    world.store.close().await.context("close the database")?;
    match ending {
        Ending::Again => Err(exec::again()).context("begin anew"),
        Ending::Daemon | Ending::Instances => Ok(()),
    }
}

fn group_id(name: &str) -> Result<u32> {
    let groups = std::fs::read_to_string("/etc/group").context("read /etc/group")?;
    let found = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    });
    found.with_context(|| format!("there is no group \"{name}\": sudo groupadd {name}"))
}
