//! The shop that most scenarios are set in, and how a leading hypothesis is checked.

use crate::engine::model::{CauseKind, Direction, Hypothesis, SeriesRole};
use crate::engine::root_cause::fixtures::ranked;
use crate::engine::world::fixtures::{Build, anomaly};

/// What is expected of the leading hypothesis.
pub(super) struct Expected {
    pub(super) kind: CauseKind,
    pub(super) service: &'static str,
    pub(super) change: Option<u64>,
    pub(super) percent_min: u8,
}

pub(super) fn check(name: &str, build: Build, expected: &Expected) -> Hypothesis {
    let ranking = ranked(&build.world());
    let tell = || {
        let lines = ranking.hypotheses.iter().map(|one| {
            let pieces = one.evidence_for.iter().chain(&one.evidence_against);
            let pieces: Vec<String> =
                pieces.map(|piece| format!("      {:+.2} {}", piece.weight, piece.text)).collect();
            format!(
                "  {} % {:?} {} {:?}\n{}",
                one.confidence.percent(),
                one.kind,
                one.title,
                one.change,
                pieces.join("\n")
            )
        });
        format!("{name}: {:?}\n{}", ranking.unresolved, lines.collect::<Vec<_>>().join("\n"))
    };
    let cause = ranking.cause().unwrap_or_else(|| panic!("{}", tell()));
    assert_eq!(
        (cause.kind, cause.service.as_str(), cause.change.map(|id| id.0)),
        (expected.kind, expected.service, expected.change),
        "{}",
        tell()
    );
    assert!(cause.confidence.percent() >= expected.percent_min, "{}", tell());
    cause.clone()
}

/// `web > checkout > payment > payment-db`, `checkout > user > auth > auth-db`, `web > search > index`.
pub(super) fn shop() -> Build {
    Build::new()
        .chain("web > checkout > payment > payment-db")
        .chain("checkout > user > auth > auth-db")
        .chain("web > search > index")
}

/// Requests far below what is usual, and nothing else.
pub(super) fn starved(id: u64, service: &str, starts: i64) -> crate::engine::model::Anomaly {
    let mut less = anomaly(id, service, "requests", SeriesRole::Traffic, starts);
    less.direction = Direction::Below;
    less
}
