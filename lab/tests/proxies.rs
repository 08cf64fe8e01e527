//! Proxies: what goes through the wall of an instance, both ways.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::PathBuf,
    thread,
    time::Duration,
};

use lab::{Client, Daemon, Netns, inside, until};
use sha2::{Digest, Sha256};

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn add(daemon: &Daemon, device: &str, words: &[&str]) -> lab::Run {
    daemon.run(Client::Lxc, &[&["config", "device", "add", "x", device, "proxy"], words].concat())
}

/// The first process of `x` as the machine counts.
fn pid(daemon: &Daemon) -> String {
    daemon.get("/1.0/instances/x/state")["pid"].to_string()
}

fn netns(daemon: &Daemon) -> PathBuf {
    format!("/proc/{}/ns/net", pid(daemon)).into()
}

/// A path inside `x` as the machine reaches it.
fn path_in(daemon: &Daemon, path: &str) -> PathBuf {
    format!("/proc/{}/root{path}", pid(daemon)).into()
}

fn listen(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"))
}

fn dial(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap_or_else(|e| panic!("{e}"));
    stream
}

/// Reads each connection to its end, and then answers with what it read of the first line, and a checksum of all.
fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: impl Read + Write) {
    let (mut sum, mut len, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    let mut head = Vec::new();
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if head.len() < 100 {
            head.extend_from_slice(&buffer[..read]);
        }
        sum.update(&buffer[..read]);
        len += read;
    }
    let head = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    drop(write!(stream, "{len} {:x} {head}", sum.finalize()));
}

/// What is answered to some bytes, after the client has said that it has no more.
fn ask(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).unwrap_or_else(|e| panic!("{e}"));
    stream.shutdown(Shutdown::Write).unwrap_or_else(|e| panic!("{e}"));
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap_or_else(|e| panic!("{e}"));
    text
}

/// The same at a socket of the machine's own.
fn ask_at(mut stream: UnixStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap_or_else(|e| panic!("{e}"));
    stream.write_all(b"hello").unwrap_or_else(|e| panic!("{e}"));
    stream.shutdown(Shutdown::Write).unwrap_or_else(|e| panic!("{e}"));
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap_or_else(|e| panic!("{e}"));
    text
}

/// The process ids of a device's proxies; other tests have an `x` as well, so names of devices are of one test only.
fn processes(device: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let words = format!("microcloud\0proxy\0default_x\0{device}\0");
    let is =
        |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it == words.as_bytes());
    pids.filter(is).collect()
}

#[test]
fn streams_arrive_whole_and_outlive_the_daemon() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let servers =
        inside(&netns(&daemon), || ["127.0.0.1:8080", "127.0.0.1:8081", "[::1]:90"].map(listen));
    servers.into_iter().for_each(serve);
    add(&daemon, "whole", &["listen=tcp:127.0.0.1:7000-7001", "connect=tcp:127.0.0.1:8080-8081"])
        .ok();
    add(&daemon, "six", &["listen=tcp:[::1]:7006", "connect=tcp:[::1]:90", "proxy_protocol=true"])
        .ok();
    let host = daemon.netns();
    let said = host.inside(|| ask(dial("127.0.0.1:7001"), b"hello\n"));
    assert!(said.starts_with("6 ") && said.ends_with(" hello"), "{said}");
    // Who connected is told in a line before all else.
    let (said, from) = host.inside(|| {
        let stream = dial("[::1]:7006");
        let from = stream.local_addr().map(|it| it.port()).unwrap_or_default();
        (ask(stream, b"hello\n"), from)
    });
    assert!(said.ends_with(&format!(" PROXY TCP6 ::1 ::1 {from} 7006")), "{said}");

    // A hundred megabytes, through which the daemon is killed and comes back.
    let bytes = lab::noise(100 << 20);
    let expected = format!("{} {:x}", bytes.len(), Sha256::digest(&bytes));
    let mut stream = host.inside(|| dial("127.0.0.1:7000"));
    let half = bytes.len() / 2;
    stream.write_all(&bytes[..half]).unwrap_or_else(|e| panic!("{e}"));
    daemon.kill9();
    stream.write_all(&bytes[half..half + 4096]).unwrap_or_else(|e| panic!("{e}"));
    daemon.launch();
    let said = ask(stream, &bytes[half + 4096..]);
    assert!(said.starts_with(&expected), "{said}, not {expected}");

    // Who serves has no rights, and comes back when it is killed.
    let served = processes("whole");
    let [first] = served[..] else { panic!("{served:?}") };
    let status = fs::read_to_string(format!("/proc/{first}/status")).unwrap_or_default();
    for line in
        ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
    {
        assert!(status.contains(line), "{line}: {status}");
    }
    lab::host(&["kill", "-9", &first.to_string()]).ok();
    lab::within(PATIENCE, "the proxy comes back", || {
        let others = processes("whole");
        (others.len() == 1 && others != [first]).then_some(())
    });
    assert!(daemon.netns().inside(|| ask(dial("127.0.0.1:7000"), b"x")).starts_with("1 "));
    // It ends with its instance, and comes with its next start.
    daemon.cli(["stop", "x", "--force"]).ok();
    until("the proxies end", || processes("whole").is_empty().then_some(()));
    let refused = daemon.netns().inside(|| TcpStream::connect("127.0.0.1:7000").map(drop));
    assert_eq!(refused.map_err(|e| e.kind()), Err(ErrorKind::ConnectionRefused));
    daemon.cli(["start", "x"]).ok();
    assert_eq!(processes("whole").len(), 1);
}

#[test]
fn what_breaks_is_not_taken_for_an_end_and_what_cannot_be_is_told() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let host = daemon.netns();
    let taken = host.inside(|| listen("127.0.0.1:7100"));
    let before = daemon.get("/1.0/instances/x");
    let to = "connect=tcp:127.0.0.1:80";
    let said = add(&daemon, "web", &["listen=tcp:127.0.0.1:7100", to]);
    assert!(said.fails_with("tcp:127.0.0.1:7100").contains("in use"));
    add(&daemon, "web", &["listen=tcp:192.0.2.9:7100", to]).fails_with("tcp:192.0.2.9:7100");
    add(&daemon, "web", &["listen=tcp:127.0.0.1:1-3", "connect=tcp:127.0.0.1:1-2"])
        .fails_with("has 2 ports where listen has 3");
    add(&daemon, "web", &["listen=tcp:localhost:7", to]).fails_with("IP address");
    add(&daemon, "web", &["listen=tcp:127.0.0.1:7", "connect=udp:127.0.0.1:7"]).fails_with("udp");
    add(&daemon, "web", &["listen=tcp:0.0.0.0:7", to, "nat=true"]).fails_with("ipv4.address");
    add(&daemon, "web", &["listen=unix:/nowhere/x", to]).fails_with("unix:/nowhere/x");
    assert_eq!(daemon.get("/1.0/instances/x"), before);
    drop(taken);

    add(&daemon, "web", &["listen=tcp:127.0.0.1:7100", to]).ok();
    // Nobody listens inside: a client is told so, and not by an end.
    let read = host.inside(|| dial("127.0.0.1:7100").read(&mut [0; 1]));
    assert_eq!(read.map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));
    // An answer that is cut off is no whole one.
    let server = inside(&netns(&daemon), || listen("127.0.0.1:80"));
    let mut client = host.inside(|| dial("127.0.0.1:7100"));
    let (mut inner, _) = server.accept().unwrap_or_else(|e| panic!("{e}"));
    client.write_all(b"ask").unwrap_or_else(|e| panic!("{e}"));
    inner.write_all(b"half").unwrap_or_else(|e| panic!("{e}"));
    let mut half = [0; 4];
    client.read_exact(&mut half).unwrap_or_else(|e| panic!("{e}"));
    // With bytes unread its end is a reset.
    drop(inner);
    assert_eq!(client.read(&mut half).map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));
    // Many at once, of which each gets its own.
    serve(server);
    let sums: Vec<String> = host.inside(|| {
        let all: Vec<TcpStream> = (0..300).map(|_| dial("127.0.0.1:7100")).collect();
        (0..300).zip(all).map(|(at, it)| ask(it, format!("{at}\n").as_bytes())).collect()
    });
    assert!((0..300).zip(&sums).all(|(at, it)| it.ends_with(&format!(" {at}"))), "{sums:?}");
    // Another port, while it runs.
    daemon.lxc(["config", "device", "set", "x", "web", "listen", "tcp:127.0.0.1:7101"]).ok();
    assert!(host.inside(|| ask(dial("127.0.0.1:7101"), b"x")).starts_with("1 "));
    host.inside(|| drop(listen("127.0.0.1:7100")));
    daemon.lxc(["config", "device", "remove", "x", "web"]).ok();
    host.inside(|| drop(listen("127.0.0.1:7101")));
    // A start that cannot have its port fails, and says so.
    add(&daemon, "web", &["listen=tcp:127.0.0.1:7100", to]).ok();
    daemon.cli(["stop", "x", "--force"]).ok();
    let taken = host.inside(|| listen("127.0.0.1:7100"));
    daemon.cli(["start", "x"]).fails_with("tcp:127.0.0.1:7100");
    drop(taken);
    daemon.cli(["start", "x"]).ok();
}

#[test]
fn datagrams_find_their_way_back() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let socket = |address: &str| {
        let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        socket.set_read_timeout(Some(PATIENCE)).unwrap_or_else(|e| panic!("{e}"));
        socket
    };
    let server = inside(&netns(&daemon), || socket("127.0.0.1:53"));
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((len, from)) = server.recv_from(&mut buffer) {
            let words = format!("{}:{from}", String::from_utf8_lossy(&buffer[..len]));
            drop(server.send_to(words.as_bytes(), from));
        }
    });
    add(&daemon, "dns", &["listen=udp:127.0.0.1:7200,7300", "connect=udp:127.0.0.1:53"]).ok();
    let clients = daemon.netns().inside(|| ["127.0.0.1:0"; 3].map(socket));
    let mut seen = Vec::new();
    for round in 0..2 {
        for (at, client) in clients.iter().enumerate() {
            let to: SocketAddr = ([127, 0, 0, 1], if at == 0 { 7300 } else { 7200 }).into();
            let words = format!("{round}-{at}");
            client.send_to(words.as_bytes(), to).unwrap_or_else(|e| panic!("{e}"));
            let mut buffer = [0; 100];
            let (len, from) = client.recv_from(&mut buffer).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(from, to);
            let said = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let (echo, peer) = said.split_once(':').unwrap_or_default();
            assert_eq!(echo, words);
            seen.push(peer.to_owned());
        }
    }
    // Each client has an address of its own there, and keeps it.
    assert_eq!(seen[..3], seen[3..]);
    assert!(seen[0] != seen[1] && seen[1] != seen[2], "{seen:?}");
}

#[test]
fn sockets_of_either_side() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    // What listens outside, reached from inside: by a path, in no folder, and at a low port.
    let behind = daemon.netns().inside(|| listen("127.0.0.1:7400"));
    serve(behind);
    let to = "connect=tcp:127.0.0.1:7400";
    let words = ["bind=instance", "listen=unix:/dev/shm/p.sock", to, "uid=7", "mode=0600"];
    add(&daemon, "path", &words).ok();
    add(&daemon, "name", &["bind=instance", "listen=unix:@quiet", to]).ok();
    add(&daemon, "port", &["bind=container", "listen=tcp:127.0.0.1:25", to]).ok();
    let owner = daemon.sh("x", "stat -c %u:%g:%a /dev/shm/p.sock").text();
    assert_eq!(owner, "7:0:600");
    let said = inside(&netns(&daemon), || {
        use std::os::linux::net::SocketAddrExt;
        let name = std::os::unix::net::SocketAddr::from_abstract_name("quiet");
        let name = name.unwrap_or_else(|e| panic!("{e}"));
        ask_at(UnixStream::connect_addr(&name).unwrap_or_else(|e| panic!("{e}")))
    });
    assert!(said.starts_with("5 ") && said.ends_with(" hello"), "{said}");
    let said = inside(&netns(&daemon), || ask(dial("127.0.0.1:25"), b"hello"));
    assert!(said.starts_with("5 "), "{said}");

    // And back again: what listens inside at a path, reached from outside by one.
    let path = path_in(&daemon, "/dev/shm/p.sock");
    let outer = daemon.scratch().join("out.sock");
    let listen_at = format!("listen=unix:{}", outer.display());
    let words = [&listen_at, "connect=unix:/dev/shm/p.sock", "mode=0620", "uid=5", "gid=6"];
    add(&daemon, "in", &words).ok();
    let told = fs::metadata(&outer).unwrap_or_else(|e| panic!("{outer:?}: {e}"));
    assert_eq!((told.mode() & 0o777, told.uid(), told.gid()), (0o620, 5, 6));
    let through = || ask_at(UnixStream::connect(&outer).unwrap_or_else(|e| panic!("{e}")));
    let said = through();
    assert!(said.starts_with("5 ") && said.ends_with(" hello"), "{said}");
    // As somebody else it may not.
    daemon.lxc(["config", "device", "set", "x", "in", "security.uid=8"]).ok();
    let refused = UnixStream::connect(&outer).and_then(|mut it| it.read(&mut [0; 1]));
    assert!(!matches!(refused, Ok(1..)), "{refused:?}");
    daemon.lxc(["config", "device", "set", "x", "in", "security.uid=7"]).ok();
    assert!(through().starts_with("5 "));

    // Sockets at a path go with the device, also when whoever served them was killed.
    let served = processes("in");
    served.iter().for_each(|pid| drop(lab::host(&["kill", "-9", &pid.to_string()])));
    lab::within(PATIENCE, "it is made anew", || UnixStream::connect(&outer).ok());
    daemon.kill9();
    daemon.launch();
    for device in ["in", "path", "name", "port"] {
        daemon.lxc(["config", "device", "remove", "x", device]).ok();
    }
    until("the sockets are gone", || (!outer.exists() && !path.exists()).then_some(()));
    assert!(processes("in").is_empty());
}

#[test]
fn packets_go_on_by_rules() {
    let Some(daemon) = Daemon::ready() else { return };
    let outside = Netns::new();
    daemon.netns().join(&outside, "192.0.2.1/24", "192.0.2.2/24");
    daemon.busybox("x");
    let subnet = daemon.address("x").to_string();
    let (net, _) = subnet.rsplit_once('.').unwrap_or_default();
    let fixed = format!("{net}.77");
    daemon
        .lxc(["config", "device", "override", "x", "eth0", &format!("ipv4.address={fixed}")])
        .ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    until("it has its address", || (daemon.address("x").to_string() == fixed).then_some(()));
    let servers = inside(&netns(&daemon), || ["0.0.0.0:8080", "0.0.0.0:7501"].map(listen));
    for server in servers {
        thread::spawn(move || {
            while let Ok((mut stream, from)) = server.accept() {
                drop(write!(stream, "{}", from.ip()));
            }
        });
    }
    let words = ["listen=tcp:192.0.2.1:7500-7501", "connect=tcp:0.0.0.0:8080,7501", "nat=true"];
    add(&daemon, "web", &words).ok();
    let get = |address: &str| {
        let mut text = String::new();
        dial(address).read_to_string(&mut text).unwrap_or_else(|e| panic!("{e}"));
        text
    };
    for port in [7500, 7501] {
        // Who connects is seen inside.
        let seen = outside.inside(|| get(&format!("192.0.2.1:{port}")));
        assert_eq!(seen, "192.0.2.2", "{port}");
        daemon.netns().inside(|| get(&format!("192.0.2.1:{port}")));
    }
    // The instance reaches itself by it.
    inside(&netns(&daemon), || get("192.0.2.1:7500"));
    let tables = || daemon.netns().run(&["nft", "list", "tables", "inet"]).text();
    let before = tables();
    daemon.lxc(["config", "device", "set", "x", "web", "connect", "tcp:0.0.0.0:8080"]).ok();
    assert_eq!(outside.inside(|| get("192.0.2.1:7501")), "192.0.2.2");
    daemon.cli(["stop", "x", "--force"]).ok();
    assert!(tables().lines().count() < before.lines().count(), "{}", tables());
    daemon.cli(["start", "x"]).ok();
    assert_eq!(tables(), before);
    daemon.lxc(["config", "device", "remove", "x", "web"]).ok();
    assert!(tables().lines().count() < before.lines().count(), "{}", tables());
}

/// Seconds that six megabytes take from one side of a port to the other.
fn seconds(from: impl FnOnce() -> TcpStream, to: &TcpListener) -> f64 {
    let mut sender = from();
    let (mut receiver, _) = to.accept().unwrap_or_else(|e| panic!("{e}"));
    let begin = std::time::Instant::now();
    thread::spawn(move || drop(sender.write_all(&vec![0; 6 << 20])));
    let mut all = Vec::new();
    receiver.read_to_end(&mut all).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.len(), 6 << 20);
    begin.elapsed().as_secs_f64()
}

#[test]
fn cards_are_as_fast_as_they_may_be() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let inner = daemon.address("x").to_string();
    let gateway = format!("{}.1", inner.rsplit_once('.').unwrap_or_default().0);
    let within = inside(&netns(&daemon), || listen("0.0.0.0:9000"));
    let without = daemon.netns().inside(|| listen("0.0.0.0:9000"));
    let gets = || seconds(|| daemon.netns().inside(|| dial(&format!("{inner}:9000"))), &within);
    let sends =
        || seconds(|| inside(&netns(&daemon), || dial(&format!("{gateway}:9000"))), &without);
    let set = |key: &str| {
        daemon.lxc(["config", "device", "set", "x", "eth0", key]).ok();
    };
    daemon.lxc(["config", "device", "override", "x", "eth0", "limits.ingress=20Mbit"]).ok();
    let (got, sent) = (gets(), sends());
    assert!(got > 1.0 && sent < 1.0, "{got} s in, {sent} s out");
    set("limits.ingress=");
    set("limits.egress=20Mbit");
    let (got, sent) = (gets(), sends());
    assert!(got < 1.0 && sent > 1.0, "{got} s in, {sent} s out");
    let tables = || daemon.netns().run(&["nft", "list", "tables", "netdev"]).text();
    assert_ne!(tables(), "");
    set("limits.egress=");
    let sent = sends();
    assert!(sent < 1.0, "{sent} s out");
    assert_eq!(tables(), "");
    set("limits.max=1Gbit");
    daemon.cli(["stop", "x", "--force"]).ok();
    assert_eq!(tables(), "");
}
