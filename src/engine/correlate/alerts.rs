//! External alerts: many notices, one alert per fingerprint.

use std::collections::BTreeSet;

use crate::engine::clock::Timestamp;
use crate::engine::limits::ALERT_LATE_MS;
use crate::engine::model::{Alert, AlertNotice, AlertState, SuppressionReason};

/// The alert after `notice` was told. Telling the same words again changes nothing but `last_seen_at`.
///
/// It is resolved when the last server that told it as firing resolved it, or when a resolution arrives that is newer
/// than anything told before. A notice about an earlier episode (late or reordered) does not undo a later one.
#[must_use]
pub fn fold(existing: Option<&Alert>, notice: &AlertNotice, now: Timestamp) -> Alert {
    let Some(existing) = existing else {
        return first(notice, now);
    };
    let mut alert = existing.clone();
    alert.last_seen_at = existing.last_seen_at.max(now);
    let is_new_teller = alert.told_by.insert(notice.source.clone());
    let has_moved = match notice.state {
        AlertState::Firing => take_firing(&mut alert, notice, now),
        AlertState::Resolved => take_resolved(&mut alert, existing, notice, now),
    };
    if is_new_teller || has_moved {
        alert.repeat_count += 1;
    }
    alert.suppressed = muting(&alert);
    // That it was weak the last time says nothing of this time.
    let fires_again = (existing.notice.state, alert.notice.state) == (AlertState::Resolved, AlertState::Firing);
    if fires_again && alert.suppressed == Some(SuppressionReason::TooWeak) {
        alert.suppressed = None;
    }
    alert
}

fn first(notice: &AlertNotice, now: Timestamp) -> Alert {
    let firing_by = match notice.state {
        AlertState::Firing => BTreeSet::from([notice.source.clone()]),
        AlertState::Resolved => BTreeSet::new(),
    };
    let mut alert = Alert {
        notice: notice.clone(),
        told_by: BTreeSet::from([notice.source.clone()]),
        firing_by,
        repeat_count: 1,
        first_seen_at: now,
        last_seen_at: now,
        incident: None,
        suppressed: None,
    };
    alert.suppressed = muting(&alert);
    alert
}

/// Takes a firing notice in; true when it told something new.
fn take_firing(alert: &mut Alert, notice: &AlertNotice, now: Timestamp) -> bool {
    if let (AlertState::Resolved, Some(ended_at)) = (alert.notice.state, alert.notice.ends_at) {
        let is_same_episode = notice.starts_at <= ended_at;
        if is_same_episode && now.since_ms(ended_at) < ALERT_LATE_MS {
            return false;
        }
    }
    if notice.starts_at < alert.notice.starts_at && alert.notice.state == AlertState::Firing {
        // Two servers saw it begin at different moments: the earlier one is when it began.
        alert.notice.starts_at = notice.starts_at;
        return alert.firing_by.insert(notice.source.clone());
    }
    // A later beginning that the only teller tells: the end of the earlier time was never told.
    let is_only_teller = alert.firing_by.iter().all(|teller| *teller == notice.source);
    let is_new =
        alert.notice.state == AlertState::Resolved || (is_only_teller && notice.starts_at > alert.notice.starts_at);
    let starts_at = if is_new { notice.starts_at } else { alert.notice.starts_at };
    replace_notice(alert, notice);
    alert.notice.starts_at = starts_at;
    alert.firing_by.insert(notice.source.clone()) || is_new
}

/// Takes a resolution in; true when it told something new.
fn take_resolved(alert: &mut Alert, existing: &Alert, notice: &AlertNotice, now: Timestamp) -> bool {
    let ended_at = notice.ends_at.unwrap_or(now);
    if ended_at < existing.notice.starts_at {
        return false;
    }
    let was_firing = existing.notice.state == AlertState::Firing;
    let has_left = alert.firing_by.remove(&notice.source);
    if !was_firing || (!alert.firing_by.is_empty() && ended_at <= existing.last_seen_at) {
        return has_left;
    }
    let starts_at = existing.notice.starts_at.min(notice.starts_at);
    replace_notice(alert, notice);
    alert.notice.starts_at = starts_at;
    alert.notice.ends_at = Some(ended_at);
    alert.firing_by.clear();
    true
}

/// The service may have been found by correlation; a notice without one does not take it away again.
fn replace_notice(alert: &mut Alert, notice: &AlertNotice) {
    let service = notice.service.clone().or_else(|| alert.notice.service.take());
    alert.notice = AlertNotice { service, ..notice.clone() };
}

/// The mark an alert carries after a notice: muted at its source or, once that ends, whatever else set it aside.
fn muting(alert: &Alert) -> Option<SuppressionReason> {
    match (&alert.notice.muted_by, &alert.suppressed) {
        (Some(by), _) => Some(SuppressionReason::MutedAtSource { by: by.clone() }),
        (None, Some(SuppressionReason::MutedAtSource { .. })) => None,
        (None, other) => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::Severity;
    use crate::engine::world::fixtures::alert_notice;
    use AlertState::{Firing, Resolved};
    use proptest::prelude::*;

    /// One word about the alert: source, state, start, end, time of telling, all in seconds.
    type Word = (&'static str, AlertState, i64, Option<i64>, i64);

    fn tell(words: &[Word]) -> Alert {
        let mut alert: Option<Alert> = None;
        for (source, state, starts, ends, now) in words {
            let mut notice = alert_notice("HighErrors", Some("payment"), Severity::Critical, *starts);
            notice.source = (*source).into();
            notice.state = *state;
            notice.ends_at = ends.map(|s| Timestamp(s * 1_000));
            alert = Some(fold(alert.as_ref(), &notice, Timestamp(now * 1_000)));
        }
        alert.unwrap()
    }

    #[test]
    fn many_notices_are_one_alert() {
        for (name, words, state, repeats) in [
            ("the same words again", vec![("a", Firing, 10, None, 11), ("a", Firing, 10, None, 21)], Firing, 1),
            ("two tellers", vec![("a", Firing, 10, None, 11), ("b", Firing, 10, None, 12)], Firing, 2),
            (
                "one of two resolves by an old word",
                vec![("a", Firing, 10, None, 11), ("b", Firing, 10, None, 40), ("a", Resolved, 10, Some(30), 41)],
                Firing,
                3,
            ),
            (
                "both resolve",
                vec![
                    ("a", Firing, 10, None, 11),
                    ("b", Firing, 10, None, 40),
                    ("a", Resolved, 10, Some(30), 41),
                    ("b", Resolved, 10, Some(30), 42),
                ],
                Resolved,
                4,
            ),
            (
                "a newer resolution by one of two",
                vec![("a", Firing, 10, None, 11), ("b", Firing, 10, None, 12), ("a", Resolved, 10, Some(60), 61)],
                Resolved,
                3,
            ),
            (
                "a late firing word does not undo a resolution",
                vec![("a", Firing, 10, None, 11), ("a", Resolved, 10, Some(60), 61), ("a", Firing, 10, None, 62)],
                Resolved,
                2,
            ),
            (
                "a lasting firing word does",
                vec![("a", Firing, 10, None, 11), ("a", Resolved, 10, Some(60), 61), ("a", Firing, 10, None, 200)],
                Firing,
                3,
            ),
            (
                "a new episode fires",
                vec![("a", Firing, 10, None, 11), ("a", Resolved, 10, Some(60), 61), ("a", Firing, 62, None, 63)],
                Firing,
                3,
            ),
            (
                "a new episode fires, and nobody told the end of the last",
                vec![("a", Firing, 10, None, 11), ("a", Firing, 62, None, 63)],
                Firing,
                2,
            ),
            (
                "two tellers saw it begin at different moments",
                vec![("a", Firing, 10, None, 11), ("b", Firing, 12, None, 13), ("a", Firing, 10, None, 63)],
                Firing,
                2,
            ),
            (
                "the resolution of an earlier episode is late",
                vec![("a", Firing, 100, None, 101), ("a", Resolved, 10, Some(60), 102)],
                Firing,
                1,
            ),
        ] {
            let alert = tell(&words);
            assert_eq!(alert.notice.state, state, "{name}");
            assert_eq!(alert.repeat_count, repeats, "{name}: repeats");
            assert_eq!(alert.firing_by.is_empty(), state == Resolved, "{name}: tellers");
            let starts = if name.starts_with("a new episode") { 62 } else { words[0].2 };
            assert_eq!(alert.notice.starts_at, Timestamp(starts * 1_000), "{name}: beginning");
        }
    }

    #[test]
    fn a_mute_at_the_source_is_a_mark_and_ends_with_it() {
        let mut notice = alert_notice("HighErrors", Some("payment"), Severity::Critical, 10);
        notice.muted_by = Some("silence 7".into());
        let muted = fold(None, &notice, Timestamp(11_000));
        assert!(matches!(muted.suppressed, Some(SuppressionReason::MutedAtSource { .. })));
        notice.muted_by = None;
        assert_eq!(fold(Some(&muted), &notice, Timestamp(12_000)).suppressed, None);
    }

    #[test]
    fn weakness_is_of_one_time() {
        let mut weak = tell(&[("a", Firing, 10, None, 11), ("a", Resolved, 10, Some(60), 61)]);
        weak.suppressed = Some(SuppressionReason::TooWeak);
        let mut notice = alert_notice("HighErrors", Some("payment"), Severity::Critical, 10);
        notice.source = "a".into();
        let (again, anew) = (notice.clone(), AlertNotice { starts_at: Timestamp(90_000), ..notice });
        assert_eq!(fold(Some(&weak), &again, Timestamp(62_000)).suppressed, Some(SuppressionReason::TooWeak));
        assert_eq!(fold(Some(&weak), &anew, Timestamp(91_000)).suppressed, None);
    }

    #[test]
    fn a_service_that_was_found_stays_found() {
        let mut notice = alert_notice("HighErrors", None, Severity::Critical, 10);
        let mut alert = fold(None, &notice, Timestamp(11_000));
        alert.notice.service = Some("payment".into());
        notice.source = "other".into();
        assert_eq!(fold(Some(&alert), &notice, Timestamp(12_000)).notice.service, Some("payment".into()));
    }

    proptest! {
        /// Each server speaks in order; how their words mix, and whether each is said twice, does not matter.
        #[test]
        fn however_the_servers_words_mix_the_end_is_the_same(
            turns in Just(vec!["a", "a", "b", "b"]).prop_shuffle(),
            times in 1usize..3,
        ) {
            let mut spoken: Vec<&str> = Vec::new();
            let mut words: Vec<Word> = Vec::new();
            for source in turns {
                let is_first = !spoken.contains(&source);
                spoken.push(source);
                let word = if is_first { (source, Firing, 10, None, 61) } else { (source, Resolved, 10, Some(60), 61) };
                words.extend(std::iter::repeat_n(word, times));
            }
            let alert = tell(&words);
            prop_assert_eq!(alert.notice.state, Resolved);
            prop_assert_eq!(alert.told_by.len(), 2);
        }
    }
}
