//! How much a service will bear: what it bore at such hours before, and when there is less of it.
//!
//! An hour is expected to be as the same hour of the same weekday was, since load follows people's weeks; where no week is
//! known yet, as the same hour of the days before. Both are told with what they rest on, so that nobody takes them for more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::ask::answer::{Citation, Claim, Fact};
use crate::engine::ask::ground::Ground;
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::model::{PastMetric, SeriesRole, ServiceName, Slot, human};
use crate::engine::snapshot::rollout::{Occasion, OccasionKind};

const HOURS_A_DAY: i64 = 24;
const HOURS_A_WEEK: i64 = 7 * HOURS_A_DAY;
/// As much less that another hour is worth waiting for.
const WORTH_WAITING: f64 = 0.8;

/// What is expected of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    low: f64,
    mean: f64,
    high: f64,
    /// How many hours it rests on.
    hours: usize,
    /// True where they are of the same weekday.
    is_of_weekday: bool,
}

/// What `service` is expected to bear at `at`, and an hour of the day after it that is expected to bear less.
pub(super) fn expected_at(ground: &Ground<'_>, service: &ServiceName, at: Timestamp) -> Vec<Claim> {
    let Some((metric, hours)) = traffic(ground, service) else {
        let name = Fact::service(service.as_str());
        return vec![Claim::of("How much {} bears at which hour is not known: no traffic of it is measured.", [name])];
    };
    let cited =
        |text: String| Fact::new(text, Citation::Vital(Arc::from(service.as_str()), Arc::clone(&metric.metric)));
    let value = |value: f64| cited(human(value, metric.unit));
    let begin = |hour: i64| Timestamp(hour.saturating_mul(HOUR_MS));
    let when = |hour: i64| cited(ground.clock(begin(hour)));
    let hour = at.0.div_euclid(HOUR_MS);
    let Some(then) = expected(&hours, hour) else {
        let name = Fact::service(service.as_str());
        return vec![Claim::of("How much {} bears at that hour is not known yet: no such hour was seen.", [name])];
    };
    let pattern = if then.is_of_weekday {
        "{} of {} is expected at about {} in the hour from {}: it was {} to {} in {} such, a week apart."
    } else {
        "{} of {} is expected at about {} in the hour from {}: it was {} to {} in {} such, a day apart, and of weekdays nothing is known yet."
    };
    let facts = [
        cited(metric.metric.to_string()),
        cited(service.to_string()),
        value(then.mean),
        when(hour),
        value(then.low),
        value(then.high),
        cited(then.hours.to_string()),
    ];
    let mut claims = vec![Claim::of(pattern, facts)];
    let windows: Vec<&Occasion> =
        ground.snapshot.agenda.iter().filter(|it| it.kind == OccasionKind::Window && it.until > at).collect();
    let window = |hour: i64| windows.iter().find(|it| it.from <= begin(hour) && begin(hour + 1) <= it.until);
    let free = (hour + 1..=hour + HOURS_A_DAY).filter(|hour| !ground.is_frozen(begin(*hour), begin(*hour + 1)));
    let open = free.filter(|hour| windows.is_empty() || window(*hour).is_some());
    let known = open.filter_map(|hour| Some((hour, expected(&hours, hour)?)));
    let least = known.min_by(|(_, one), (_, other)| one.mean.total_cmp(&other.mean));
    claims.extend(least.filter(|_| then.mean > 0.0).map(|(least_at, least)| {
        if least.mean <= WORTH_WAITING * then.mean {
            let share = cited(format!("{:.0} %", 100.0 * least.mean / then.mean));
            let better = Claim::of(
                "A better time is the hour from {}: about {} is expected then, {} of that, and no freeze is known",
                [when(least_at), value(least.mean), share],
            );
            let within = window(least_at).map(|it| {
                let name = Fact::new(&it.name, Citation::Occasion(Arc::from(it.name.as_str())));
                Claim::of(", within the window {}", [name])
            });
            within.into_iter().fold(better, Claim::and).and(Claim::of(".", []))
        } else {
            let pattern = if windows.is_empty() {
                "No hour of the day after it is expected to bear much less."
            } else {
                "No hour of the windows of the day after it is expected to bear much less."
            };
            Claim::of(pattern, [])
        }
    }));
    claims
}

/// The traffic of a service that most is known of, by hours since the epoch.
fn traffic<'p>(ground: &Ground<'p>, service: &ServiceName) -> Option<(&'p PastMetric, BTreeMap<i64, Slot>)> {
    let all = ground.past.of_service(service.as_str()).filter(|metric| metric.role == SeriesRole::Traffic);
    let with_hours = all.map(|metric| {
        let hours = ground.past.hours(service, &metric.metric);
        (metric, hours.map(|(from, slot)| (from.0.div_euclid(HOUR_MS), slot)).collect::<BTreeMap<_, _>>())
    });
    // Of those with as many hours the first by name.
    with_hours.reduce(|best, next| if next.1.len() > best.1.len() { next } else { best })
}

fn expected(hours: &BTreeMap<i64, Slot>, hour: i64) -> Option<Expected> {
    let oldest = *hours.keys().next()?;
    let every = |step: i64| {
        let at = (1..).map(move |back| hour - back * step).take_while(move |at| *at >= oldest);
        at.filter_map(|at| hours.get(&at)).collect::<Vec<_>>()
    };
    let weekly = every(HOURS_A_WEEK);
    let (like, is_of_weekday) = if weekly.is_empty() { (every(HOURS_A_DAY), false) } else { (weekly, true) };
    let first = like.first()?;
    let bounds = (f64::from(first.low), f64::from(first.high));
    let (low, high) =
        like.iter().fold(bounds, |(low, high), slot| (low.min(f64::from(slot.low)), high.max(f64::from(slot.high))));
    let mean = like.iter().map(|slot| f64::from(slot.mean)).sum::<f64>() / like.len() as f64;
    Some(Expected { low, mean, high, hours: like.len(), is_of_weekday })
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::engine::ask::recall::Archive;
    use crate::engine::model::{BadWhen, PastValues, Unit};
    use crate::engine::snapshot::Snapshot;

    /// Two weeks and a half of a shop with 100 requests a second by day, 200 on the day after the epoch and every week after
    /// that, and 10 before six in the morning; `hours` of them are known, the newest.
    fn asked(hours: i64, at: i64, occasion: Option<(bool, i64, i64)>) -> String {
        let now = 18 * HOURS_A_DAY;
        let service = ServiceName::new("shop");
        let (unit, role) = (Unit::PerSecond, SeriesRole::Traffic);
        let mut metric = PastMetric::new(service.clone(), Arc::from("rps"), unit, role, BadWhen::Either);
        for hour in now - hours..now {
            let of_day = if (hour / HOURS_A_DAY) % 7 == 1 { 200.0 } else { 100.0 };
            let rps = if hour % HOURS_A_DAY < 6 { 10.0 } else { of_day };
            metric.add(Timestamp(hour * HOUR_MS), Slot::of_sum(rps - 1.0, 4.0 * rps, rps + 1.0, 4));
        }
        let occasion = occasion.map(|(is_window, from, until)| Occasion {
            kind: if is_window { OccasionKind::Window } else { OccasionKind::Freeze },
            name: "sale".to_owned(),
            zone: "UTC".to_owned(),
            whom: String::new(),
            from: Timestamp((now + from) * HOUR_MS),
            until: Timestamp((now + until) * HOUR_MS),
            note: None,
        });
        let agenda = Arc::new(occasion.into_iter().collect());
        let snapshot = Snapshot { at: Timestamp(now * HOUR_MS), agenda, ..Snapshot::empty() };
        let (archive, past) = (Archive::default(), PastValues::of([metric]));
        let ground = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past };
        let claims = expected_at(&ground, &service, Timestamp((now + at) * HOUR_MS));
        claims.iter().map(Claim::text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_hour_is_expected_to_be_as_the_same_hour_of_the_weekday() {
        // The eighteenth day is no such day, the 22nd is.
        let all = 18 * HOURS_A_DAY;
        let usual = asked(all, 12, None);
        assert!(
            usual.contains("about 100/s in the hour from 12:00:00: it was 99/s to 101/s in 2 such, a week apart"),
            "{usual}"
        );
        let busy = asked(all, 4 * HOURS_A_DAY + 12, None);
        assert!(busy.contains("about 200/s"), "{busy}");
        let days = asked(3 * HOURS_A_DAY, 12, None);
        assert!(days.contains("in 3 such, a day apart, and of weekdays nothing is known yet"), "{days}");
        assert!(asked(6, 3, None).contains("no such hour was seen"));
    }

    #[test]
    fn a_better_time_bears_less_and_is_not_frozen() {
        let all = 18 * HOURS_A_DAY;
        let better = asked(all, 12, None);
        assert!(
            better.contains("A better time is the hour from 1970-01-20 00:00: about 10/s is expected then, 10 %"),
            "{better}"
        );
        let frozen = asked(all, 12, Some((false, 20, 26)));
        assert!(frozen.contains("from 1970-01-20 02:00"), "{frozen}");
        let window = asked(all, 12, Some((true, 20, 24 + 4)));
        assert!(
            window
                .contains("about 10/s is expected then, 10 % of that, and no freeze is known, within the window sale."),
            "{window}"
        );
        let evening = asked(all, 12, Some((true, 20, 24)));
        assert!(evening.contains("No hour of the windows of the day after it"), "{evening}");
        let night = asked(all, 3, None);
        assert!(night.contains("No hour of the day after it is expected to bear much less."), "{night}");
    }
}
