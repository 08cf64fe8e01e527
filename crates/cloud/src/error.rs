//! Why a verb failed: one enum, which the doors map to statuses of their protocol.

use std::fmt;

use options::Problems;

/// What a verb returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{what} \"{name}\" not found")]
    NotFound {
        /// Its kind, as in `instance`.
        what: &'static str,
        /// What was looked for.
        name: String,
    },
    /// The name is taken.
    #[error("{what} \"{name}\" already exists")]
    Exists {
        /// Its kind.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A field of a request does not hold what it may.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// The field or thing.
        what: &'static str,
        /// Names the value and what is allowed.
        why: String,
    },
    /// Options of a configuration map are wrong; all of them are named.
    #[error(transparent)]
    Options(#[from] Problems),
    /// Something still uses it.
    #[error("{what} \"{name}\" is in use by {by}")]
    InUse {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
        /// Who uses it.
        by: String,
    },
    /// The client saw another state of it than there is now.
    #[error("{what} \"{name}\" has changed since it was read: read it again")]
    Changed {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The instance's state does not allow it.
    #[error("instance \"{name}\" is {is}: {hint}")]
    State {
        /// The instance.
        name: String,
        /// Such as `running`.
        is: &'static str,
        /// What would have to be done first.
        hint: &'static str,
    },
    /// The memory of a machine is there and of no use.
    #[error(
        "the memory that was kept of instance \"{name}\" cannot be read: start it without (--stateless)"
    )]
    Memory {
        /// The instance.
        name: String,
        /// Why.
        source: Box<Error>,
    },
    /// A device could not be given to a running instance, or taken from it.
    #[error("device \"{device}\" cannot be {verb}")]
    Device {
        /// The device.
        device: String,
        /// `added` or `removed`.
        verb: &'static str,
        /// Why.
        source: Box<Error>,
    },
    /// A module of the kernel that an instance needs.
    #[error("linux.kernel_modules: this server's kernel cannot load \"{module}\"")]
    Module {
        /// Its name.
        module: String,
        /// Why.
        source: exec::Error,
    },
    /// Nothing that is plugged in is what is wanted.
    #[error("no device with {wanted} is plugged into this server, and it is required")]
    NoDevice {
        /// What it was looked for by.
        wanted: String,
    },
    /// No graphics card is what is wanted.
    #[error(
        "no graphics card of this server fits \"{wanted}\"; there are: {}",
        if there.is_empty() { "none" } else { there.as_str() }
    )]
    NoCard {
        /// What it was looked for by.
        wanted: String,
        /// All there are.
        there: String,
    },
    /// A storage pool's source is not there.
    #[error("storage pool \"{pool}\" is unavailable")]
    Unavailable {
        /// The pool.
        pool: String,
        /// Why.
        source: Box<Error>,
    },
    /// The volume that images or backups are kept on is not there.
    #[error("{what} are kept on storage volume \"{volume}\" ({key}), which is not there: {why}")]
    NoDepot {
        /// `images` or `backups`.
        what: &'static str,
        /// The option that names the volume.
        key: &'static str,
        /// The volume, as the option names it.
        volume: String,
        /// Why it is not there.
        why: String,
    },
    /// A protection was set on it.
    #[error("{what} \"{name}\" is protected by {key}")]
    Protected {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
        /// The key that protects it.
        key: &'static str,
    },
    /// A thing that can neither be changed nor deleted.
    #[error("{what} \"{name}\" cannot be {verb}")]
    Fixed {
        /// Its kind.
        what: &'static str,
        /// Its name.
        name: String,
        /// Such as `deleted`.
        verb: &'static str,
    },
    /// The rules of a project, for whoever asks.
    #[error("project \"{project}\" does not allow it: {why}")]
    NotAllowed {
        /// The project.
        project: String,
        /// The key that says so, and what is against it.
        why: String,
    },
    /// Only a member of a cluster can do that.
    #[error(
        "this server is in no cluster: microcloud cluster enable NAME, or microcloud join TOKEN"
    )]
    NoCluster,
    /// Nobody can join by words.
    #[error(
        "this member waits for no machines that join: have it wait with: microcloud cluster add"
    )]
    NotWaiting,
    /// A machine that wants to join was told other words.
    #[error("these are not the words that this member shows; {}", match left {
        0 => String::from("it waits no more: have it wait again, with other words"),
        left => format!("{left} more tries"),
    })]
    WrongWords {
        /// How many more tries there are.
        left: u32,
    },
    /// A member did not let this server in.
    #[error("the other server says: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// A machine says that it waits, and cannot be the one that is meant.
    #[error(
        "the machine there does not know the words: it is not the one that shows them, or something stands between"
    )]
    NotTheOne,
    /// The kernel gives no random bytes.
    #[error("no words can be found: the kernel gives no random bytes")]
    NoWords,
    /// Nothing can be told or heard by multicast.
    #[error("cannot speak to this machine's network by multicast")]
    Multicast(#[source] std::io::Error),
    /// The server was removed from its cluster while it could not be told.
    #[error(
        "this server was removed from its cluster while it could not be told: what runs here runs on, and nothing else is \
         done. To begin anew, alone and empty: microcloud cluster leave; what its storage pools hold stays, and \
         microcloud recover takes it in"
    )]
    Removed,
    /// This member is of another version than its cluster's database is for.
    #[error(transparent)]
    Unfit(#[from] crate::cluster::Unfit),
    /// Another member does nothing but vote, and says why.
    #[error("member \"{member}\" does nothing now: {said}")]
    Halted {
        /// Its name.
        member: String,
        /// What it says.
        said: String,
    },
    /// A member cannot become one again.
    #[error("this server is a member of a cluster already, \"{name}\"")]
    InCluster {
        /// Its name.
        name: String,
    },
    /// A server that joins would lose what it has.
    #[error(
        "only an empty server can join a cluster; this one has {first}, and {more} more things"
    )]
    NotEmpty {
        /// One thing.
        first: String,
        /// How many others.
        more: usize,
    },
    /// Another member has an instance by now.
    #[error("instance \"{name}\" is on member \"{member}\" by now: ask again")]
    Elsewhere {
        /// The instance.
        name: String,
        /// The member.
        member: String,
    },
    /// What others could run as well may not run here.
    #[error(
        "this member may not run what is in storage pools that members share: too few of the others can be reached, or \
         they have taken over"
    )]
    NoLease,
    /// A member could not be emptied, or not all came back.
    #[error("not all went: {said}")]
    Evacuation {
        /// The instances that did not, and why.
        said: String,
    },
    /// No member can take an instance.
    #[error("no member that is there takes new instances of architecture \"{architecture}\"")]
    NoPlace {
        /// The one that is wanted; any, if it is empty.
        architecture: String,
    },
    /// A pool could not be made on a member.
    #[error("storage pool \"{pool}\" could not be made on member \"{member}\": {said}")]
    NotOnMember {
        /// The pool.
        pool: String,
        /// The member.
        member: String,
        /// Why.
        said: String,
    },
    /// A member does not answer.
    #[error("member \"{member}\" does not answer")]
    Silent {
        /// Its name.
        member: String,
    },
    /// The caller may not.
    #[error("not authorized")]
    Forbidden,
    /// The server's own certificate.
    #[error("the server's certificate")]
    Identity(#[source] std::io::Error),
    /// The authority whose certificates clients have, or what it revoked.
    #[error("the authority of clients")]
    Authority(#[source] std::io::Error),
    /// This server does not do that yet.
    #[error("{0} is not supported by this server")]
    Unsupported(&'static str),
    /// The instance did not stop in time.
    #[error("instance \"{name}\" did not stop within {seconds} s: try --force")]
    Timeout {
        /// The instance.
        name: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Another operation holds it.
    #[error(transparent)]
    Busy(#[from] tasks::Busy),
    /// Somebody cancelled it.
    #[error(transparent)]
    Cancelled(#[from] exec::Cancelled),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A storage driver.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// An image's files.
    #[error(transparent)]
    Image(#[from] images::Error),
    /// The objects of a bucket.
    #[error(transparent)]
    Objects(#[from] objects::Error),
    /// A network driver.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// The container runtime.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// A virtual machine.
    #[error(transparent)]
    Machine(#[from] vm::Error),
    /// QEMU ended before the machine ran.
    #[error("QEMU could not run \"{name}\": {said}")]
    NoMachine {
        /// The instance.
        name: String,
        /// QEMU's last words.
        said: String,
    },
    /// A program that a machine needs beside QEMU did not run.
    #[error("{program} could not run: {said}")]
    Beside {
        /// Its name.
        program: &'static str,
        /// Its last words.
        said: String,
    },
    /// The tasks' journal.
    #[error(transparent)]
    Task(#[from] tasks::Error),
    /// A task failed that this verb waited for.
    #[error("{0}")]
    Failed(tasks::Failure),
    /// An instance's AppArmor profile.
    #[error(transparent)]
    AppArmor(#[from] runtime::apparmor::Error),
    /// Host ids for an isolated instance.
    #[error(transparent)]
    Ids(#[from] runtime::idmap::Error),
    /// A file of the state folder.
    #[error("cannot {verb} {path}")]
    File {
        /// Such as `write`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody can be let in there.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another server cannot be reached.
    #[error("cannot reach the other server")]
    Reach(#[from] client::Error),
    /// Another server gives up.
    #[error("the other server says: {said}")]
    OtherEnd {
        /// Its words.
        said: String,
    },
    /// Another server, or who carries between the two, is gone or does nothing.
    #[error("the connection with the other server broke off")]
    BrokenOff,
    /// The connection broke in the moment in which another server may have begun to run a machine.
    #[error(
        "instance \"{name}\" may run on the other server, and so stands still here: if it runs there, delete it here; \
         else start it here, and it goes on"
    )]
    Away {
        /// The instance.
        name: String,
    },
    /// Work on a thread of its own panicked; the panic is in the log.
    #[error("{0} broke off unexpectedly: see the daemon's log")]
    Broken(&'static str),
}

impl Error {
    /// There is no such thing.
    pub fn not_found(what: &'static str, name: &str) -> Error {
        Error::NotFound { what, name: name.to_owned() }
    }

    /// The name is taken.
    pub fn exists(what: &'static str, name: &str) -> Error {
        Error::Exists { what, name: name.to_owned() }
    }

    /// A field does not hold what it may.
    pub fn invalid(what: &'static str, why: impl fmt::Display) -> Error {
        Error::Invalid { what, why: why.to_string() }
    }

    /// For `map_err` on a failed task: what failed in it, where nothing else did.
    pub(crate) fn failed(failure: tasks::Failure) -> Error {
        Error::Failed(failure)
    }

    /// For `map_err` on a file operation.
    pub fn file(
        verb: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error::File { verb, path, source }
    }
}
