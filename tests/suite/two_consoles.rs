//! Several consoles on one engine: whoever is first acts, and everybody sees who it was.

use std::sync::Arc;
use std::time::Duration;

use hypocenter::engine::handle::EngineHandle;
use hypocenter::engine::model::{Person, Run, RunId, StepState};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;

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
    const ROUNDS: usize = 12;
    const CONSOLES: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), "0");
    let program = ground.program("act.sh");
    let names: Vec<String> = (0..ROUNDS.min(8)).map(|round| format!("step-{round}")).collect();
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
    for round in 0..names.len() {
        let offered = when(&handle, "an offer", |snapshot| {
            walking::run(snapshot).is_some_and(|run| *step(run, round) == StepState::Waiting)
        })
        .await;
        let token = Arc::clone(&walking::run(&offered).unwrap().steps[round].offer);
        let shown = walking::run(&offered).unwrap().shown();
        let answers = (0..CONSOLES).map(|console| {
            let (run, step, digest) = (RunId(1), round, Arc::clone(&token));
            // One of them passes it over instead.
            let request = if console == CONSOLES - 1 && round % 2 == 1 {
                Request::Skip { run, step, reason: "not needed".into(), digest: Arc::clone(&shown) }
            } else {
                Request::Approve { run, step, digest, typed_target: None }
            };
            handle.send(&Person::admin(&format!("person {console}")), request)
        });
        let mut done = 0;
        for answer in answers.collect::<Vec<_>>() {
            done += usize::from(matches!(answer.await.unwrap(), Reply::Done { .. }));
        }
        assert_eq!(done, 1, "round {round}");
        when(&handle, "the end of the step", |snapshot| {
            walking::run(snapshot).is_some_and(|run| step(run, round).is_passed())
        })
        .await;
    }
    let last = handle.snapshots().borrow().clone();
    let run = walking::run(&last).unwrap();
    let acted: Vec<String> = names
        .iter()
        .zip(&run.steps)
        .filter(|(_, step)| matches!(step.state, StepState::Succeeded { .. }))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(ground.lines(), acted, "each once, in order");
    for step in run.steps.iter().take(names.len()) {
        assert!(step.begun.len() <= 1);
        assert!(step.approved_by.as_deref().is_none_or(|by| by.starts_with("person ")));
    }
    drop(last);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}
