use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::toy::*;
use crate::{Error, Request, Status, laws};

fn make(name: &str) -> Make {
    Make { name: name.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_unwinds_keeps_all_laws() {
    laws::check(async || World::new(), || make("web"), async |world| world.files()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_resumes_keeps_all_laws() {
    let task = || Finish { name: "web".to_owned() };
    laws::check(async || World::new(), task, async |world| world.files()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_with_a_point_of_no_return_keeps_all_laws() {
    laws::check(async || World::new(), || Move, async |world| world.files()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_catch_a_clumsy_task() {
    let check = tokio::spawn(async {
        let task = || Clumsy { panic: false };
        laws::check(async || World::new(), task, async |world| world.files()).await;
    });
    let panic = check.await.unwrap_err().into_panic();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("every step twice"), "{text}");
    assert!(text.contains("fail after step 0, steps and undos twice: stuck"), "{text}");
    assert!(text.contains("fail Before(0)"), "{text}");
}

#[tokio::test]
async fn success_leaves_the_files_and_an_empty_journal() {
    let world = World::new();
    let runner = runner(&world);
    runner.run(make("web"), Request::new("Making")).await.unwrap();
    assert_eq!(world.names(), ["old", "web", "web.size"]);
    assert_eq!(runner.journaled().await.unwrap(), 0);
}

#[tokio::test]
async fn a_failing_step_undoes_the_earlier_ones_and_tells_its_cause() {
    let world = World::new();
    let runner = runner(&world);
    // The second file cannot be written where a folder stands.
    std::fs::create_dir_all(world.file("web.size")).unwrap();
    let failure = runner.run(make("web"), Request::new("Making")).await.unwrap_err();
    let text = failure.to_string();
    assert!(text.starts_with("change file: Is a directory"), "{text}");
    assert!(failure.error.downcast_ref::<super::toy::Error>().is_some());
    assert!(text.contains("undo of \"write second\" failed"), "{text}");
    assert!(!world.file("web").exists());
    // It is stuck until somebody takes the folder away.
    assert_eq!(runner.stuck().len(), 1);
    std::fs::remove_dir(world.file("web.size")).unwrap();
    runner.retry().await.unwrap();
    assert!(runner.stuck().is_empty());
    assert_eq!(world.names(), ["old"]);
}

#[tokio::test]
async fn a_panic_is_a_failure_and_is_undone() {
    let world = World::new();
    let runner = runner(&world);
    let failure = runner.run(Clumsy { panic: true }, Request::new("Stumbling")).await.unwrap_err();
    assert!(failure.to_string().contains("stumbled"), "{failure}");
    assert_eq!(world.names(), ["old"]);
}

#[tokio::test]
async fn what_was_undone_is_undone_again_once_nothing_it_wrote_is_under_way() {
    let world = World::new();
    let open = Arc::new(AtomicBool::new(false));
    let fence = open.clone();
    let builder = builder(&world).fence(move || {
        let open = fence.load(Ordering::Relaxed);
        async move { if open { Ok(()) } else { Err(Error::ShuttingDown) } }
    });
    let runner = builder.open(&world.journal()).unwrap();
    runner.run(Clumsy { panic: true }, Request::new("Stumbling")).await.unwrap_err();
    assert_eq!(world.names(), ["old"]);
    assert_eq!(runner.stuck().len(), 1);
    // What comes late is found by the undo that comes later.
    std::fs::write(world.file("log"), "late").unwrap();
    open.store(true, Ordering::Relaxed);
    runner.retry().await.unwrap();
    assert!(runner.stuck().is_empty());
    assert_eq!(world.names(), ["old"]);
}

#[tokio::test]
async fn cancel_reaches_a_step_and_ends_as_cancelled() {
    let world = World::new();
    let runner = runner(&world);
    let operation = runner.submit(Hold, Request::new("Holding")).unwrap();
    while !world.file("held").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    operation.cancel().unwrap();
    assert_eq!(operation.wait().await, Status::Cancelled);
    assert_eq!(operation.render().status_code.0, 401);
    assert_eq!(world.names(), ["old"]);
    assert!(matches!(operation.cancel(), Err(Error::NotRunning(_))));
}

#[tokio::test]
async fn a_second_task_on_the_same_thing_is_refused_or_waits() {
    let world = World::new();
    let runner = runner(&world);
    let request = || Request::new("Holding").lock("instance/default/web");
    let first = runner.submit(Hold, request()).unwrap();
    let Err(Error::Busy(busy)) = runner.submit(make("web"), request()) else {
        panic!("not refused")
    };
    assert_eq!(busy.name, "instance/default/web");
    assert!(busy.to_string().contains(&first.id().to_string()), "{busy}");
    let second = runner.submit(make("web"), request().wait_when_busy()).unwrap();
    let third = runner.submit(make("three"), request().wait_when_busy()).unwrap();
    assert_eq!(second.wait_timeout(Duration::from_millis(20)).await, Status::Pending);
    third.cancel().unwrap();
    assert_eq!(third.wait().await, Status::Cancelled);
    world.release.notify_one();
    assert_eq!(second.wait().await, Status::Success);
    assert_eq!(world.names(), ["held", "old", "web", "web.size"]);
}

#[tokio::test]
async fn shutdown_refuses_new_tasks_and_waits_for_old_ones() {
    let world = World::new();
    let runner = runner(&world);
    let held = runner.submit(Hold, Request::new("Holding")).unwrap();
    assert_eq!(runner.shutdown(Duration::from_millis(20)).await, 1);
    assert!(matches!(runner.submit(Hold, Request::new("Late")), Err(Error::ShuttingDown)));
    world.release.notify_one();
    assert_eq!(runner.shutdown(Duration::from_secs(10)).await, 0);
    assert_eq!(held.status(), Status::Success);
}

/// The times are told; the bound is one no machine should come near.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_costs_little() {
    let world = World::new();
    let runner = runner(&world);
    let begin = Instant::now();
    for n in 0..50 {
        runner.run(make(&n.to_string()), Request::new("Making")).await.unwrap();
    }
    let each = begin.elapsed() / 50;
    eprintln!("a task of 3 steps: {each:?}");
    assert!(each < Duration::from_millis(200), "a task of 3 steps took {each:?}");
}
