//! Rollouts in the shop, on a virtual clock: planned and approved as by a person, carried out on the model.

use super::*;
use crate::engine::model::{Person, RolloutId};
use crate::engine::patches::rollout::RolloutRequest;
use crate::engine::patches::rollout::state::{Rollout, RolloutEnd, RolloutState};

/// A Tuesday afternoon.
const START: Timestamp = Timestamp(1_794_925_800_000);
/// A person reads a plan for so long before approving it.
const READING_S: usize = 40;

/// Nothing goes wrong by itself.
static QUIET: Scenario =
    Scenario { name: "quiet", title: "", story: "", expected: None, events: &[], is_batch_at_start: false };

struct Watched<'a> {
    play: Play<'a>,
    now: Timestamp,
}

impl<'a> Watched<'a> {
    fn new(scenario: &'static Scenario, seed: u64, keep: &'a mut dyn FnMut(&[Record])) -> Self {
        let play = Play::new(&Drill::new(scenario, seed, START, Approve::None), keep).unwrap();
        Self { play, now: START }
    }

    fn ask(&mut self, request: Request) {
        let id = RequestId(self.play.next_request);
        self.play.next_request += 1;
        self.play.hand_in(Input::Request { id, by: Person::admin("ana"), request }, self.now);
    }

    fn seconds(&mut self, count: usize) {
        for _ in 0..count {
            self.now = self.now + TICK_MS;
            self.play.tick(self.now);
        }
    }

    fn rollout(&mut self) -> Rollout {
        self.play.engine.snapshot(self.now).rollouts[0].rollout.clone()
    }

    /// Plans, reads and approves.
    fn plan_and_approve(&mut self, source: &str) {
        self.ask(Request::PlanRollout { source: Arc::from(source) });
        self.seconds(READING_S);
        let digest = self.rollout().plan.digest.clone();
        let request = RolloutRequest::Approve { by: String::new(), digest };
        self.ask(Request::Rollout { rollout: RolloutId(1), request });
    }

    /// How it ended, within so many minutes.
    fn end(&mut self, minutes: usize) -> (RolloutEnd, i64) {
        for _ in 0..minutes * 60 {
            if let RolloutState::Ended { end, at, .. } = self.rollout().state {
                return (end, at.since_ms(START) / SECOND_MS);
            }
            self.seconds(1);
        }
        panic!("{:#?}", self.rollout().targets);
    }

    fn lacking(&self, source: &str) -> Vec<String> {
        let keeping = Keeping::Memory(self.play.shop.office());
        let need = keeping.need(source, &[], &self.play.patches, self.now);
        need.map(|need| need.candidates.into_iter().map(|one| one.name).collect()).unwrap_or_default()
    }
}

#[test]
fn a_rollout_goes_through_staging_soak_and_production_to_its_end() {
    let mut keep = |_: &[Record]| {};
    let mut watched = Watched::new(&QUIET, 1, &mut keep);
    watched.plan_and_approve("nginx");
    assert_eq!(watched.lacking("nginx").len(), 6);
    let (end, took_s) = watched.end(30);
    assert_eq!(end, RolloutEnd::Done, "{:#?}", watched.rollout());
    assert_eq!(watched.lacking("nginx"), [""; 0]);
    assert!(took_s < 10 * 60, "nobody looks on for {took_s} s");
    assert_eq!(watched.play.engine.snapshot(watched.now).incidents.len(), 0);
}

#[test]
fn a_fix_that_breaks_staging_is_taken_back_before_production_has_it() {
    let mut keep = |_: &[Record]| {};
    let mut watched = Watched::new(&QUIET, 1, &mut keep);
    let before = watched.lacking("openjdk-17");
    watched.plan_and_approve("openjdk-17");
    let (end, _) = watched.end(30);
    assert_eq!(end, RolloutEnd::RolledBack, "{:#?}", watched.rollout());
    assert_eq!(watched.lacking("openjdk-17"), before);
    let incidents = watched.play.engine.snapshot(watched.now).incidents.clone();
    assert!(incidents.iter().any(|incident| incident.title.contains("openjdk-17")), "{incidents:#?}");
}
