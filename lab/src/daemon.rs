//! A daemon of a test's own, from its start to the proof that nothing of it is left.

use std::{
    env,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    client::{Background, Client, Run},
    http::{self, Reply},
    leaks,
    netns::Netns,
    skip, unable,
};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What may be written to disks by all there are, with groups of version 1; those of version 2 do not hold everybody.
const THROTTLE: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";

/// A file system in memory, and how many MiB it has.
#[derive(Clone, Copy)]
pub enum Disk {
    /// One without a disk beneath.
    Memory(u32),
    /// ext4, which can be made to stand still.
    Ext4(u32),
}

impl Disk {
    #[track_caller]
    fn mount(self, at: &Path) {
        let at = at.to_string_lossy();
        match self {
            Disk::Memory(size) => {
                let size = format!("size={size}m,mode=0711");
                crate::host(&["mount", "-t", "tmpfs", "-o", &size, "microcloud-lab", &at]).ok();
            }
            Disk::Ext4(size) => {
                let file = tempfile::NamedTempFile::new_in("/dev/shm");
                let file = file.unwrap_or_else(|e| panic!("cannot make a file: {e}"));
                let sized = file.as_file().set_len(u64::from(size) << 20);
                sized.unwrap_or_else(|e| panic!("cannot make a file of {size} MiB: {e}"));
                let path = file.path().to_string_lossy();
                crate::host(&["mkfs.ext4", "-q", "-m", "0", &path]).ok();
                // The kernel keeps the file as long as it is mounted.
                crate::host(&["mount", "-o", "loop", &path, &at]).ok();
            }
        }
    }
}

/// How the daemon is to run.
#[derive(Default)]
pub struct Options {
    /// In the machine's own network, for a build that must fetch packages. It makes no networks then.
    pub host_network: bool,
    /// State folder on a file system of its own.
    pub disk: Option<Disk>,
    /// State folder on this device, which is given a file system if it has none. What is on it stays until it is deleted
    /// through the API, and its place is always the same.
    pub device: Option<PathBuf>,
    /// In this network namespace instead of one of its own.
    pub netns: Option<Arc<Netns>>,
    /// This program instead of the one under test.
    pub binary: Option<PathBuf>,
    /// On a machine that has mapped nothing of Ceph yet: see [`crate::ceph`].
    pub machine: Option<PathBuf>,
}

/// A daemon with its state folder and its network namespace.
pub struct Daemon {
    place: TempDir,
    netns: Option<Arc<Netns>>,
    child: Option<Child>,
    disk: bool,
    binary: PathBuf,
    machine: Option<PathBuf>,
    /// Nobody asks what is left of it.
    abandoned: bool,
}

impl Daemon {
    /// One that runs; `None` when that is impossible here, and it said why.
    #[track_caller]
    pub fn start() -> Option<Daemon> {
        Daemon::with(&Options::default())
    }

    /// One that is set up (`init --auto`) and has the image `busybox`.
    #[track_caller]
    pub fn ready() -> Option<Daemon> {
        let daemon = Daemon::start()?;
        daemon.cli(["init", "--auto"]).ok();
        daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
        Some(daemon)
    }

    /// One that has a pool and the image, and no network: some kernels of rigs have no NAT.
    #[track_caller]
    pub fn without_network() -> Option<Daemon> {
        let daemon = Daemon::start()?;
        daemon.lxc(["storage", "create", "default", "dir"]).ok();
        let root =
            ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
        daemon.lxc(root).ok();
        daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
        Some(daemon)
    }

    /// One that runs as `options` say.
    #[track_caller]
    pub fn with(options: &Options) -> Option<Daemon> {
        if let Some(why) = unable() {
            skip(&why);
            return None;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix("microcloud-lab-").rand_bytes(if options.device.is_some() { 0 } else { 6 });
        let place = builder.tempdir_in("/tmp");
        let place = place.unwrap_or_else(|e| panic!("cannot make a folder: {e}"));
        let netns = options.netns.clone().unwrap_or_else(|| Arc::new(Netns::new()));
        let netns = (!options.host_network).then_some(netns);
        let disk = options.disk.is_some() || options.device.is_some();
        let binary = options.binary.clone().unwrap_or_else(binary);
        let machine = options.machine.clone();
        let abandoned = false;
        let daemon = Daemon { place, netns, child: None, disk, binary, machine, abandoned };
        for folder in [daemon.folder(), daemon.home()] {
            fs::create_dir(&folder).unwrap_or_else(|e| panic!("cannot make {folder:?}: {e}"));
        }
        quiet_lxc(&daemon.home());
        let mut daemon = daemon;
        if let Some(disk) = options.disk {
            disk.mount(&daemon.folder());
        }
        if let Some(device) = &options.device {
            let (device, at) = (device.to_string_lossy(), daemon.folder());
            if crate::host(&["blkid", &device]).status != 0 {
                crate::host(&["mkfs.ext4", "-q", &device]).ok();
            }
            crate::host(&["mount", &device, &at.to_string_lossy()]).ok();
        }
        daemon.launch();
        Some(daemon)
    }

    /// The state folder.
    pub fn folder(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// A folder for the clients' settings.
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// A folder for the test's own files.
    pub fn scratch(&self) -> PathBuf {
        let path = self.place.path().join("scratch");
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {path:?}: {e}"));
        path
    }

    fn clock(&self) -> PathBuf {
        self.place.path().join("clock")
    }

    /// Has its clock be so many seconds ahead of the machine's, or behind it. The file is replaced as a whole, as the daemon
    /// reads it all the while.
    #[track_caller]
    pub fn set_clock(&self, ahead: i64) {
        let new = self.place.path().join("clock.new");
        let set = fs::write(&new, ahead.to_string()).and_then(|()| fs::rename(&new, self.clock()));
        set.unwrap_or_else(|e| panic!("cannot set the clock: {e}"));
    }

    /// What the daemon logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("daemon.log")).unwrap_or_default()
    }

    /// Its network namespace.
    #[track_caller]
    pub fn netns(&self) -> &Netns {
        self.netns.as_deref().unwrap_or_else(|| panic!("this daemon is in the machine's network"))
    }

    /// To put another daemon beside this one.
    #[track_caller]
    pub fn beside(&self) -> Options {
        let netns = self.netns.clone();
        Options { netns, ..Options::default() }
    }

    /// Its network namespace while nobody else is in it.
    pub(crate) fn own_netns(&self) -> Option<&Netns> {
        self.netns.as_ref().filter(|netns| Arc::strong_count(netns) == 1).map(AsRef::as_ref)
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the state folder is a file system of its own.
    pub(crate) fn has_disk(&self) -> bool {
        self.disk
    }

    /// Starts it when it does not run, and waits until it answers.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(self.try_launch(&[]), "the daemon ended at its start:\n{}", self.tail());
    }

    /// The same with variables in its environment; false when it ended before it answered.
    #[track_caller]
    pub fn try_launch(&mut self, env: &[(&str, String)]) -> bool {
        self.launch_until(env, Daemon::answers)
    }

    /// The same of one that may stand aside, and then refuses all with the reason.
    #[track_caller]
    pub fn launch_aside(&mut self, env: &[(&str, String)]) {
        let launched = self.launch_until(env, |daemon| daemon.answers() || daemon.refuses());
        assert!(launched, "the daemon ended at its start:\n{}", self.tail());
    }

    /// Starts it, and kills it after a time, wherever in its start it is by then.
    #[track_caller]
    pub fn kill9_at_start(&mut self, after: Duration) {
        let begun = Instant::now();
        let alive = self.launch_until(&[], |_| begun.elapsed() >= after);
        assert!(alive, "the daemon ended at its start:\n{}", self.tail());
        self.kill9();
    }

    #[track_caller]
    fn launch_until(&mut self, env: &[(&str, String)], there: impl Fn(&Daemon) -> bool) -> bool {
        self.child = Some(self.spawn(env));
        let end = Instant::now() + PATIENCE;
        while !there(self) {
            if self.ended().is_some() {
                return false;
            }
            assert!(Instant::now() < end, "the daemon does not answer:\n{}", self.tail());
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// From its next start on it is this program.
    pub fn upgrade(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    #[track_caller]
    fn spawn(&self, env: &[(&str, String)]) -> Child {
        let path = self.place.path().join("daemon.log");
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.unwrap_or_else(|e| panic!("cannot open {path:?}: {e}"));
        let errors = log.try_clone().unwrap_or_else(|e| panic!("cannot copy a file: {e}"));
        let mut command = self.daemon_command();
        command.envs(env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        command.spawn().unwrap_or_else(|e| panic!("cannot start the daemon: {e}"))
    }

    /// What starts a daemon on this folder.
    pub fn daemon_command(&self) -> Command {
        let program = self.machine.as_ref().unwrap_or(&self.binary);
        let mut command = match &self.netns {
            Some(netns) => netns.command(program),
            None => Command::new(program),
        };
        if self.machine.is_some() {
            command.arg("machine").arg(&self.binary);
        }
        command.arg("daemon").env("MICROCLOUD_DIR", self.folder());
        command.env("MICROCLOUD_CLOCK", self.clock());
        command
    }

    fn answers(&self) -> bool {
        self.try_request("GET", "/1.0", &[], b"").is_ok_and(|reply| reply.status == 200)
    }

    fn refuses(&self) -> bool {
        let asked = self.try_request("GET", "/1.0", &[], b"");
        asked.is_ok_and(|reply| reply.status == 503 && !reply.error().contains("is starting"))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        Some(status)
    }

    fn send(&self, signal: Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended.
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills it while others hold on to it; [`Daemon::kill9`] or [`Daemon::ended`] is to follow.
    pub fn kill9_now(&self) {
        self.send(Signal::KILL);
    }

    /// Kills it as a crash would.
    pub fn kill9(&mut self) {
        self.send(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            drop(child.wait());
        }
    }

    /// Ends it and all that it runs, as a power cut would; its next start is after another boot of the machine. What
    /// was written stays, durable or not.
    pub fn cut_power(&mut self) {
        leaks::kill_all(self);
        // It may not have come that far.
        let _ = fs::remove_file(self.folder().join("boot_id"));
    }

    /// Ends it with all that it has, which would take too long to be deleted by requests.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Holds its process still; [`Daemon::go_on`] ends that.
    pub fn hold(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.send(Signal::CONT);
    }

    /// Has its disk stand still: whoever writes waits. It must be [`Disk::Ext4`]; [`Daemon::thaw_disk`] ends that.
    #[track_caller]
    pub fn freeze_disk(&self) {
        crate::host(&["fsfreeze", "--freeze", &self.folder().to_string_lossy()]).ok();
    }

    /// Whether a disk can be made slow here.
    pub fn can_slow_disk() -> bool {
        Path::new(THROTTLE).exists()
    }

    /// Has its disk write so few blocks a second, or again as many as it can for 0: what must be durable waits. It must be
    /// [`Disk::Ext4`].
    #[track_caller]
    pub fn slow_disk(&self, writes: u32) {
        use std::os::unix::fs::MetadataExt as _;
        let disk =
            fs::metadata(self.folder()).unwrap_or_else(|e| panic!("cannot find it: {e}")).dev();
        let (major, minor) = (rustix::fs::major(disk), rustix::fs::minor(disk));
        let set = fs::write(THROTTLE, format!("{major}:{minor} {writes}"));
        set.unwrap_or_else(|e| panic!("cannot make a disk slow: {e}"));
    }

    /// Has its disk go on.
    #[track_caller]
    pub fn thaw_disk(&self) {
        crate::host(&["fsfreeze", "--unfreeze", &self.folder().to_string_lossy()]).ok();
    }

    /// Asks it to end and waits for that.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.try_stop();
        let status = status.unwrap_or_else(|why| panic!("{why}:\n{}", self.tail()));
        assert!(status.success(), "the daemon ended with {status}:\n{}", self.tail());
    }

    /// Tells it that the machine stops, as an init does, and waits for its end.
    #[track_caller]
    pub fn power_down(&mut self) {
        self.send(Signal::POWER);
        let status = self.await_end();
        let status = status.unwrap_or_else(|why| panic!("{why}:\n{}", self.tail()));
        assert!(status.success(), "the daemon ended with {status}:\n{}", self.tail());
    }

    pub(crate) fn try_stop(&mut self) -> Result<ExitStatus, String> {
        self.send(Signal::TERM);
        self.await_end()
    }

    fn await_end(&mut self) -> Result<ExitStatus, String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.child.is_none() {
                return Err(String::from("the daemon does not run"));
            }
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the daemon did not end within {PATIENCE:?}"))
    }

    /// Ends it and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// Runs our own client.
    #[track_caller]
    pub fn cli<const N: usize>(&self, words: [&str; N]) -> Run {
        self.run(Client::Cli, &words)
    }

    /// Runs the stock client.
    #[track_caller]
    pub fn lxc<const N: usize>(&self, words: [&str; N]) -> Run {
        self.run(Client::Lxc, &words)
    }

    /// Runs a client to its end.
    #[track_caller]
    pub fn run(&self, client: Client, words: &[&str]) -> Run {
        self.run_with(client, words, Vec::new())
    }

    /// The same with standard input.
    #[track_caller]
    pub fn run_with(&self, client: Client, words: &[&str], stdin: Vec<u8>) -> Run {
        self.begin(client, words, stdin).wait()
    }

    /// Starts a client; it goes on beside the test.
    #[track_caller]
    pub fn begin(&self, client: Client, words: &[&str], stdin: Vec<u8>) -> Background {
        let mut command = self.command(client);
        command.args(words);
        Background::start(command, stdin)
    }

    /// A client without its words.
    pub fn command(&self, client: Client) -> Command {
        let mut command = match client {
            Client::Cli => Command::new(&self.binary),
            Client::Lxc => Command::new("lxc"),
        };
        for name in ["LXD_CONF", "XDG_CONFIG_HOME", "MICROCLOUD_PROJECT", "EDITOR", "VISUAL"] {
            command.env_remove(name);
        }
        command.env("MICROCLOUD_DIR", self.folder()).env("LXD_DIR", self.folder());
        command.env("HOME", self.home()).current_dir(self.place.path());
        command
    }

    /// What the API has at a path; fails unless it is there.
    #[track_caller]
    pub fn get(&self, path: &str) -> serde_json::Value {
        self.request("GET", path, "").ok()
    }

    /// Sends a request as it is.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: &str) -> Reply {
        let sent = self.try_request(method, path, &[], body.as_bytes());
        sent.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// The same with headers and any body.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Reply> {
        http::send(&self.folder().join("unix.socket"), method, path, headers, body)
    }

    /// The end of the log.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the daemon's log ends with:\n{}", self.tail());
            leaks::force(self);
            return;
        }
        if self.abandoned {
            leaks::force(self);
            return;
        }
        let leaks = leaks::find(self);
        let tail = self.tail();
        leaks::force(self);
        assert!(leaks.is_empty(), "left behind:\n  {}\nlog:\n{tail}", leaks.join("\n  "));
    }
}

/// The stock client greets whoever has no settings yet.
#[track_caller]
fn quiet_lxc(home: &Path) {
    let folder = home.join(".config/lxc");
    let made = fs::create_dir_all(&folder);
    let made = made.and_then(|()| fs::write(folder.join("config.yml"), "default-remote: local\n"));
    made.unwrap_or_else(|e| panic!("cannot write to {folder:?}: {e}"));
}

/// The program under test.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("MICROCLOUD_BIN") {
        return path.into();
    }
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    let path = target.join("debug/microcloud");
    let build = "build it with `cargo build -p microcloud`, or name one in MICROCLOUD_BIN";
    assert!(path.is_file(), "there is no {path:?}: {build}");
    path
}
