//! Connections: ports without an end, stale bytes, agents that are dead or hostile.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

mod common;

use std::time::{Duration, Instant};

use agent::{Agent, Error};
use common::{Port, SOON, agent, all, root};
use runtime::{ExecIo, ExecSpec, Stdio};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_is_described() {
    let agent = agent().await;
    let info = agent.info().await.unwrap();
    assert_eq!(info.kernel, "Linux");
    assert_eq!((info.version.as_str(), agent.version()), (env!("CARGO_PKG_VERSION"), "0.1.0"));
    assert!(!info.hostname.is_empty() && !info.boot_id.is_empty(), "{info:?}");
    assert!(info.booted_at > 1_000_000_000, "{info:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_come_and_go_on_a_port_that_tells_nobody() {
    if !root() {
        return;
    }
    let port = Port::new();
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let (stream, relay) = port.host();
        let begun = Instant::now();
        let agent = Agent::connect(stream, SOON).await.unwrap();
        eprintln!("round {round}: connected after {:?}", begun.elapsed());
        // In the middle of much output, both ways, the host dies.
        let mark = folder.path().join(round.to_string());
        let script = format!("head -c 5000000 /dev/zero; echo done > {}", mark.display());
        let spec = ExecSpec::new(["sh", "-c", &script]);
        let mut exec = agent.exec(&spec, ExecIo::New).await.unwrap();
        let Stdio::Pipes { stdout, .. } = exec.take_stdio() else { panic!("no pipes") };
        let mut few = [0; 1000];
        let mut from = tokio::net::unix::pipe::Receiver::from_owned_fd(stdout).unwrap();
        from.read_exact(&mut few).await.unwrap();
        relay.abort();
        let _ = relay.await;
        agent.closed().await;
        assert!(agent.is_closed());
        assert!(matches!(exec.wait().await, Err(Error::Gone)));
        assert!(matches!(agent.info().await, Err(Error::Gone)));
        // What it left behind: half a frame, which the agent waits for the rest of.
        let half = [0, 0x3f, 0xff, 0, 0, 0, 0, 0, 1, 7, 7];
        port.leave(if round % 2 == 0 { &half } else { b"\xff\0rubbish" }).await;
    }
    let (stream, _relay) = port.host();
    let agent = Agent::connect(stream, SOON).await.unwrap();
    assert_eq!(agent.info().await.unwrap().kernel, "Linux");
    let end = Instant::now() + SOON;
    for round in 0..4 {
        let mark = folder.path().join(round.to_string());
        while !mark.exists() {
            assert!(Instant::now() < end, "program {round} did not live on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_an_agent_that_comes_late() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let connecting = tokio::spawn(Agent::connect(ours, SOON));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    // An agent of an earlier life has said something.
    theirs.write_all(b"\0\0\x04\x08rubbish\nmicrocloud-welcome {\"nonce\":\"1\"}\n").await.unwrap();
    tokio::spawn(agent::serve(theirs));
    let agent = connecting.await.unwrap().unwrap();
    assert!(!agent.info().await.unwrap().hostname.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_says_nothing_is_given_up_on() {
    let limit = Duration::from_millis(700);
    let (ours, _silent) = UnixStream::pair().unwrap();
    assert!(matches!(Agent::connect(ours, limit).await, Err(Error::Late { .. })));
    let (ours, gone) = UnixStream::pair().unwrap();
    drop(gone);
    assert!(matches!(Agent::connect(ours, limit).await, Err(Error::Gone)));
    // One that talks without end is not listened to without end.
    let (ours, mut chatty) = UnixStream::pair().unwrap();
    let chat = tokio::spawn(async move { while chatty.write_all(&[b'x'; 65536]).await.is_ok() {} });
    let begun = Instant::now();
    assert!(matches!(Agent::connect(ours, limit).await, Err(Error::Late { .. })));
    assert!(begun.elapsed() < limit * 4);
    let _ = chat.await;
}

/// Answers the hello as an agent would, and gives the stream.
async fn impostor(protocol: u32) -> (Result<Agent, Error>, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let answer = async {
        let mut hello = vec![0; 4096];
        let read = theirs.read(&mut hello).await.unwrap();
        let text = String::from_utf8_lossy(&hello[..read]).into_owned();
        let nonce =
            text.split("\"nonce\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let words = format!("{{\"nonce\":\"{nonce}\",\"protocol\":{protocol},\"version\":\"9\"}}");
        let welcome = format!("\nmicrocloud-welcome {words}\n");
        theirs.write_all(welcome.as_bytes()).await.unwrap();
        theirs
    };
    tokio::join!(Agent::connect(ours, SOON), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_another_world_is_named_by_its_version() {
    let (agent, _stream) = impostor(0).await;
    assert!(matches!(agent, Err(Error::Version { version }) if version == "9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_in_place_of_frames_ends_the_connection() {
    let (agent, mut stream) = impostor(1).await;
    let agent = agent.unwrap();
    stream.write_all(&[0xff; 100_000]).await.unwrap();
    let begun = Instant::now();
    let answer = agent.info().await;
    assert!(matches!(answer, Err(Error::Gone)), "{answer:?}");
    agent.closed().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    // So does the word of a new agent, in the middle of a frame even.
    let (agent, mut stream) = impostor(1).await;
    let agent = agent.unwrap();
    stream.write_all(&[0, 0x3f, 0xff, 0, 0, 0, 0, 0, 1]).await.unwrap();
    // It may have hung up before the end of it.
    let _ = stream.write_all(&vec![b'\n'; 16 * 1024 + 64]).await;
    let _ = stream.write_all(b"microcloud-agent started\n").await;
    tokio::time::timeout(SOON, agent.closed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_costs_a_call_its_time_and_no_more() {
    let (agent, stream) = impostor(1).await;
    let agent = agent.unwrap();
    let begun = Instant::now();
    let answers =
        tokio::join!(agent.info(), agent.state(), agent.set_clock(std::time::SystemTime::now()));
    assert!(matches!(
        answers,
        (Err(Error::Late { .. }), Err(Error::Late { .. }), Err(Error::Late { .. }))
    ));
    assert!(begun.elapsed() < SOON);
    assert!(!agent.is_closed());
    drop(stream);
    agent.closed().await;
}

/// A server that speaks HTTP/2 as it should and answers what it should not.
async fn liar(body: &'static [u8], times: usize) -> Agent {
    use hyper::{Response, body::Bytes, server::conn::http2, service::service_fn};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (agent, mut stream) = impostor(1).await;
    // The preface and the settings may have come along with nothing else.
    let (inside, mut relay) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let service = service_fn(move |_| async move {
            let body = Bytes::from(body.repeat(times));
            Ok::<_, std::convert::Infallible>(Response::new(http_body_util::Full::new(body)))
        });
        let server = http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(inside), service).await;
    });
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut relay).await });
    agent.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_sense_or_end_are_errors() {
    let agent = liar(b"{\"version\": 7}", 1).await;
    assert!(matches!(agent.info().await, Err(Error::Nonsense { .. })));
    let agent = liar(b"                                ", 1 << 20).await;
    assert!(matches!(agent.info().await, Err(Error::Nonsense { .. })));
    assert!(matches!(agent.state().await, Err(Error::Nonsense { .. })));
    assert!(!agent.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_programs_at_once_share_the_connection() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..100 {
        let agent = agent.clone();
        running.spawn(async move {
            let spec = ExecSpec::new(["sh", "-c", &format!("sleep 0.2; echo {number}")]);
            let mut exec = agent.exec(&spec, ExecIo::New).await.unwrap();
            let Stdio::Pipes { stdout, stdin: _stdin, stderr: _stderr } = exec.take_stdio() else {
                panic!("no pipes")
            };
            let out = all(stdout).await;
            assert_eq!(out, format!("{number}\n").into_bytes());
            exec.wait().await.unwrap()
        });
    }
    let codes = tokio::time::timeout(SOON * 2, running.join_all()).await.unwrap();
    assert_eq!(codes, vec![0; 100]);
}
