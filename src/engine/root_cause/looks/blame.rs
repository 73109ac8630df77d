//! The change that is blamed, by when it came and what it does: the nearer before the first symptom, the more it weighs;
//! after it, or long before it, that speaks against it.

use crate::engine::clock::MINUTE_MS;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{CauseKind, Change, ChangeKind, human_span};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term, of_change, of_service};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::Cause;
use crate::engine::root_cause::picture::symptoms::ServiceView;
use crate::engine::root_cause::title::{began, named};

const TERM: Term = Term::Blame;

/// Adds what speaks for and against the change that is blamed, or for one that would explain what is seen.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    match cause.change {
        Some(change) => blamed(picture, cause, change, findings),
        None => explained_by_change(picture, cause, findings),
    }
}

fn blamed(picture: &Picture<'_>, cause: &Cause<'_>, change: &Change, findings: &mut Findings) {
    let notice = &change.notice;
    let gap_ms = gap_ms(cause, change);
    let (target, name) = (of_change(change), picture.name(cause.node));
    for (text, weight) in picture.symptoms.contents.reasons.get(&change.id).into_iter().flatten() {
        findings.tell(TERM, *weight, text.clone(), Some(notice.at), target.clone());
    }
    if gap_ms < -CLOCK_SKEW_MS {
        let text = format!("{} came {} after the first symptom", named(change), human_span(gap_ms));
        findings.tell(TERM, -4.0, text, Some(notice.at), target);
        return;
    }
    let weight = proximity(cause.kind, gap_ms.max(0)) + readiness(notice.kind);
    let text = if gap_ms <= 0 {
        format!("{} at the same time as {}", symptom_of(picture, cause), named(change))
    } else {
        format!("{} {} after {}", symptom_of(picture, cause), human_span(gap_ms), named(change))
    };
    findings.tell(TERM, weight, text, Some(notice.at), target.clone());
    if cause.is_silent && notice.kind != ChangeKind::Network {
        let text = format!("{name} itself shows no symptom");
        findings.tell(TERM, -2.0, text, None, of_service(name));
    }
    if notice.service.is_none() && !notice.title.contains(name) {
        findings.tell(TERM, -0.7, "the change names no service".to_owned(), None, target);
    }
    recovery(picture, cause, change, findings);
}

/// A service that is well again speaks against a change that is still in, and for one after which something was done.
fn recovery(picture: &Picture<'_>, cause: &Cause<'_>, change: &Change, findings: &mut Findings) {
    let name = picture.name(cause.node);
    let Some(well_at) = picture.symptoms.view(cause.node).and_then(ServiceView::well_since) else {
        return;
    };
    let is_later = |later: &&&Change| {
        later.id != change.id
            && later.notice.at > change.notice.at
            && later.notice.service.as_ref().is_none_or(|at| at.as_str() == name)
    };
    let done =
        picture.symptoms.later.iter().filter(is_later).filter(|later| later.notice.at <= well_at + CLOCK_SKEW_MS);
    match done.max_by_key(|later| (later.notice.at, later.id)) {
        Some(mended) if mended.notice.at > cause.onset => {
            let after = human_span(well_at.since_ms(mended.notice.at).max(0));
            let text = format!("{name} was back to normal {after} after {}", named(mended));
            findings.tell(TERM, 0.3, text, Some(mended.notice.at), of_change(mended));
        }
        Some(_) => {}
        None => {
            let text = format!("{name} is back to normal, and nothing is known to have undone the change");
            findings.tell(TERM, -1.0, text, Some(well_at), of_change(change));
        }
    }
}

/// Milliseconds from the change to the first symptom; a roll-out counts from its end where that came first.
fn gap_ms(cause: &Cause<'_>, change: &Change) -> i64 {
    let since_start = cause.onset.since_ms(change.notice.at);
    let since_end = change.notice.finished_at.map(|at| cause.onset.since_ms(at)).filter(|gap| *gap >= 0);
    since_end.map_or(since_start, |gap| gap.min(since_start))
}

/// What nearness in time is worth. Most failures that a change causes show within minutes; what leaks or fills takes
/// its time.
fn proximity(kind: CauseKind, gap_ms: i64) -> f64 {
    let seconds = gap_ms as f64 / 1_000.0;
    match kind {
        CauseKind::ConnectionsExhausted | CauseKind::MemoryLeak | CauseKind::DiskFull | CauseKind::QueueBacklog => {
            2.8 - 0.35 * (1.0 + seconds / 60.0).ln()
        }
        _ => 3.5 - 0.75 * (1.0 + seconds / 15.0).ln(),
    }
}

/// How readily changes of this kind break things, against a deploy.
fn readiness(kind: ChangeKind) -> f64 {
    match kind {
        ChangeKind::Deploy | ChangeKind::Config | ChangeKind::Network => 0.0,
        ChangeKind::Flag | ChangeKind::Migration => -0.1,
        ChangeKind::Scale => -0.5,
        ChangeKind::Other => -0.7,
        ChangeKind::OwnAct => -1.0,
        // Not rolled out by itself.
        ChangeKind::Release => -2.0,
    }
}

/// What the candidate's onset is the onset of, and that it came.
fn symptom_of(picture: &Picture<'_>, cause: &Cause<'_>) -> String {
    let own = picture.symptoms.view(cause.node).into_iter().flat_map(|view| &view.metrics).copied();
    let resource = cause.resource.map(|(_, resource)| resource);
    let first = resource.into_iter().chain(own).find(|anomaly| anomaly.started_at == cause.onset);
    match (first, picture.symptoms.onset(cause.node)) {
        (Some(anomaly), _) => began(anomaly),
        (None, Some(_)) => format!("the first symptom of {} came", picture.name(cause.node)),
        (None, None) => "the first symptom came".to_owned(),
    }
}

/// A candidate without a change is explained away by one that was made shortly before on the same service, or by one
/// that leaks the very resource it is about.
fn explained_by_change(picture: &Picture<'_>, cause: &Cause<'_>, findings: &mut Findings) {
    const SHORTLY_MS: i64 = 10 * MINUTE_MS;
    let resource_id = |cause: &Cause<'_>| cause.resource.map(|(_, resource)| resource.id);
    let own = resource_id(cause);
    let nearest = picture
        .symptoms
        .causes
        .iter()
        .filter_map(|other| other.change.map(|change| (other, change)))
        .filter(|(other, change)| {
            let gap = gap_ms(other, change);
            let leaks_it = own.is_some() && resource_id(other) == own;
            let is_shortly = other.node == cause.node && gap <= SHORTLY_MS;
            gap >= -CLOCK_SKEW_MS && (leaks_it || is_shortly)
        })
        .min_by_key(|(other, change)| (gap_ms(other, change), change.id));
    if let Some((_, change)) = nearest {
        let before = human_span(cause.onset.since_ms(change.notice.at).max(0));
        let text = format!("{}, {before} before, would explain it", named(change));
        findings.tell(TERM, -2.0, text, Some(change.notice.at), of_change(change));
    } else if picture.symptoms.suspects.is_empty() && matches!(cause.kind, CauseKind::MemoryLeak | CauseKind::DiskFull)
    {
        let text = "nothing was changed within 4 h: it grew by itself".to_owned();
        findings.tell(TERM, 0.2, text, None, of_service(picture.name(cause.node)));
    }
}
