//! Measures the store in a folder of its own: `cargo run -p store --example measure [folder]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for people who measure")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use store::{Migration, Options, Store, params};

const SCHEMA: &[Migration] = &[Migration {
    level: 1,
    name: "rows",
    kind: store::Kind::Breaks,
    sql: "CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT) STRICT",
}];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("store-measure-{}", std::process::id())),
        PathBuf::from,
    );
    memory("before");
    let store = timed("open, new folder", Store::open(&dir, Options::new(SCHEMA))).await.unwrap();
    memory("opened");
    report("write, 1 writer", &writers(&store, 1, 1000).await);
    memory("after 1000 writes");
    report("write, 32 writers", &writers(&store, 32, 6400).await);
    report("read", &reads(&store, 20_000));
    memory("after load");
    timed("close", store.close()).await.unwrap();
    drop(store);
    let store = timed("open again", Store::open(&dir, Options::new(SCHEMA))).await.unwrap();
    memory("open again");
    report("write, 1 writer", &writers(&store, 1, 1000).await);
    store.close().await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let value = work.await;
    println!("{what}: {:?}", start.elapsed());
    value
}

async fn writers(store: &Store, writers: usize, total: usize) -> Vec<Duration> {
    let tag = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for n in 0..total / writers {
                    let name = format!("{tag:?}-{writer}-{n}");
                    let start = Instant::now();
                    let insert = |w: &mut store::Write<'_>| {
                        let sql = "INSERT INTO rows(name, body) VALUES (?1, ?2)";
                        w.execute(sql, params![name, "x".repeat(200)])
                    };
                    store.write(insert).await.unwrap();
                    times.push(start.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    println!("  {:.0} writes a second", total as f64 / tag.elapsed().as_secs_f64());
    times
}

fn reads(store: &Store, total: usize) -> Vec<Duration> {
    let read = |id: usize| {
        let start = Instant::now();
        let sql = "SELECT name FROM rows WHERE id = ?1";
        let row: Option<String> =
            store.read(|r| r.query_one(sql, params![id], |row| row.get(0))).unwrap();
        assert!(row.is_some());
        start.elapsed()
    };
    (0..total).map(|n| read(n % 1000 + 1)).collect()
}

fn report(what: &str, times: &[Duration]) {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:?}, p95 {:?}, p99 {:?}", at(0.5), at(0.95), at(0.99));
}

/// Kibibytes this process has in memory: all, and what no file backs.
fn memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    println!("memory {when}: {} KiB, anonymous {} KiB", of("VmRSS:"), of("RssAnon:"));
}
