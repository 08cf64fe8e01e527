//! The laws every task keeps, as a test a task's author calls.
//!
//! `check` runs a task over and over, each time in a fresh world, and lets one thing go wrong:
//! - each step fails, before and after its effect: the world is as before;
//! - somebody cancels before each step: the world is as before;
//! - each step runs twice: the world is as intended;
//! - each step fails and each undo runs twice: the world is as before;
//! - every undo fails at first: the task is stuck, and the retry leaves the world as before;
//! - the process ends around each journal write, on the way forward and on the way back, and after
//!   each step's effect; also with a power cut, which loses what was not made durable: after the next
//!   start the world is as before or as intended.
//!
//! Past a point of no return "as before" becomes "as intended", after a retry.
//!
//! A task that writes into what is there, and resumes, is not all or nothing. `check_repeatable` lets the
//! same things go wrong, and asks for less: what is left makes sense, and asked for once more the
//! world is as intended. After a crash that no failure came with it is so at once.
//!
//! What the laws cannot see: whether `observe` looks at all a task may leave behind. It should list
//! everything of the world, not only the one thing the task makes.

mod scene;

use std::fmt::Debug;
use std::sync::Arc;

use crate::faults::{Crash, Fail, Faults};
use crate::operation::Status;
use crate::{AfterCrash, Task};
use scene::{Outcome, Scene};

/// Journal writes after which even a long task has ended.
const WRITES: u64 = 200;

/// Checks all laws of a task.
///
/// `world` makes a fresh world, always the same; `task` the input; `observe` tells all there is to
/// see in a world. Must be called inside tokio.
///
/// # Panics
/// When a law is broken, with the list of all that are.
pub async fn check<T: Task, O: PartialEq + Debug>(
    world: impl AsyncFn() -> Arc<T::World>,
    task: impl Fn() -> T,
    observe: impl AsyncFn(&T::World) -> O,
) {
    check_decided(usize::MAX, world, task, observe).await;
}

/// Checks the laws of a task that can be asked for again and again until it comes to its end.
///
/// `task` makes the input from the world as it is, as a new request would; `sane` says what is wrong
/// with what a fault has left, if so. The rest as with [`check`].
///
/// # Panics
/// When a law is broken, with the list of all that are.
pub async fn check_repeatable<T: Task, O: PartialEq + Debug>(
    world: impl AsyncFn() -> Arc<T::World>,
    task: impl Fn() -> T,
    observe: impl AsyncFn(&T::World) -> O,
    sane: impl Fn(&O) -> Result<(), String>,
) {
    let decides = usize::MAX;
    let mut laws = Laws { world, task, observe, decides, seen: None, broken: Vec::new() };
    laws.undisturbed().await;
    if laws.broken.is_empty() {
        for faults in repeatable::<T>() {
            laws.again(&faults, &sane).await;
        }
    }
    judge::<T>(&laws.broken);
}

/// Checks all laws of a task whose step of that number, counted from 0, leaves the decision to somebody else: once it
/// has had its effect, the task can only follow. The rest as with [`check`].
///
/// # Panics
/// When a law is broken, with the list of all that are.
pub async fn check_decided<T: Task, O: PartialEq + Debug>(
    decides: usize,
    world: impl AsyncFn() -> Arc<T::World>,
    task: impl Fn() -> T,
    observe: impl AsyncFn(&T::World) -> O,
) {
    let mut laws = Laws { world, task, observe, decides, seen: None, broken: Vec::new() };
    laws.all().await;
    judge::<T>(&laws.broken);
}

/// Checks the laws that matter most, of a task whose worlds take long to make: each step runs twice, each
/// fails once, and the process ends around each journal write on the way forward.
///
/// # Panics
/// When a law is broken, with the list of all that are.
pub async fn check_briefly<T: Task, O: PartialEq + Debug>(
    world: impl AsyncFn() -> Arc<T::World>,
    task: impl Fn() -> T,
    observe: impl AsyncFn(&T::World) -> O,
) {
    check_decided_briefly(usize::MAX, world, task, observe).await;
}

/// The same of a task whose step of that number leaves the decision to somebody else, as with [`check_decided`].
///
/// # Panics
/// When a law is broken, with the list of all that are.
pub async fn check_decided_briefly<T: Task, O: PartialEq + Debug>(
    decides: usize,
    world: impl AsyncFn() -> Arc<T::World>,
    task: impl Fn() -> T,
    observe: impl AsyncFn(&T::World) -> O,
) {
    let mut laws = Laws { world, task, observe, decides, seen: None, broken: Vec::new() };
    laws.undisturbed().await;
    if laws.broken.is_empty() {
        let twice = Faults { twice: true, ..Faults::default() };
        laws.law("every step twice".to_owned(), twice, Expect::Intended).await;
        for step in 0..steps::<T>() {
            let fail = Some(Fail::After(step));
            let faults = Faults { fail, ..Faults::default() };
            let expect = laws.after_failure(Fail::After(step));
            laws.law(format!("fail {fail:?}"), faults, expect).await;
        }
        laws.crash_around_writes(None, 1, false, Expect::Either).await;
    }
    judge::<T>(&laws.broken);
}

fn judge<T: Task>(broken: &[String]) {
    let (count, list) = (broken.len(), broken.join("\n"));
    assert!(count == 0, "task {:?} breaks {count} laws:\n{list}", T::KIND);
}

/// What goes wrong with a task that is asked for again.
fn repeatable<T: Task>() -> Vec<Faults> {
    let mut all = vec![Faults { twice: true, ..Faults::default() }];
    for step in 0..steps::<T>() {
        for fail in [Fail::Before(step), Fail::After(step)] {
            for twice in [false, true] {
                all.push(Faults { fail: Some(fail), twice, ..Faults::default() });
            }
        }
        all.push(Faults { cancel_before: Some(step), ..Faults::default() });
        for lose_writes in [false, true] {
            let crash = Some(Crash::AfterStep(step));
            all.push(Faults { crash, lose_writes, ..Faults::default() });
            let fail = Some(Fail::After(step));
            let crash = Some(Crash::AfterWrite(step as u64 + 2));
            all.push(Faults { fail, crash, lose_writes, ..Faults::default() });
        }
    }
    all
}

/// What a law expects to see in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Before,
    Intended,
    Either,
}

struct Laws<W, M, V, O> {
    world: W,
    task: M,
    observe: V,
    /// The step that leaves the decision to somebody else.
    decides: usize,
    /// The world before and after an undisturbed run.
    seen: Option<(O, O)>,
    broken: Vec<String>,
}

impl<T, W, M, V, O> Laws<W, M, V, O>
where
    T: Task,
    W: AsyncFn() -> Arc<T::World>,
    M: Fn() -> T,
    V: AsyncFn(&T::World) -> O,
    O: PartialEq + Debug,
{
    async fn all(&mut self) {
        self.undisturbed().await;
        if self.broken.is_empty() {
            self.failures().await;
            self.repeats().await;
            self.crashes().await;
        }
    }

    async fn undisturbed(&mut self) {
        let world = (self.world)().await;
        let before = (self.observe)(&world).await;
        match Scene::new().play((self.task)(), &world, &Faults::default()).await {
            Ok(Outcome::Ended(Status::Success, _)) => {
                self.seen = Some((before, (self.observe)(&world).await));
            }
            other => self.broken.push(format!("- undisturbed: {other:?}")),
        }
    }

    async fn failures(&mut self) {
        for step in 0..steps::<T>() {
            for fail in [Fail::Before(step), Fail::After(step)] {
                let faults = Faults { fail: Some(fail), ..Faults::default() };
                let expect = self.after_failure(fail);
                self.law(format!("fail {fail:?}"), faults, expect).await;
                let faults = Faults { fail: Some(fail), fail_undo: true, ..Faults::default() };
                let name = format!("fail {fail:?}, undos too, then retry");
                self.law(name, faults, expect).await;
            }
            let faults = Faults { cancel_before: Some(step), ..Faults::default() };
            let late = step > no_return::<T>().min(self.decides);
            let expect = if late { Expect::Intended } else { Expect::Before };
            self.law(format!("cancel before step {step}"), faults, expect).await;
        }
    }

    async fn repeats(&mut self) {
        let twice = Faults { twice: true, ..Faults::default() };
        self.law("every step twice".to_owned(), twice.clone(), Expect::Intended).await;
        for step in 0..steps::<T>() {
            let faults = Faults { fail: Some(Fail::After(step)), ..twice.clone() };
            let name = format!("fail after step {step}, steps and undos twice");
            let expect = self.after_failure(Fail::After(step));
            self.law(name, faults, expect).await;
        }
    }

    async fn crashes(&mut self) {
        let last = steps::<T>() - 1;
        for lose_writes in [false, true] {
            for step in 0..=last {
                let crash = Some(Crash::AfterStep(step));
                let faults = Faults { crash, lose_writes, ..Faults::default() };
                self.law(name("", crash, lose_writes), faults, Expect::Either).await;
            }
            self.crash_around_writes(None, 1, lose_writes, Expect::Either).await;
            for step in 0..=last {
                let fail = Some(Fail::After(step));
                // A crash before the failure is noted lets a task that resumes go forward again.
                let unwinds = T::AFTER_CRASH == AfterCrash::Unwind;
                let expect = self.after_failure(Fail::After(step));
                let expect = if unwinds { expect } else { Expect::Either };
                // The journal's begin and a note for each step came before: without the failure yet,
                // so those crashes were played above.
                let first = step as u64 + 2;
                self.crash_around_writes(fail, first, lose_writes, expect).await;
            }
        }
    }

    /// Crashes before and after the first of these writes, the next, and so on until the task ends
    /// first. Writes are counted from 1.
    async fn crash_around_writes(
        &mut self,
        fail: Option<Fail>,
        first: u64,
        lose_writes: bool,
        end: Expect,
    ) {
        for make in [Crash::BeforeWrite as fn(u64) -> Crash, Crash::AfterWrite] {
            for write in first..=WRITES {
                let crash = Some(make(write));
                let faults = Faults { fail, crash, lose_writes, ..Faults::default() };
                let failing = fail.map(|fail| format!("fail {fail:?}, "));
                let name = name(&failing.unwrap_or_default(), crash, lose_writes);
                // A crash may come before the failure does.
                let expect = if end == Expect::Before { end } else { Expect::Either };
                if !self.law(name, faults, expect).await {
                    break;
                }
            }
        }
    }

    /// What is left after a failure.
    fn after_failure(&self, fail: Fail) -> Expect {
        let intended = match fail {
            Fail::Before(step) => step >= no_return::<T>() || step > self.decides,
            Fail::After(step) => step >= no_return::<T>().min(self.decides),
        };
        if intended { Expect::Intended } else { Expect::Before }
    }

    /// Plays one scene in a fresh world, looks at what is left, and asks for the task again.
    async fn again(&mut self, faults: &Faults, sane: &impl Fn(&O) -> Result<(), String>) {
        let world = (self.world)().await;
        let done = async {
            let crashed = play(&world, (self.task)(), faults).await?;
            let now = (self.observe)(&world).await;
            sane(&now)?;
            if faults.twice && faults.fail.is_none() || crashed && faults.fail.is_none() {
                self.compare(&now, Expect::Intended)?;
            }
            play(&world, (self.task)(), &Faults::default()).await?;
            self.compare(&(self.observe)(&world).await, Expect::Intended)
        };
        if let Err(why) = done.await {
            let Faults { fail, crash, cancel_before, twice, lose_writes, .. } = faults;
            self.broken.push(format!(
                "- fail {fail:?}, crash {crash:?}, cancel before {cancel_before:?}, twice {twice}, \
                 power cut {lose_writes}: {why}"
            ));
        }
    }

    /// Plays one scene in a fresh world and compares; true if it came to a crash.
    async fn law(&mut self, name: String, faults: Faults, expect: Expect) -> bool {
        let world = (self.world)().await;
        let result = match play(&world, (self.task)(), &faults).await {
            Err(why) => Err(why),
            Ok(crashed) => {
                let now = (self.observe)(&world).await;
                self.compare(&now, expect).map(|()| crashed)
            }
        };
        result.unwrap_or_else(|why| {
            self.broken.push(format!("- {name}: {why}"));
            false
        })
    }

    fn compare(&self, now: &O, expect: Expect) -> Result<(), String> {
        let Some((before, intended)) = &self.seen else { return Ok(()) };
        let fits = match expect {
            Expect::Before => now == before,
            Expect::Intended => now == intended,
            Expect::Either => now == before || now == intended,
        };
        if fits {
            return Ok(());
        }
        Err(format!(
            "the world is not {expect:?}\n  is       {now:?}\n  before   {before:?}\n  intended {intended:?}"
        ))
    }
}

/// Runs a task with faults, and settles what it leaves behind; true if it came to a crash.
async fn play<T: Task>(world: &Arc<T::World>, task: T, faults: &Faults) -> Result<bool, String> {
    let scene = Scene::new();
    let outcome = scene.play(task, world, faults).await?;
    if !matches!(outcome, Outcome::Ended(_, false)) {
        scene.settle::<T>(world, faults).await?;
    }
    match (outcome, faults.cancel_before, faults.fail) {
        (Outcome::Ended(Status::Failure, _), Some(_), _) => Err("failed, not cancelled".to_owned()),
        (Outcome::Ended(Status::Success, _), _, Some(_)) => {
            Err("success in spite of it".to_owned())
        }
        (outcome, _, _) => Ok(matches!(outcome, Outcome::Crashed)),
    }
}

fn name(prefix: &str, crash: Option<Crash>, power_cut: bool) -> String {
    let end = if power_cut { "power cut" } else { "crash" };
    format!("{prefix}{end} {}", crash.map(|crash| format!("{crash:?}")).unwrap_or_default())
}

fn steps<T: Task>() -> usize {
    T::steps().len()
}

/// The first step that cannot be undone; the number of steps if all can.
fn no_return<T: Task>() -> usize {
    T::steps().iter().position(|step| step.no_return).unwrap_or(steps::<T>())
}
