//! What traces say about a candidate: operations that go on differently, time lost in it or on the way to it, failures
//! that begin in it.

use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{FaultKind, Findings, Term};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::kind::MetricKind;
use crate::engine::root_cause::picture::traces::patterns::{Breach, Event, Meaning, Rule};
use crate::engine::root_cause::picture::traces::times::{Place, Shift};
use crate::engine::root_cause::picture::traces::verdict::Verdict;

/// Shares below this are noise.
const SHARE_MIN: f64 = 0.05;

/// Adds what traces say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(verdict) = picture.traces.verdicts.get(candidate.node) else { return };
    let part = copy_part(verdict, candidate);
    path(picture, verdict, part, findings);
    times(picture, candidate, verdict, findings);
}

/// 1 for the copy that is worst a span, less for better ones; 1 where copies are not told apart.
fn copy_part(verdict: &Verdict, candidate: Candidate<'_>) -> f64 {
    let Some(instance) = candidate.instance else { return 1.0 };
    let rate = |(_, path, spans): &(Option<usize>, f64, usize)| path / (*spans).max(1) as f64;
    let worst = verdict.copies.iter().map(rate).fold(0.0, f64::max);
    let own = verdict.copies.iter().find(|(one, _, _)| *one == Some(instance)).map(rate);
    match own {
        Some(own) if worst > 0.0 => own / worst,
        Some(_) => 1.0,
        // A copy without spans did nothing that could be blamed.
        None if worst > 0.0 => 0.0,
        None => 1.0,
    }
}

fn path(picture: &Picture<'_>, verdict: &Verdict, part: f64, findings: &mut Findings) {
    let Some(rule) = verdict.rule.and_then(|rule| picture.traces.rules.get(rule)) else { return };
    // 1 at some 10 nats: a rule that is broken a few times without doubt; grows with the logarithm, so that a busy
    // service does not win by its traffic.
    let value = (1.0 + verdict.path * part / 5.0).ln().min(3.0);
    findings.add(Term::SpanPath, value, || rule_sentence(picture, rule));
    findings.name(None, FaultKind::Code, value);
}

fn times(picture: &Picture<'_>, candidate: Candidate<'_>, verdict: &Verdict, findings: &mut Findings) {
    let shift = |at: Option<usize>| at.and_then(|at| picture.traces.shifts.get(at));
    if let (Some(gap), true) = (shift(verdict.worst_gap), verdict.called >= SHARE_MIN) {
        let percent = (verdict.called * 100.0).round();
        findings.add(Term::SpanGap, verdict.called * 3.0, || {
            format!("{} ({percent} % of the time lost)", gap_sentence(picture, gap))
        });
        findings.name(
            metric_of(picture, candidate, MetricKind::Latency).as_deref(),
            FaultKind::Network,
            verdict.called * 3.0,
        );
    }
    if let (Some(own), true) = (shift(verdict.worst_own), verdict.own >= SHARE_MIN) {
        findings.add(Term::SpanSelfTime, verdict.own * 3.0, || own_sentence(picture, own));
        let cpu = metric_of(picture, candidate, MetricKind::Cpu);
        let kind = if cpu.is_some() { FaultKind::Cpu } else { FaultKind::Latency };
        let latency = || metric_of(picture, candidate, MetricKind::Latency);
        findings.name(cpu.or_else(latency).as_deref(), kind, verdict.own * 3.0);
    }
}

/// The candidate's metric of a kind that moved most, where one moved at all.
fn metric_of(picture: &Picture<'_>, candidate: Candidate<'_>, kind: MetricKind) -> Option<String> {
    let views = picture.metrics.of(candidate.node).filter(|view| view.kind == kind);
    let views = views.filter(|view| view.instance.is_none() || view.instance == candidate.instance);
    views.max_by(|a, b| a.shift.total_cmp(&b.shift)).map(|view| view.metric.clone())
}

fn name_of(picture: &Picture<'_>, event: Event) -> String {
    match event.meaning() {
        Meaning::Line(template) => {
            let text = picture.logs.templates.get(template as usize).map_or("", |template| template.text.as_str());
            format!("\"{}\"", text.chars().take(90).collect::<String>())
        }
        Meaning::Call(key) => format!("the call of {}", operation(picture, key)),
        Meaning::Start => "the start".to_owned(),
        Meaning::End => "the end".to_owned(),
        Meaning::Failed => "its failure".to_owned(),
        Meaning::Somewhere => "all of it".to_owned(),
        Meaning::NoCall => "no call at all".to_owned(),
    }
}

fn operation(picture: &Picture<'_>, key: u32) -> String {
    let Some((node, op)) = picture.traces.keys.list.get(key as usize) else { return String::new() };
    let op = picture.case.ops.get(*op as usize).map_or("", String::as_str);
    format!("{} {op}", picture.case.name(*node))
}

fn rule_sentence(picture: &Picture<'_>, rule: &Rule) -> String {
    let place = operation(picture, picture.traces.contexts.key(rule.context));
    let (healthy, now) = (rule.healthy, rule.now);
    let counts = format!("{} of {} now, {} of {} before", now.0, now.1, healthy.0, healthy.1);
    let after = match rule.after.meaning() {
        Meaning::Somewhere => String::new(),
        _ => format!(" after {}", name_of(picture, rule.after)),
    };
    match rule.breach {
        Breach::Bad(event) => format!("{place}:{after} comes {} ({counts})", name_of(picture, event)),
        Breach::Left(event) | Breach::Turned(event) => {
            format!("{place}:{after} {} does not come any more ({counts})", name_of(picture, event))
        }
    }
}

fn gap_sentence(picture: &Picture<'_>, shift: &Shift) -> String {
    let Place::Gap(caller, _, key) = shift.place else { return String::new() };
    let ((before, now), caller) = (shift.median, picture.case.name(caller));
    format!("between {caller} and {}: {before:.1} ms to {now:.1} ms are spent on the way", operation(picture, key))
}

fn own_sentence(picture: &Picture<'_>, shift: &Shift) -> String {
    let Place::Own(_, key) = shift.place else { return String::new() };
    let (median, upper) = (shift.median, shift.upper);
    format!(
        "{}: its own time went from {:.1} ms to {:.1} ms, the slowest tenth from {:.1} ms to {:.1} ms",
        operation(picture, key),
        median.0,
        median.1,
        upper.0,
        upper.1
    )
}
