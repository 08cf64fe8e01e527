//! Those inside who ask the daemon, and what becomes of their streams.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

mod common;

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use agent::Agent;
use common::SOON;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

async fn agent() -> (Agent, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let place = folder.path().join("lxd");
    tokio::spawn(async move { agent::serve_at(theirs, &place).await });
    (Agent::connect(ours, SOON).await.unwrap(), folder)
}

/// Comes as soon as there is a socket.
async fn come(folder: &Path) -> UnixStream {
    let come = async {
        loop {
            match UnixStream::connect(folder.join("lxd/sock")).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(SOON, come).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_inside_is_answered_by_the_daemon() {
    let (agent, folder) = agent().await;
    for round in 0..3 {
        let (visitor, mut inside) = tokio::join!(agent.visitor(), come(folder.path()));
        let (mut stream, carry) = visitor.unwrap().into_parts();
        let carried = tokio::spawn(carry);
        // More than fits on the way, both ways at once.
        let big = vec![round; 3_000_000];
        let (mut from, mut to) = inside.split();
        let (mut heard, mut told) = stream.split();
        let (mut a, mut b) = (vec![9; big.len()], vec![9; big.len()]);
        let all = async {
            tokio::try_join!(
                to.write_all(&big),
                told.write_all(&big),
                heard.read_exact(&mut a),
                from.read_exact(&mut b)
            )
        };
        timeout(SOON, all).await.unwrap().unwrap();
        assert!(a == big && b == big);
        // One of them goes: so does the other's end.
        if round == 1 {
            drop(inside);
            assert_eq!(timeout(SOON, stream.read(&mut a)).await.unwrap().unwrap(), 0);
            // The daemon sees that, and closes its own.
            drop(stream);
        } else {
            drop(stream);
            assert_eq!(timeout(SOON, inside.read(&mut a)).await.unwrap().unwrap(), 0);
        }
        timeout(SOON, carried).await.unwrap().unwrap();
    }
    let path = folder.path().join("lxd/sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    agent.turn_away().await.unwrap();
    assert!(!path.exists());
}
