//! The Runbook pane for every kind of step and every way a run can stand, at 80x24 and wide; and what the policy shows.

use std::sync::Arc;

use hypocenter::engine::clock::MINUTE_MS;
use hypocenter::engine::model::{
    Approval, AutonomyStatus, Beginning, Case, Choice, Goto, IncidentId, KillSwitch, MetricGoal, Purpose, Run, RunId,
    RunState, ShadowRecord, StepEffect, StepKind, StepState, When,
};
use hypocenter::engine::snapshot::{AutonomyMode, Snapshot};
use hypocenter::views::ui_state::{Overlay, Pane, UiState};

use super::fixtures::{self, at};
use super::views::{on, shown};

/// The run in whose second step everything happens.
fn with(change: impl FnOnce(&mut Run)) -> Snapshot {
    let mut run = fixtures::run();
    change(&mut run);
    let mut snapshot = fixtures::live();
    snapshot.runs = vec![Arc::new(run)];
    snapshot
}

/// The same with another kind of step in place of the act.
fn instead(title: &str, kind: StepKind, state: StepState) -> Snapshot {
    with(|run| {
        let step = &mut run.steps[1];
        step.bound = fixtures::step("step", title, kind, StepEffect::None, "nothing");
        step.state = state;
        step.gate_text = "".into();
    })
}

fn metric() -> MetricGoal {
    MetricGoal { metric: "replica_lag".into(), service: "auth-db".into(), below: Some(5.0), above: None }
}

fn begun(purpose: Purpose) -> Beginning {
    Beginning { id: "1d9c".into(), at: at("14:32:52"), by: "you".into(), purpose, is_void: false }
}

fn scenes() -> Vec<(&'static str, Snapshot)> {
    let choices = [("it answers again", Goto::Next), ("it does not", Goto::Escalate)];
    let choices = choices.map(|(text, goto)| Choice { text: text.into(), goto }).to_vec();
    let ask = StepKind::Ask { question: "Does the page of the shop answer from outside?".into(), choices };
    let case = Case { when: When::Met { step: "check".into(), is_met: false }, goto: Goto::Next };
    let branch = StepKind::Branch { cases: vec![case], otherwise: Goto::Escalate };
    let wait = |until| StepKind::Wait { for_ms: 2 * MINUTE_MS, until };
    let notify = StepKind::Notify {
        channel: "stakeholders".into(),
        text: "The rule is going back; expect errors for a minute".into(),
    };
    let you: Arc<str> = "you".into();
    vec![
        ("ask", instead("does it answer?", ask, StepState::Waiting)),
        ("branch", instead("by what was seen", branch, StepState::Waiting)),
        ("wait", instead("let caches fill", wait(None), StepState::Elapsing { until: at("14:35:00") })),
        ("wait_until", instead("until the replica is level", wait(Some(metric())), StepState::Waiting)),
        ("notify", instead("tell stakeholders", notify, StepState::Waiting)),
        (
            "paused",
            with(|run| {
                run.state = RunState::Paused;
                run.word =
                    "worse since step 1 of RUN-3 (replication and reachability): checkout error_ratio departs".into();
            }),
        ),
        (
            "running",
            with(|run| {
                run.steps[1].state = StepState::Running { since: at("14:32:52"), purpose: Purpose::Run };
                run.steps[1].begun = vec![begun(Purpose::Run)];
                run.steps[1].output = vec!["networkpolicy.networking.k8s.io/gke-prod-firewall-rule".into()];
            }),
        ),
        (
            "unknown",
            with(|run| {
                run.state = RunState::Interrupted;
                run.steps[1].state = StepState::Unknown { since: at("14:32:52") };
                run.steps[1].begun = vec![begun(Purpose::Run)];
            }),
        ),
        (
            "undone",
            with(|run| {
                run.state = RunState::Paused;
                run.word = "step 2 was taken back".into();
                run.steps[1].state = StepState::Undone { at: at("14:33:10"), by: Arc::clone(&you) };
                run.steps[1].begun = vec![begun(Purpose::Run), begun(Purpose::Undo)];
            }),
        ),
        (
            "two_people",
            with(|run| {
                let step = &mut run.steps[1];
                if let StepKind::Act(act) = &mut step.bound.spec.kind {
                    act.approvals = 2;
                }
                step.approvals = vec![Approval { by: Arc::clone(&you), at: at("14:32:55"), offer: "3f9a".into() }];
                step.needs_target = true;
            }),
        ),
        ("by_itself", with(|run| run.steps[1].begins_at = Some(at("14:34:10")))),
        (
            "killed",
            Snapshot {
                kill: Some(kill()),
                ..with(|run| {
                    run.steps[1].is_denied = true;
                    run.steps[1].gate_text = "the kill switch is on since 14:30:00, by ana: the wrong cluster".into();
                })
            },
        ),
    ]
}

fn kill() -> KillSwitch {
    KillSwitch { at: at("14:30:00"), by: "ana".into(), reason: "the wrong cluster".into() }
}

#[test]
fn every_kind_of_step_and_every_way_a_run_can_stand() {
    for (name, snapshot) in scenes() {
        for (width, height) in [(80, 24), (140, 40)] {
            let screen = shown(&snapshot, &on(Pane::Runbook), width, height);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen);
        }
    }
}

#[test]
fn the_policy_says_what_holds_acts_back() {
    let ui = UiState { overlay: Overlay::Policy { offset: 0 }, ..on(Pane::Now) };
    insta::assert_snapshot!("policy_quiet_80x24", shown(&fixtures::live(), &ui, 80, 24));
    use hypocenter::engine::model::ActionKind::{Restart, Rollback};
    let snapshot = Snapshot {
        mode: AutonomyMode::Assist,
        kill: Some(kill()),
        autonomy: AutonomyStatus {
            breaker: [(IncidentId(42), "2 acts of INC-42 failed or were not verified".into())].into(),
            freezes: vec![("year's end".into(), at("18:00:00"), Some("payment.*".into()))],
            assist: vec![Rollback],
            trials: [
                (Rollback, ShadowRecord { agreed: 21, differed: 1 }),
                (Restart, ShadowRecord { agreed: 3, differed: 2 }),
            ]
            .into(),
            trials_min: 20,
            hour: (12, 12),
            cooldown_ms: 600_000,
            cooling: [("deployment/payment".into(), (at("14:40:00"), RunId(7)))].into(),
        },
        ..fixtures::live()
    };
    insta::assert_snapshot!("policy_held_80x24", shown(&snapshot, &ui, 80, 24));
}
