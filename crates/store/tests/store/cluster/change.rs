use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Error, Kind, MemberId, Migration, Options, Role, Store, params};

use super::{Cluster, eventually, member, note};
use crate::conflicts::{Refused, launch};
use crate::{SCHEMA, count, temp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_becomes_three_while_it_works() {
    let cluster = Cluster::of(1).await;
    for n in 0..150 {
        note(&cluster.store(1), &format!("{n}")).await.unwrap();
    }
    let working = cluster.store(1);
    let work = tokio::spawn(async move {
        for n in 0..150 {
            note(&working, &format!("meanwhile {n}")).await.unwrap();
        }
    });
    for id in [2, 3] {
        let joined = cluster.join(id).await;
        assert_eq!(joined.status().role, Role::Learner);
        cluster.store(1).promote(id).await.unwrap();
    }
    work.await.unwrap();
    cluster.same_everywhere().await;
    assert_eq!(count(&cluster.store(3), "notes"), 300);
    let members = cluster.store(1).status().members;
    assert_eq!(members, [(member(1), true), (member(2), true), (member(3), true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_writes_and_reads_its_own_writes() {
    let cluster = Cluster::of(3).await;
    for n in 0..30 {
        let store = cluster.store(n % 3 + 1);
        note(&store, &format!("{n}")).await.unwrap();
        assert!(count(&store, "notes") > 0);
        let other = cluster.store((n + 1) % 3 + 1);
        let sql = "SELECT count(*) FROM notes";
        let latest = other.read_latest(|r| r.query_one(sql, &[], |row| row.get::<u64>(0))).await;
        assert_eq!(latest.unwrap(), Some(n + 1));
    }
    let second = cluster.store(2);
    let duplicate = second.write(|w| {
        w.execute("INSERT INTO projects(name) VALUES ('a')", &[])?;
        w.execute("INSERT INTO projects(name) VALUES ('a')", &[])
    });
    assert!(duplicate.await.unwrap_err().is_unique());
    cluster.same_everywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_exact_with_writers_on_all_members() {
    let cluster = Cluster::of(3).await;
    let project =
        |w: &mut store::Write<'_>| w.execute("INSERT INTO projects VALUES (1, 'default', 60)", &[]);
    cluster.store(1).write(project).await.unwrap();
    cluster.same_everywhere().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..45)
        .map(|n| {
            let (store, accepted) = (cluster.store(n % 3 + 1), accepted.clone());
            tokio::spawn(async move {
                match launch(&store, &format!("c{n}"), 3).await {
                    Ok(()) => accepted.fetch_add(1, Ordering::Relaxed),
                    Err(Refused::Quota) => 0,
                    Err(Refused::Store(e)) => panic!("{e}"),
                };
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    cluster.same_everywhere().await;
    assert_eq!(accepted.load(Ordering::Relaxed), 20);
    assert_eq!(count(&cluster.store(2), "instances"), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_leave_and_new_ones_come() {
    let cluster = Cluster::of(3).await;
    note(&cluster.store(1), "a").await.unwrap();
    cluster.store(2).demote(3).await.unwrap();
    eventually("learner", || (cluster.store(3).status().role == Role::Learner).then_some(())).await;
    cluster.store(2).remove(3).await.unwrap();
    cluster.stop(3).await;
    note(&cluster.store(2), "b").await.unwrap();
    let fourth = cluster.join(4).await;
    cluster.leader().await.promote(4).await.unwrap();
    cluster.same_everywhere().await;
    assert_eq!(count(&fourth, "notes"), 2);
    // The leader goes: the others choose a new one.
    let first = cluster.leader().await.status().me;
    cluster.leader().await.remove(first).await.unwrap();
    cluster.stop(first).await;
    let rest = cluster.leader().await;
    note(&rest, "c").await.unwrap();
    assert_eq!(rest.status().members.len(), 2);
    cluster.same_everywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impossible_changes_say_why() {
    let cluster = Cluster::of(1).await;
    let unknown = cluster.store(1).promote(9).await;
    assert!(matches!(unknown, Err(Error::Members { .. })), "{unknown:?}");
    let last = cluster.store(1).demote(1).await;
    assert!(matches!(last, Err(Error::Members { .. })), "{last:?}");
    note(&cluster.store(1), "still there").await.unwrap();
}

const MORE: &str = "CREATE TABLE more(id INTEGER PRIMARY KEY) STRICT";
const ADDS: &[Migration] =
    &[SCHEMA[0], Migration { level: 2, name: "more", kind: Kind::Adds, sql: MORE }];
const BREAKS: &[Migration] = &[
    ADDS[0],
    ADDS[1],
    Migration {
        level: 3,
        name: "other words",
        kind: Kind::Breaks,
        sql: "ALTER TABLE notes RENAME COLUMN body TO text",
    },
    Migration {
        level: 4,
        name: "still more",
        kind: Kind::Adds,
        sql: "CREATE TABLE even_more(id INTEGER PRIMARY KEY) STRICT",
    },
];

/// Begins a member anew that knows other steps.
async fn anew(cluster: &Cluster, id: MemberId, schema: &'static [Migration]) -> Store {
    cluster.stop(id).await;
    let options = Options { schema, ..cluster.options(id) };
    let store = Store::open(&cluster.folder(id), options).await.unwrap();
    cluster.wires.stores.lock().unwrap().insert(id, store.clone());
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_adds_leaves_members_at_work_that_do_not_know_it() {
    let cluster = Cluster::of(3).await;
    cluster.stop(3).await;
    let newer = anew(&cluster, 1, ADDS).await;
    newer.raise_schema(2).await.unwrap();
    newer.read_latest(|r| r.exists("SELECT 1 FROM more", &[])).await.unwrap();
    for round in ["goes on", "begins anew"] {
        let older = cluster.store(2);
        note(&older, round).await.unwrap();
        assert_eq!((older.status().schema_level, older.known_level()), (2, 1));
        anew(&cluster, 2, SCHEMA).await;
    }
    // One that was off makes it as well, and hands it on with the state.
    let late = cluster.start(3).await;
    cluster.same_everywhere().await;
    note(&late, "late").await.unwrap();
    assert_eq!(count(&newer, "notes"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_breaks_stops_members_that_do_not_know_it_but_for_their_votes() {
    let cluster = Cluster::of(2).await;
    note(&cluster.store(1), "before").await.unwrap();
    let newer = anew(&cluster, 1, BREAKS).await;
    newer.raise_schema(4).await.unwrap();
    let write = |text: &'static str| {
        newer.write(move |w| w.execute("INSERT INTO notes(text) VALUES (?1)", params![text]))
    };
    write("one voted for it that does not know it").await.unwrap();
    let told = |error: &Error| matches!(error, Error::NewerSchema { found: 3, known: 1 });
    for _ in ["goes on", "begins anew"] {
        let older = cluster.store(2);
        eventually("the step there", || older.check_known().err().filter(&told)).await;
        let read = older.read(|r| r.exists("SELECT 1 FROM notes", &[])).unwrap_err();
        let written = note(&older, "by one that does not know it").await.unwrap_err();
        assert!(told(&read) && told(&written), "{read:?} {written:?}");
        let sql = "SELECT count(*) FROM notes";
        // A member that does not know the step has what was written all the same, as soon as it comes.
        eventually("both notes there", || {
            let peeked = older.peek(|r| r.query_one(sql, &[], |row| row.get::<u64>(0)));
            (peeked.unwrap() == Some(2)).then_some(())
        })
        .await;
        anew(&cluster, 2, SCHEMA).await;
    }
    write("another").await.unwrap();
    let upgraded = anew(&cluster, 2, BREAKS).await;
    cluster.leader().await;
    let sql = "INSERT INTO notes(text) VALUES ('by one that knows it by now')";
    upgraded.write(|w| w.execute(sql, &[])).await.unwrap();
    cluster.same_everywhere().await;
    assert_eq!(count(&upgraded, "notes"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_another_cluster_is_turned_away() {
    let (cluster, other) = (Cluster::of(2).await, temp());
    note(&cluster.store(1), "a").await.unwrap();
    let follower = if cluster.leader().await.status().me == 1 { 2 } else { 1 };
    cluster.stop(follower).await;
    // A store of its own where the follower was expected.
    let store = Store::open(other.path(), cluster.options(follower)).await.unwrap();
    cluster.wires.stores.lock().unwrap().insert(follower, store.clone());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(count(&store, "notes"), 0);
    assert_eq!(store.status().members.len(), 1);
}
