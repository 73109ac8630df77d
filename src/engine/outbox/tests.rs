//! What is told when, to whom, how often, and what a restart makes of it.

use proptest::prelude::*;

use super::*;
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::limits::{DELIVERIES_OVER_MAX, DELIVERIES_WAITING_MAX, DELIVERY_PAUSE_MS_MAX};
use crate::engine::settings::{JiraSettings, PagerdutySettings, ServicenowSettings, SlackSettings};

const START: Timestamp = Timestamp(1_793_577_600_000);

fn everywhere() -> OutboundSettings {
    OutboundSettings {
        servicenow: Some(ServicenowSettings::default()),
        jira: Some(JiraSettings::default()),
        slack: Some(SlackSettings::default()),
        pagerduty: Some(PagerdutySettings::default()),
        ..OutboundSettings::default()
    }
}

fn slack_only() -> OutboundSettings {
    OutboundSettings { slack: Some(SlackSettings::default()), ..OutboundSettings::default() }
}

fn records_only() -> OutboundSettings {
    OutboundSettings { servicenow: Some(ServicenowSettings::default()), ..OutboundSettings::default() }
}

fn message(event: OutwardEvent, thread: &str) -> OutwardMessage {
    OutwardMessage {
        event,
        thread: thread.into(),
        title: "title".into(),
        text: "text".into(),
        severity: Some(IncidentSeverity::Sev1),
        service: None,
        by: None,
        at: START,
        began_at: None,
        has_taken_effect: None,
    }
}

fn delivered(reference: &str) -> DeliveryOutcome {
    DeliveryOutcome::Delivered { reference: reference.into() }
}

fn failed(may_have_arrived: bool) -> DeliveryOutcome {
    DeliveryOutcome::Retry { reason: "down".into(), after_ms: None, may_have_arrived }
}

fn report(attempt: &DeliveryAttempt, outcome: DeliveryOutcome) -> DeliveryReport {
    DeliveryReport { number: attempt.delivery.number, attempt: attempt.delivery.attempt_count, outcome }
}

/// The one try that is begun.
fn begin(outbox: &mut Outbox, now: Timestamp) -> DeliveryAttempt {
    let attempts = outbox.begin_due(now).attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts.into_iter().next().unwrap()
}

#[test]
fn everyone_is_told_what_is_theirs_and_once() {
    let mut outbox = Outbox::new(&everywhere());
    let told = |turned: &Turned| turned.changed.iter().map(|it| it.destination).collect::<Vec<_>>();
    let opened = message(OutwardEvent::IncidentOpened, "INC-1");
    let turned = outbox.enqueue("INC-1/opened", None, &opened, START);
    assert_eq!(told(&turned), [Destination::Slack, Destination::Pagerduty]);
    assert_eq!(outbox.enqueue("INC-1/opened", None, &opened, START), Turned::default(), "the same once more");
    let act = message(OutwardEvent::ActBegan, "RUN-1/a/1");
    let turned = outbox.enqueue("RUN-1/a/1/began", None, &act, START);
    assert_eq!(told(&turned), [Destination::Servicenow, Destination::Jira]);
    let mild = OutwardMessage { severity: Some(IncidentSeverity::Sev3), ..opened };
    assert_eq!(told(&outbox.enqueue("INC-2/opened", None, &mild, START)), [Destination::Slack]);
    let milder = OutwardMessage { severity: Some(IncidentSeverity::Sev4), ..mild };
    assert_eq!(told(&outbox.enqueue("INC-3/opened", None, &milder, START)), []);
    assert!(Outbox::new(&OutboundSettings::default()).is_idle());
}

#[test]
fn pauses_grow_up_to_a_quarter_of_an_hour_and_the_other_sides_wish_counts() {
    let mut outbox = Outbox::new(&records_only());
    outbox.enqueue("a", None, &message(OutwardEvent::ActBegan, "a"), START);
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..14 {
        let attempt = begin(&mut outbox, now);
        assert!(outbox.begin_due(now).attempts.is_empty(), "one at a time");
        let turned = outbox.take_report(&report(&attempt, failed(false)), now);
        let DeliveryState::Waiting { next_try_at, .. } = turned.changed[0].state else { panic!("{turned:?}") };
        assert!(outbox.begin_due(next_try_at - 1).attempts.is_empty());
        pauses.push(next_try_at.since_ms(now));
        now = next_try_at;
    }
    for (index, pause) in (0_u32..).zip(&pauses) {
        let plain = (SECOND_MS << index.min(20)).min(DELIVERY_PAUSE_MS_MAX);
        assert!((plain * 8 / 10..=plain * 12 / 10).contains(pause), "{index}: {pause}");
    }
    let attempt = begin(&mut outbox, now);
    let asked =
        DeliveryOutcome::Retry { reason: "429".into(), after_ms: Some(40 * MINUTE_MS), may_have_arrived: false };
    outbox.take_report(&report(&attempt, asked), now);
    assert_eq!(outbox.status().destinations[0].retry_at, Some(now + 40 * MINUTE_MS));
}

#[test]
fn a_thread_goes_in_order_and_hands_on_what_the_other_side_calls_it() {
    let mut outbox = Outbox::new(&records_only());
    outbox.enqueue("a/began", None, &message(OutwardEvent::ActBegan, "a"), START);
    outbox.enqueue("a/ended", None, &message(OutwardEvent::ActEnded, "a"), START);
    outbox.enqueue("b/began", None, &message(OutwardEvent::ActBegan, "b"), START);
    let first = begin(&mut outbox, START);
    assert_eq!((first.delivery.key.as_ref(), first.reference.clone()), ("servicenow/a/began", None));
    outbox.take_report(&report(&first, failed(false)), START);
    // The end of `a` waits for its beginning; `b` does not.
    let now = START + MINUTE_MS;
    let second = begin(&mut outbox, now);
    assert_eq!(second.delivery.key.as_ref(), "servicenow/b/began");
    outbox.take_report(&report(&second, delivered("CHG2")), now);
    let third = begin(&mut outbox, now);
    assert_eq!(third.delivery.key.as_ref(), "servicenow/a/began");
    outbox.take_report(&report(&third, delivered("CHG1")), now);
    let fourth = begin(&mut outbox, now);
    assert_eq!((fourth.delivery.key.as_ref(), fourth.reference.as_deref()), ("servicenow/a/ended", Some("CHG1")));
}

#[test]
fn what_is_refused_or_tried_too_often_is_given_up_with_its_reason() {
    let mut outbox = Outbox::new(&slack_only());
    outbox.enqueue("a", None, &message(OutwardEvent::IncidentOpened, "a"), START);
    outbox.enqueue("b", None, &message(OutwardEvent::IncidentOpened, "b"), START);
    let attempt = begin(&mut outbox, START);
    outbox.take_report(&report(&attempt, DeliveryOutcome::Refused { reason: "404 no_service".into() }), START);
    let status = outbox.status();
    assert_eq!(status.destinations[0].last_problem.as_deref(), Some("404 no_service"));
    assert_eq!((status.given_up.len(), status.pending.len()), (1, 1));
    assert_eq!(status.destinations[0].retry_at, None, "the next one waits for nothing");
    let mut now = START;
    let mut tries = 0;
    while outbox.status().destinations[0].pending_count > 0 {
        now = now + 20 * MINUTE_MS;
        let attempt = begin(&mut outbox, now);
        outbox.take_report(&report(&attempt, failed(false)), now);
        tries += 1;
    }
    assert_eq!(tries, NOTIFICATION_TRIES_MAX);
    let DeliveryState::GivenUp { reason, .. } = &outbox.status().given_up[0].state else { panic!() };
    assert!(reason.contains("16 tries: down"), "{reason}");
}

#[test]
fn a_late_report_of_an_earlier_try_says_nothing() {
    let mut outbox = Outbox::new(&records_only());
    outbox.enqueue("a", None, &message(OutwardEvent::ActBegan, "a"), START);
    let first = begin(&mut outbox, START);
    let later = START + DELIVERY_OVERDUE_MS + 1;
    outbox.begin_due(later);
    let second = begin(&mut outbox, later + MINUTE_MS);
    assert!(second.may_have_arrived, "nothing was heard of the first try");
    assert_eq!(outbox.take_report(&report(&first, failed(false)), later), Turned::default());
    assert!(!outbox.take_report(&report(&second, delivered("x")), later).changed.is_empty());
    assert_eq!(outbox.take_report(&report(&second, delivered("x")), later), Turned::default());
}

#[test]
fn slack_is_never_told_twice_what_may_have_arrived() {
    let mut outbox = Outbox::new(&slack_only());
    outbox.enqueue("a", None, &message(OutwardEvent::IncidentOpened, "a"), START);
    let attempt = begin(&mut outbox, START);
    outbox.take_report(&report(&attempt, failed(true)), START);
    assert!(outbox.status().pending.is_empty());
    assert!(outbox.begin_due(START + MINUTE_MS).attempts.is_empty());
}

#[test]
fn after_a_restart_what_waits_is_told_and_what_was_under_way_by_where_it_goes() {
    let mut before = Outbox::new(&everywhere());
    let mut kept = BTreeMap::new();
    let mut keep = |turned: Turned| {
        for delivery in turned.changed {
            kept.insert(delivery.number, delivery);
        }
    };
    keep(before.enqueue("a/began", None, &message(OutwardEvent::ActBegan, "a"), START));
    keep(before.enqueue("i", None, &message(OutwardEvent::IncidentOpened, "i"), START));
    keep(before.begin_due(START));
    keep(before.enqueue("a/ended", None, &message(OutwardEvent::ActEnded, "a"), START));
    let settings = OutboundSettings { jira: None, ..everywhere() };
    let mut after = Outbox::new(&settings);
    for delivery in kept.into_values() {
        after.restore(delivery);
    }
    let now = START + MINUTE_MS;
    after.recover(now);
    let given_up: Vec<String> = after.status().given_up.iter().map(|it| it.key.to_string()).collect();
    assert_eq!(given_up, ["jira/a/ended", "slack/i", "jira/a/began"]);
    let problems: Vec<bool> = after.status().destinations.iter().map(|it| it.last_problem.is_some()).collect();
    assert_eq!(problems, [true, true, true], "what was wrong is shown again");
    assert!(after.begin_due(now).attempts.is_empty(), "what arrived can be found by then");
    let attempts = after.begin_due(now + DELIVERY_SETTLE_MS).attempts;
    let begun: Vec<(&str, bool)> = attempts.iter().map(|it| (it.delivery.key.as_ref(), it.may_have_arrived)).collect();
    assert_eq!(begun, [("servicenow/a/began", true), ("pagerduty/i", true)]);
    assert_eq!(after.enqueue("i", None, &message(OutwardEvent::IncidentOpened, "i"), now), Turned::default());
}

#[test]
fn too_many_make_room_notifications_first_and_are_counted() {
    let mut outbox = Outbox::new(&everywhere());
    outbox.enqueue("act", None, &message(OutwardEvent::ActBegan, "act"), START);
    for number in 0..DELIVERIES_WAITING_MAX {
        outbox.enqueue(&format!("{number}"), None, &message(OutwardEvent::IncidentOpened, "i"), START);
    }
    let waiting = outbox.deliveries.values().filter(|it| it.is_pending());
    assert_eq!(waiting.clone().count(), DELIVERIES_WAITING_MAX);
    assert!(waiting.clone().any(|it| it.message.event == OutwardEvent::ActBegan));
    assert_eq!(outbox.status().dropped_count, DELIVERIES_WAITING_MAX as u64 + 2);
    let over = outbox.deliveries.len() - DELIVERIES_WAITING_MAX;
    assert_eq!(over, DELIVERIES_OVER_MAX);
}

#[test]
fn nothing_leaves_with_control_characters_or_without_bounds() {
    let mut outbox = Outbox::new(&slack_only());
    let hostile = OutwardMessage {
        title: "a\u{1b}[2J\nb".into(),
        text: format!("one\u{202e}\r\ntwo\npassword=hunter2\n{}", "x".repeat(1 << 20)).into(),
        ..message(OutwardEvent::IncidentOpened, "i")
    };
    outbox.enqueue("i", None, &hostile, START);
    let told = begin(&mut outbox, START).delivery.message;
    assert_eq!(told.title.as_ref(), "a␛[2J␊b");
    assert!(!told.text.contains("hunter2"), "a secret leaves: {}", &told.text[..80]);
    assert!(told.text.starts_with("one⟨U+202E⟩\ntwo\npassword=") && told.text.len() < 17_000, "{}", &told.text[..40]);
}

proptest! {
    /// Whatever fails, in whatever order: what arrived is not begun again, and one try a destination is under way.
    #[test]
    fn what_has_arrived_is_never_told_again(steps in proptest::collection::vec((0_u8..5, 0_u8..4), 1..200)) {
        let mut outbox = Outbox::new(&everywhere());
        let mut now = START;
        let mut arrived = BTreeSet::new();
        let mut under_way: Vec<DeliveryAttempt> = Vec::new();
        for (what, which) in steps {
            now = now + SECOND_MS;
            let turned = match what {
                0 => outbox.enqueue(&format!("{which}"), None, &message(OutwardEvent::IncidentOpened, "i"), now),
                1 => outbox.enqueue(&format!("{which}"), None, &message(OutwardEvent::ActBegan, "a"), now),
                2 => outbox.begin_due(now),
                _ => match under_way.pop() {
                    None => Turned::default(),
                    Some(attempt) => {
                        let outcome = match which {
                            0 => failed(false),
                            1 => failed(true),
                            2 => DeliveryOutcome::Refused { reason: "no".into() },
                            _ => {
                                prop_assert!(arrived.insert(attempt.delivery.key.clone()), "told twice");
                                delivered("x")
                            }
                        };
                        outbox.take_report(&report(&attempt, outcome), now)
                    }
                },
            };
            for attempt in turned.attempts {
                prop_assert!(!arrived.contains(&attempt.delivery.key));
                prop_assert!(under_way.iter().all(|it| it.delivery.destination != attempt.delivery.destination));
                under_way.push(attempt);
            }
        }
    }
}
