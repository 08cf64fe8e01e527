use super::toy::*;
use crate::{Crash, Error, Faults, Recovery, Request, Status, Stuck};
use crate::{Reconciler, Runner};

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
