//! Several consoles on one engine: whoever is first acts, and everybody sees who it was.

use std::sync::Arc;
use std::time::Duration;

use hypocenter::engine::handle::EngineHandle;
use hypocenter::engine::model::{Person, Run, RunId, RunStep, StepState};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use tokio::sync::Barrier;

use super::walking::{self, Ground, INCIDENT};

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn when(handle: &EngineHandle, what: &str, is_so: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
    let mut snapshots = handle.snapshots();
    let seen = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_so)).await;
    seen.unwrap_or_else(|_| panic!("never: {what}")).unwrap().clone()
}

fn step(run: &Run, at: usize) -> &StepState {
    &run.steps[at].state
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_approve_the_same_step_exactly_one_is_obeyed() {
    const ROUNDS: usize = 8;
    const CONSOLES: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let program = ground.program("act.sh");
    let names: Vec<String> = (0..ROUNDS).map(|round| format!("step-{round}")).collect();
    let mut steps: Vec<(&str, String)> =
        names.iter().map(|name| (name.as_str(), walking::act(&program, name, ""))).collect();
    steps.push(("home", walking::verify()));
    let mut runtime = ground.runtime(&walking::page(&steps));
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    when(&handle, "a proposal", |snapshot| snapshot.proposals.get(&INCIDENT).is_some_and(|all| !all.is_empty())).await;
    let start = walking::start(&handle.snapshots().borrow());
    let begun = handle.send(&Person::admin("ana"), start).await.unwrap();
    assert!(matches!(begun, Reply::Done { .. }), "{begun:?}");
    for round in 0..ROUNDS {
        let offered = when(&handle, "an offer", |snapshot| {
            walking::run(snapshot).is_some_and(|run| *step(run, round) == StepState::Waiting)
        })
        .await;
        let token = Arc::clone(&walking::run(&offered).unwrap().steps[round].offer);
        let shown = walking::run(&offered).unwrap().shown();
        // Another one each time passes it over instead; in every other round that one is there before all others are let go.
        let (skipper, is_first) = (round % CONSOLES, round % 2 == 1);
        let begin = Arc::new(Barrier::new(CONSOLES));
        let consoles = (0..CONSOLES).map(|console| {
            let (run, step, digest, handle) = (RunId(1), round, Arc::clone(&token), handle.clone());
            let (begin, shown) = (Arc::clone(&begin), Arc::clone(&shown));
            let person = Person::admin(&format!("person {console}"));
            tokio::spawn(async move {
                if console != skipper {
                    begin.wait().await;
                    return handle.send(&person, Request::Approve { run, step, digest, typed_target: None }).await;
                }
                let skip = Request::Skip { run, step, reason: "not needed".into(), digest: shown };
                if is_first {
                    let answer = handle.send(&person, skip);
                    begin.wait().await;
                    return answer.await;
                }
                begin.wait().await;
                handle.send(&person, skip).await
            })
        });
        let mut obeyed = Vec::new();
        for (console, answer) in consoles.collect::<Vec<_>>().into_iter().enumerate() {
            if matches!(answer.await.unwrap().unwrap(), Reply::Done { .. }) {
                obeyed.push(console);
            }
        }
        assert_eq!(obeyed.len(), 1, "round {round}: {obeyed:?}");
        assert!(!is_first || obeyed == [skipper], "round {round}: {obeyed:?} and not {skipper}, who was first");
        when(&handle, "the end of the step", |snapshot| {
            walking::run(snapshot).is_some_and(|run| step(run, round).is_passed())
        })
        .await;
    }
    let last = handle.snapshots().borrow().clone();
    let run = walking::run(&last).unwrap();
    let is_done = |step: &&RunStep| matches!(step.state, StepState::Succeeded { .. });
    let acted: Vec<&String> =
        names.iter().zip(&run.steps).filter(|(_, step)| is_done(step)).map(|(name, _)| name).collect();
    assert_eq!(ground.lines().iter().collect::<Vec<_>>(), acted, "each once, in order");
    assert!(acted.len() <= ROUNDS / 2, "some were passed over");
    for step in run.steps.iter().take(ROUNDS) {
        assert!(step.begun.len() <= 1);
        assert!(step.approved_by.as_deref().is_none_or(|by| by.starts_with("person ")));
    }
    drop(last);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}
