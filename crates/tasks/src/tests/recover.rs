use exec::{Control, Tool};

use super::toy::*;
use crate::{
    CRASH_VARIABLE, Crash, Error, Faults, Reconciler, Recovery, Request, Runner, Status, Stuck,
};

const FOLDER: &str = "TASKS_TEST_FOLDER";

/// Not a test of its own: the process that `a_real_kill...` starts and that kills itself.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runner = runner(&World::at(folder.into()));
    runner.run(Make { name: "web".to_owned() }, Request::new("Making")).await.unwrap();
}

/// Runs `victim` in a process of its own; true if it was killed.
fn killed_after_write(world: &World, write: u64) -> bool {
    let me = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
    let tool = Tool::new(me.leak(), "tasks")
        .args(["--exact", "tests::recover::victim"])
        .env(FOLDER, world.folder())
        .env(CRASH_VARIABLE, write.to_string());
    exec::run(tool, &Control::none()).is_err()
}

#[tokio::test]
async fn a_real_kill_after_any_journal_write_leaves_nothing_between() {
    let intended = ["old", "web", "web.size"];
    for write in 1.. {
        let world = World::new();
        if !killed_after_write(&world, write) {
            assert_eq!(world.names(), intended);
            assert_eq!(write, 5, "begin, two notes and the end");
            break;
        }
        let report = runner(&world).recover().await.unwrap();
        if write < 4 {
            assert!(matches!(report[0].outcome, Recovery::Undone));
            assert_eq!(world.names(), ["old"]);
        } else {
            assert!(report.is_empty());
            assert_eq!(world.names(), intended);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_kind_is_kept_reported_and_holds_its_names() {
    let world = World::new();
    let faults = Faults { crash: Some(Crash::AfterWrite(2)), ..Faults::default() };
    let old = builder(&world).faults(faults.clone()).open(&world.journal()).unwrap();
    let request = || Request::new("Making").lock("file/web");
    let id = old.submit(Make { name: "web".to_owned() }, request()).unwrap().id();
    faults.crashed().await;
    old.abandon();

    let ignorant = Runner::builder(world.clone(), operations())
        .register::<Hold>()
        .open(&world.journal())
        .unwrap();
    let report = ignorant.recover().await.unwrap();
    assert_eq!((report[0].id, report[0].kind.as_str()), (id, "make"));
    assert_eq!(report[0].description, "Making");
    assert!(matches!(report[0].outcome, Recovery::Unreadable(Error::NotRegistered(_))));
    assert!(matches!(ignorant.submit(Hold, request()), Err(Error::Busy(_))));
    let retry = Stuck::new(&ignorant).activate(&world).await;
    assert_eq!(retry.errors.len(), 1);
    assert!(world.file("web").exists());

    let knowing = runner(&world);
    let report = knowing.recover().await.unwrap();
    assert!(matches!(report[0].outcome, Recovery::Undone));
    assert_eq!(world.names(), ["old"]);
    assert!(knowing.submit(Hold, request()).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_finds_the_resumed_operation_under_its_old_id() {
    let world = World::new();
    let faults = Faults { crash: Some(Crash::AfterStep(0)), ..Faults::default() };
    let old = builder(&world).faults(faults.clone()).open(&world.journal()).unwrap();
    let id = old.submit(Finish { name: "x".to_owned() }, Request::new("Finishing")).unwrap().id();
    faults.crashed().await;
    old.abandon();

    let new = runner(&world);
    let report = new.recover().await.unwrap();
    assert!(matches!(report[0].outcome, Recovery::Resumed(_)));
    let operation = new.operations().get(id).unwrap();
    assert_eq!(operation.wait().await, Status::Success);
    assert_eq!(world.names(), ["old", "one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_task_can_be_forgotten_by_hand() {
    let world = World::new();
    let runner = runner(&world);
    std::fs::create_dir_all(world.file("web.size")).unwrap();
    let request = || Request::new("Making").lock("file/web");
    let task = || Make { name: "web".to_owned() };
    let operation = runner.submit(task(), request()).unwrap();
    assert_eq!(operation.wait().await, Status::Failure);
    assert!(matches!(runner.submit(task(), request()), Err(Error::Busy(_))));
    runner.forget(operation.id()).await.unwrap();
    std::fs::remove_dir(world.file("web.size")).unwrap();
    runner.run(task(), request()).await.unwrap();
}
