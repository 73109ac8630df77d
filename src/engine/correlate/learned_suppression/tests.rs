//! Habits over weeks, as the correlator hears them.

use super::*;
use crate::engine::clock::HOUR_MS;
use crate::engine::correlate::{CorrelationEvent, Correlator, Touched};
use crate::engine::model::{AlertNotice, SuppressionReason, SuppressionStage};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::fixtures::{Build, alert_notice};

/// A correlator on a world of two services, told of alerts hour after hour.
struct Weeks {
    world: World,
    correlator: Correlator,
    now: Timestamp,
}

impl Weeks {
    fn new(settings: &CorrelationSettings) -> Self {
        let world = Build::new().chain("web > cart").world();
        Self { world, correlator: Correlator::new(settings), now: Timestamp(0) }
    }

    fn tell(&mut self, notice: &AlertNotice) {
        let before = self.world.alerts.get(&notice.fingerprint);
        let alert = crate::engine::correlate::alerts::fold(before.map(AsRef::as_ref), notice, self.now);
        self.world.alerts.insert(notice.fingerprint, Arc::new(alert));
        self.step(&Touched { alerts: [notice.fingerprint].into(), ..Touched::default() });
    }

    fn step(&mut self, touched: &Touched) {
        let touched = Touched { is_tick: true, ..touched.clone() };
        let events: Vec<CorrelationEvent> = self.correlator.step(&self.world, &touched, self.now);
        events.iter().for_each(|event| event.apply(&mut self.world));
    }

    fn wait(&mut self, ms: i64) {
        self.now = self.now + ms;
        self.step(&Touched::default());
    }

    /// The disk of cart is told to be busy for five minutes, then quiet for the rest of an hour.
    fn busy_disk(&mut self, severity: Severity, act: impl FnOnce(&mut Self)) {
        let mut notice = alert_notice("DiskBusy", Some("cart"), severity, self.now.0 / 1_000);
        self.tell(&notice);
        self.wait(5 * MINUTE_MS);
        act(self);
        notice.state = AlertState::Resolved;
        notice.ends_at = Some(self.now);
        self.tell(&notice);
        for _ in 0..11 {
            self.wait(5 * MINUTE_MS);
        }
    }

    fn weeks_of_busy_disk(&mut self, hours: usize) {
        for _ in 0..hours {
            self.busy_disk(Severity::Warning, |_| {});
        }
    }

    fn mark(&self) -> Option<&SuppressionReason> {
        self.world.alerts.values().next()?.suppressed.as_ref()
    }

    fn rule(&self) -> Option<SuppressionRule> {
        self.correlator.suppression_rules().into_iter().next()
    }
}

/// Hours after which a habit told hourly is in force: three days, and a week on trial.
const HOURS: usize = 24 * 10 + 3;

#[test]
fn a_habit_is_set_aside_after_its_trial_and_says_how_that_went() {
    let mut weeks = Weeks::new(&CorrelationSettings::default());
    weeks.weeks_of_busy_disk(100);
    let rule = weeks.rule().unwrap();
    assert_eq!((rule.stage, rule.mattered), (SuppressionStage::Shadow, 0));
    assert!(rule.tried > 20, "{rule}");
    weeks.busy_disk(Severity::Warning, |weeks| {
        assert!(!matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })), "in shadow nothing is hidden");
    });
    weeks.weeks_of_busy_disk(HOURS - 101);
    weeks.busy_disk(Severity::Warning, |weeks| {
        let mark = weeks.mark().unwrap();
        assert!(matches!(mark, SuppressionReason::Learned { tried: 60.., mattered: 0 }), "{mark}");
    });
    assert_eq!(weeks.rule().unwrap().stage, SuppressionStage::InForce);
    weeks.busy_disk(Severity::Critical, |weeks| {
        assert!(!matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })), "critical ones are never set aside");
    });
}

#[test]
fn what_is_set_aside_joins_an_incident_at_its_place_and_one_that_matters_ends_the_rule() {
    let mut weeks = Weeks::new(&CorrelationSettings::default());
    weeks.weeks_of_busy_disk(HOURS);
    weeks.busy_disk(Severity::Warning, |weeks| {
        assert!(matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })));
        let errors = alert_notice("HighErrors", Some("cart"), Severity::Critical, weeks.now.0 / 1_000);
        weeks.tell(&errors);
        weeks.wait(2_000);
        let incident = weeks.world.incidents.values().next().unwrap().as_ref().clone();
        assert_eq!(incident.alerts.len(), 2, "the habit and what is none");
        let by = Incident { acknowledged_at: Some(weeks.now), ..incident };
        weeks.world.incidents.insert(by.id, Arc::new(by));
        weeks.wait(2 * MINUTE_MS);
    });
    let rule = weeks.rule().unwrap();
    assert_eq!((rule.stage, rule.mattered), (SuppressionStage::Withdrawn, 1));
    assert_eq!(rule.to_string(), "withdrawn: 1 of what it hid or would have hidden mattered");
}

#[test]
fn what_lasts_longer_than_it_ever_did_is_shown_again() {
    let mut weeks = Weeks::new(&CorrelationSettings::default());
    weeks.weeks_of_busy_disk(HOURS);
    weeks.busy_disk(Severity::Warning, |weeks| {
        assert!(matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })));
        weeks.wait(10 * MINUTE_MS);
        assert!(!matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })));
    });
}

#[test]
fn where_it_is_not_allowed_rules_stay_in_shadow() {
    let settings = CorrelationSettings { learned_suppression: false, ..CorrelationSettings::default() };
    let mut weeks = Weeks::new(&settings);
    weeks.weeks_of_busy_disk(HOURS);
    weeks.busy_disk(Severity::Warning, |weeks| {
        assert!(!matches!(weeks.mark(), Some(SuppressionReason::Learned { .. })));
    });
}

#[test]
fn what_was_learnt_is_kept() {
    let mut weeks = Weeks::new(&CorrelationSettings::default());
    weeks.weeks_of_busy_disk(HOURS);
    let kept = weeks.correlator.habits_to_keep().unwrap();
    assert_eq!(weeks.correlator.habits_to_keep(), None);
    let mut after = Correlator::new(&CorrelationSettings::default());
    after.restore_habits(&kept).unwrap();
    assert_eq!(after.suppression_rules(), weeks.correlator.suppression_rules());
    assert!(after.restore_habits("{}").is_err());
    assert!(HOUR_MS * HOURS as i64 <= weeks.now.0);
}
