//! Changes: the nearer before the first symptom, the more they weigh; after it, or long before it, they speak against.

use super::candidates::Candidate;
use super::evidence::{Findings, of_change, of_service};
use super::picture::Picture;
use super::title::{began, named};
use crate::engine::clock::MINUTE_MS;
use crate::engine::limits::CLOCK_SKEW_MS;
use crate::engine::model::{CauseKind, Change, ChangeKind, EvidenceKind, human_span};

const KIND: EvidenceKind = EvidenceKind::Change;

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, all: &[Candidate<'_>], findings: &mut Findings) {
    match candidate.change {
        Some(change) => blamed(picture, candidate, change, findings),
        None => explained_by_change(picture, candidate, all, findings),
    }
}

fn blamed(picture: &Picture<'_>, candidate: &Candidate<'_>, change: &Change, findings: &mut Findings) {
    let notice = &change.notice;
    let gap_ms = gap_ms(candidate, change);
    let target = of_change(change);
    if gap_ms < -CLOCK_SKEW_MS {
        let text = format!("{} came {} after the first symptom", named(change), human_span(gap_ms));
        findings.add(KIND, -4.0, text, Some(notice.at), target);
        return;
    }
    let weight = proximity(candidate.kind, gap_ms.max(0)) + readiness(notice.kind);
    let text = if gap_ms <= 0 {
        format!("{} at the same time as {}", symptom_of(picture, candidate), named(change))
    } else {
        format!("{} {} after {}", symptom_of(picture, candidate), human_span(gap_ms), named(change))
    };
    findings.add(KIND, weight, text, Some(notice.at), target.clone());
    if candidate.is_silent && notice.kind != ChangeKind::Network {
        let text = format!("{} itself shows no symptom", candidate.service);
        findings.add(KIND, -2.0, text, None, of_service(&candidate.service));
    }
    if notice.service.is_none() && !notice.title.contains(candidate.service.as_str()) {
        findings.add(KIND, -0.7, "the change names no service".to_owned(), None, target);
    }
    recovery(picture, candidate, change, findings);
}

/// A service that is well again speaks against a change that is still in, and for one after which something was done.
fn recovery(picture: &Picture<'_>, candidate: &Candidate<'_>, change: &Change, findings: &mut Findings) {
    let service = &candidate.service;
    let Some(well_at) = picture.view(service).and_then(super::picture::ServiceView::well_since) else {
        return;
    };
    let is_later = |later: &&&Change| {
        later.id != change.id
            && later.notice.at > change.notice.at
            && later.notice.service.as_ref().is_none_or(|at| at == service)
    };
    let done = picture.later.iter().filter(is_later).filter(|later| later.notice.at <= well_at + CLOCK_SKEW_MS);
    match done.max_by_key(|later| (later.notice.at, later.id)) {
        Some(mended) if mended.notice.at > candidate.onset => {
            let after = human_span(well_at.since_ms(mended.notice.at).max(0));
            let text = format!("{service} was back to normal {after} after {}", named(mended));
            findings.add(KIND, 0.3, text, Some(mended.notice.at), of_change(mended));
        }
        Some(_) => {}
        None => {
            let text = format!("{service} is back to normal, and nothing is known to have undone the change");
            findings.add(KIND, -1.0, text, Some(well_at), of_change(change));
        }
    }
}

/// Milliseconds from the change to the first symptom; a roll-out counts from its end where that came first.
pub(super) fn gap_ms(candidate: &Candidate<'_>, change: &Change) -> i64 {
    let since_start = candidate.onset.since_ms(change.notice.at);
    let since_end = change.notice.finished_at.map(|at| candidate.onset.since_ms(at)).filter(|gap| *gap >= 0);
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
fn symptom_of(picture: &Picture<'_>, candidate: &Candidate<'_>) -> String {
    let own = picture.view(&candidate.service).into_iter().flat_map(|view| &view.metrics).copied();
    let first = candidate.resource.into_iter().chain(own).find(|anomaly| anomaly.started_at == candidate.onset);
    match (first, picture.onset(&candidate.service)) {
        (Some(anomaly), _) => began(anomaly),
        (None, Some(_)) => format!("the first symptom of {} came", candidate.service),
        (None, None) => "the first symptom came".to_owned(),
    }
}

/// A candidate without a change is explained away by one that was made shortly before on the same service, or by one
/// that leaks the very resource it is about.
fn explained_by_change(
    picture: &Picture<'_>,
    candidate: &Candidate<'_>,
    all: &[Candidate<'_>],
    findings: &mut Findings,
) {
    const SHORTLY_MS: i64 = 10 * MINUTE_MS;
    let nearest = all
        .iter()
        .filter_map(|other| other.change.map(|change| (other, change)))
        .filter(|(other, change)| {
            let gap = gap_ms(other, change);
            let leaks_it = candidate.resource.is_some_and(|own| other.resource.is_some_and(|leak| leak.id == own.id));
            let is_shortly = other.service == candidate.service && gap <= SHORTLY_MS;
            gap >= -CLOCK_SKEW_MS && (leaks_it || is_shortly)
        })
        .min_by_key(|(other, change)| (gap_ms(other, change), change.id));
    if let Some((_, change)) = nearest {
        let before = human_span(candidate.onset.since_ms(change.notice.at).max(0));
        let text = format!("{}, {before} before, would explain it", named(change));
        findings.add(KIND, -2.0, text, Some(change.notice.at), of_change(change));
    } else if picture.changes.is_empty() && matches!(candidate.kind, CauseKind::MemoryLeak | CauseKind::DiskFull) {
        let text = "nothing was changed within 4 h: it grew by itself".to_owned();
        findings.add(KIND, 0.2, text, None, of_service(&candidate.service));
    }
}
