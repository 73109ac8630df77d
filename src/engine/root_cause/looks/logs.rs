//! What logs say about a candidate.

use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{FaultKind, Findings, Term};
use crate::engine::root_cause::picture::Picture;

/// Adds what logs say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(blame) = picture.logs.blames.get(candidate.node) else { return };
    let text = |template: u32| {
        let text = picture.logs.templates.get(template as usize).map_or("", |template| template.text.as_str());
        text.chars().take(90).collect::<String>()
    };
    let name = picture.case.name(candidate.node);
    // 1 at some 10 nats, growing with the logarithm: many lines say little more than some.
    let scale = |nats: f64| (1.0 + nats / 5.0).ln().min(3.0);
    if let Some((template, now, healthy)) = blame.loudest {
        let value = scale(blame.loud);
        findings.add(Term::LogFailure, value, || {
            format!("{name} says first, {now} times (before: {healthy}): \"{}\"", text(template))
        });
        findings.name(None, FaultKind::Code, 0.3 * value);
    }
    if let Some((template, expected)) = blame.missed {
        findings.add(Term::LogShift, scale(blame.ceased), || {
            format!(
                "{name} does not say any more, where {expected:.0} lines were to be expected: \"{}\"",
                text(template)
            )
        });
    }
}
