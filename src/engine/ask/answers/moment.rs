//! What was read into the time of a question: said with its answer, so that nobody takes another time for the one meant.

use crate::engine::ask::answer::{Citation, Claim, Fact};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::reading::Reading;
use crate::engine::ask::time::expression::{Anchor, Point, TimeExpression};
use crate::engine::ask::time::remark::Remark;
use crate::engine::ask::time::zone::offset;
use crate::engine::model::ServiceName;

/// A claim for everything that was read into the time.
pub(super) fn read_into(ground: &Ground<'_>, reading: &Reading) -> Vec<Claim> {
    let Ok(Some(laid)) = ground.laid(&reading.slots) else { return Vec::new() };
    let mut claims: Vec<Claim> = reading.remarks.iter().chain(&laid.remarks).map(|remark| told(*remark)).collect();
    claims.extend(reading.slots.time.and_then(anchor).and_then(|anchor| which(ground, reading, anchor)));
    claims
}

/// What a time is told by.
fn anchor(time: TimeExpression) -> Option<Anchor> {
    match time {
        TimeExpression::Since(Point::Anchor(anchor))
        | TimeExpression::Before(Point::Anchor(anchor))
        | TimeExpression::Lead(_, anchor)
        | TimeExpression::Trail(_, anchor)
        | TimeExpression::During(anchor) => Some(anchor),
        _ => None,
    }
}

/// Which deployment or change is taken for "the" one.
fn which(ground: &Ground<'_>, reading: &Reading, anchor: Anchor) -> Option<Claim> {
    let change = ground.last_change(anchor, &reading.slots)?;
    let from = || Citation::Change(change.id);
    let title = Fact::new(&change.notice.title, from());
    let at = ground.at(change.notice.at, from());
    let claim = Claim::of("The time is told by this: {}, at {}", [title, at]);
    Some(match change.notice.service.as_ref().map(ServiceName::as_str) {
        Some(service) => claim.and(Claim::of(", of {}.", [Fact::new(service, from())])),
        None => claim.and(Claim::of(".", [])),
    })
}

fn told(remark: Remark) -> Claim {
    let said = |text: String| Fact::new(text, Citation::Question);
    match remark {
        Remark::Skipped(local) => Claim::of(
            "{} does not exist there, as the clock was put forward; what lies as long after the gap was taken.",
            [said(local.format("%Y-%m-%d %H:%M").to_string())],
        ),
        Remark::Twice(local) => Claim::of(
            "{} came twice there, as the clock was put back: the first was taken, and the second where a span ends.",
            [said(local.format("%Y-%m-%d %H:%M").to_string())],
        ),
        Remark::Shared(short, minutes) => {
            let (name, utc) = (said(short.name.to_owned()), said(format!("UTC{}", offset(minutes))));
            let also = said(short.also.unwrap_or_default().to_owned());
            if minutes == short.ahead {
                let whose = said(short.whose.to_owned());
                Claim::of("{} was read as {}, the time of {}; it is also that of {}.", [name, utc, whose, also])
            } else {
                let whose = said(short.whose.to_owned());
                Claim::of("{} was read as {}, as in your zone; it is also that of {}, {}.", [name, utc, whose, also])
            }
        }
        Remark::OutOfSeason(short) => {
            let utc = said(format!("UTC{}", offset(short.ahead)));
            let (name, whose) = (said(short.name.to_owned()), said(short.whose.to_owned()));
            Claim::of("{} was read as {}, though {} has another time on that day.", [name, utc, whose])
        }
        Remark::DayFirst(date) => {
            Claim::of("The date was read with the day before the month: {}.", [said(date.to_string())])
        }
        Remark::EitherHalf(time) => {
            Claim::of("The hour was read as {}; say am or pm for the other.", [said(time.format("%H:%M").to_string())])
        }
        Remark::On(date) => Claim::of("The latest such day was taken: {}.", [said(date.to_string())]),
        Remark::Coming => Claim::of("What comes next was read as the nearest.", []),
        Remark::NotOver => Claim::of("That time is not over yet.", []),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn what_a_change_of_the_clock_did_is_told() {
        let local = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(2, 30, 0).unwrap();
        assert!(told(Remark::Skipped(local)).text().starts_with("2026-03-29 02:30 does not exist there"));
        assert!(told(Remark::Twice(local)).text().contains("came twice"));
    }
}
