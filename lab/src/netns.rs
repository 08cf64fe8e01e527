//! Network namespaces of a test: one for a daemon, another for "the internet".

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::client::{Background, Run};

/// A network namespace that exists as long as this does.
pub struct Netns {
    holder: Child,
    file: File,
}

impl Netns {
    /// A new one, with nothing in it but the loopback device, which is up.
    #[track_caller]
    pub fn new() -> Netns {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && read -r _"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap_or_else(|e| panic!("cannot start unshare: {e}"));
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().map(BufReader::new);
        let read = stdout.map(|mut stdout| stdout.read_line(&mut line));
        assert_eq!(line.trim(), "ready", "no network namespace: {read:?}");
        let path = format!("/proc/{}/ns/net", holder.id());
        let file = File::open(&path).unwrap_or_else(|e| panic!("cannot open {path}: {e}"));
        Netns { holder, file }
    }

    /// A path that programs can enter it by.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.holder.id()).into()
    }

    /// The process that keeps it.
    pub fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// A command that runs in it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let mut word = std::ffi::OsString::from("--net=");
        word.push(self.path());
        command.arg(word).arg("--").arg(program);
        command
    }

    /// Runs a program in it to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Run {
        let mut command = self.command(words[0]);
        command.args(&words[1..]);
        Background::start(command, Vec::new()).wait()
    }

    /// Does something in it, on a thread of its own: what is opened there stays in it.
    #[track_caller]
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.path(), work)
    }

    /// The names of its links.
    #[track_caller]
    pub fn links(&self) -> Vec<String> {
        let json: serde_json::Value =
            serde_json::from_str(&self.run(&["ip", "-j", "link"]).text()).unwrap_or_default();
        let links = json.as_array().into_iter().flatten();
        links.filter_map(|link| Some(link["ifname"].as_str()?.to_owned())).collect()
    }

    /// A link between the two: `inner` here and `outer` there, with these addresses.
    #[track_caller]
    pub fn join(&self, outside: &Netns, inner: &str, outer: &str) {
        let there = outside.holder().to_string();
        let pair = ["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink"];
        self.run(&[&pair[..], &["netns", &there]].concat()).ok();
        for (netns, address) in [(self, inner), (outside, outer)] {
            netns.run(&["ip", "addr", "add", address, "dev", "uplink"]).ok();
            netns.run(&["ip", "link", "set", "uplink", "up"]).ok();
        }
    }
}

impl Default for Netns {
    fn default() -> Netns {
        Netns::new()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // Its end of input ends it.
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

/// Does something in the network namespace at a path, such as that of an instance.
#[track_caller]
pub fn inside<T: Send>(path: &std::path::Path, work: impl FnOnce() -> T + Send) -> T {
    use std::os::fd::AsFd;
    let file = File::open(path).unwrap_or_else(|e| panic!("cannot open {path:?}: {e}"));
    thread::scope(|scope| {
        let working = scope.spawn(move || {
            let joined = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
            joined.unwrap_or_else(|e| panic!("cannot join a network namespace: {e}"));
            work()
        });
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A server in a namespace that tells every HTTP client the address it comes from. It lives as
/// long as the test's process.
#[track_caller]
pub fn whoami(netns: &Netns, address: &str) {
    let file = netns.file.try_clone().unwrap_or_else(|e| panic!("cannot copy a file: {e}"));
    let address: SocketAddr = address.parse().unwrap_or_else(|e| panic!("{address}: {e}"));
    let (ready, started) = std::sync::mpsc::channel();
    thread::spawn(move || {
        use std::os::fd::AsFd;
        let kind = Some(LinkNameSpaceType::Network);
        let listener = move_into_link_name_space(file.as_fd(), kind)
            .map_err(std::io::Error::from)
            .and_then(|()| TcpListener::bind(address));
        let words = listener.as_ref().map(drop).map_err(ToString::to_string);
        drop(ready.send(words));
        let Ok(listener) = listener else { return };
        while let Ok((mut stream, peer)) = listener.accept() {
            read_head(&stream);
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n";
            drop(stream.write_all(format!("{head}you are {}\n", peer.ip()).as_bytes()));
        }
    });
    let words = started.recv().unwrap_or_else(|e| Err(e.to_string()));
    assert_eq!(words, Ok(()), "cannot serve at {address}");
}

/// Reads a request up to its empty line; closing before that would reset the connection.
fn read_head(stream: &std::net::TcpStream) {
    drop(stream.set_read_timeout(Some(std::time::Duration::from_secs(2))));
    let lines = BufReader::new(stream).lines();
    let _ = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
}
