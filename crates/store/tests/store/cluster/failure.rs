use std::time::{Duration, Instant};

use store::{Error, Role};

use super::{Cluster, eventually, note};
use crate::count;
use crate::disk::Disk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_leader_the_cluster_goes_on() {
    let cluster = Cluster::of(3).await;
    for n in 0..20 {
        note(&cluster.store(n % 3 + 1), &format!("{n}")).await.unwrap();
    }
    let old = cluster.leader().await.status().me;
    cluster.cut(old).await;
    let start = Instant::now();
    let survivor = if old == 1 { 2 } else { 1 };
    note(&cluster.store(survivor), "after").await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    // Alone it can be read, but promises nothing more.
    assert!(count(&cluster.store(old), "notes") >= 20);
    let latest = cluster.store(old).read_latest(|_| Ok::<_, Error>(())).await;
    assert!(matches!(latest, Err(Error::NoQuorum)), "{latest:?}");
    cluster.mend();
    cluster.same_everywhere().await;
    assert_eq!(count(&cluster.store(old), "notes"), 21);
    note(&cluster.store(old), "again").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_a_majority_is_not_acknowledged() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await.status().me;
    let others: Vec<_> = (1..=3).filter(|id| *id != leader).collect();
    cluster.cut(leader).await;
    let alone = note(&cluster.store(leader), "never").await;
    assert!(matches!(alone, Err(Error::NoQuorum | Error::Uncertain)), "{alone:?}");
    note(&cluster.store(others[0]), "counts").await.unwrap();
    cluster.mend();
    let rows = cluster.same_everywhere().await;
    assert!(rows.contains("counts") && !rows.contains("never"), "{rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_long_gets_a_snapshot() {
    let cluster = Cluster::of(3).await;
    let away = if cluster.leader().await.status().me == 3 { 2 } else { 3 };
    cluster.stop(away).await;
    for n in 0..600 {
        note(&cluster.store(1), &format!("{n}")).await.unwrap();
    }
    let back = cluster.start(away).await;
    eventually("all rows", || (count(&back, "notes") == 600).then_some(())).await;
    cluster.same_everywhere().await;
    note(&back, "own").await.unwrap();
    cluster.same_everywhere().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stop_and_come_back() {
    let cluster = Cluster::of(3).await;
    for n in 0..30 {
        note(&cluster.store(n % 3 + 1), &format!("{n}")).await.unwrap();
    }
    for id in 1..=3 {
        cluster.stop(id).await;
    }
    for id in 1..=3 {
        cluster.start(id).await;
    }
    note(&cluster.store(2), "after").await.unwrap();
    cluster.same_everywhere().await;
    assert_eq!(count(&cluster.store(3), "notes"), 31);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_survivor_recovers_with_everything_it_has() {
    let cluster = Cluster::of(3).await;
    for n in 0..50 {
        note(&cluster.store(n % 3 + 1), &format!("{n}")).await.unwrap();
    }
    cluster.same_everywhere().await;
    for id in 1..=3 {
        cluster.stop(id).await;
    }
    let report = store::recover(&cluster.folder(2)).unwrap();
    assert_eq!((report.me.id, &report.removed[..]), (2, &[1, 3][..]));
    let survivor = cluster.start(2).await;
    assert_eq!(survivor.status().role, Role::Leader);
    assert_eq!(count(&survivor, "notes"), 50);
    note(&survivor, "alone").await.unwrap();
    // One that comes back from the old cluster is turned away and does no harm.
    cluster.start(1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(survivor.status().role, Role::Leader);
    assert_eq!(survivor.status().members.len(), 1);
    cluster.stop(1).await;
    // It can come again as a new member.
    cluster.join(4).await;
    survivor.promote(4).await.unwrap();
    assert_eq!(cluster.same_everywhere().await.matches("INSERT INTO \"notes\"").count(), 51);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_log_of_a_follower_is_filled_again() {
    let cluster = Cluster::of(3).await;
    let follower = if cluster.leader().await.status().me == 3 { 2 } else { 3 };
    for n in 0..80 {
        note(&cluster.store(1), &format!("{n}")).await.unwrap();
    }
    cluster.same_everywhere().await;
    // As a kill leaves them: taken while the store runs.
    let (folder, copy) = (cluster.folder(follower), cluster.dir.path().join("copy"));
    std::fs::create_dir(&copy).unwrap();
    for file in ["log.db", "log.db-wal", "state.db", "state.db-wal"] {
        std::fs::copy(folder.join(file), copy.join(file)).unwrap();
    }
    cluster.stop(follower).await;
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&copy, &folder).unwrap();
    let wal = std::fs::File::options().write(true).open(folder.join("log.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 30_000).unwrap();
    let back = cluster.start(follower).await;
    note(&back, "after").await.unwrap();
    cluster.same_everywhere().await;
    assert_eq!(count(&back, "notes"), 81);
}

/// Fills the disk of a member of three, which leads or follows.
async fn full_disk(leads: bool) {
    let cluster = Cluster::of(1).await;
    // The member with the small disk is the second: its folder is a mount before it joins.
    let folder = cluster.folder(2);
    std::fs::create_dir(&folder).unwrap();
    let Some(disk) = Disk::mount(&folder, "2m") else { return };
    for id in [2, 3] {
        cluster.join(id).await;
        cluster.store(1).promote(id).await.unwrap();
    }
    let small = cluster.store(2);
    if leads {
        eventually("second to lead", || {
            let leads = small.status().role == Role::Leader;
            let asking = small.clone();
            tokio::spawn(async move { asking.lead().await });
            leads.then_some(())
        })
        .await;
    }
    let mut acknowledged = 0;
    let failing = tokio::spawn({
        let small = small.clone();
        async move { small.failed().await }
    });
    while !failing.is_finished() {
        if note(&cluster.store(1), &"x".repeat(4000)).await.is_ok() {
            acknowledged += 1;
        }
    }
    assert!(failing.await.unwrap().is_fatal());
    note(&cluster.store(3), "on").await.unwrap();
    // It stopped with what it had, a prefix; with space it has all again.
    assert!(count(&small, "notes") <= acknowledged);
    cluster.wires.stores.lock().unwrap().remove(&2);
    small.close().await.unwrap_err();
    disk.resize("50m");
    cluster.start(2).await;
    let rows = cluster.same_everywhere().await;
    assert!(rows.matches("INSERT INTO \"notes\"").count() as i64 > acknowledged);
    for id in 1..=3 {
        cluster.stop(id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_disk_is_full_stops_and_the_others_go_on() {
    full_disk(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_is_full_stops_and_the_others_go_on() {
    full_disk(true).await;
}
