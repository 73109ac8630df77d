//! What speaks for and against each change, in natural-log odds.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{self, FileKind};
use super::outside::{self, Loud};
use super::signs::{self, Sign};
use super::words::{self, Bag};
use super::worth::{self, Content, Said};
use crate::engine::root_cause::case::{Case, CaseChange, CaseChangeKind, NodeId, Seconds};
use crate::engine::root_cause::picture::graph::Graph;
use crate::engine::root_cause::picture::logs::Logs;
use crate::engine::root_cause::picture::traces::Traces;

/// A change with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// Its id, or `none`.
    pub id: String,
    /// Where it took effect.
    pub node: Option<NodeId>,
    /// What speaks for and against it.
    pub reasons: Vec<(String, f64)>,
}

impl Weighed {
    /// The sum.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.reasons.iter().map(|(_, weight)| weight).sum()
    }

    fn add(&mut self, weight: f64, text: impl Into<String>) {
        if weight != 0.0 && weight.is_finite() {
            self.reasons.push((text.into(), weight));
        }
    }
}

/// Clocks and sampling may differ by this much.
const SLACK_S: f64 = 60.0;
/// Where "none" stands with nothing that speaks for it: about where a change of the right service stands whose content
/// says nothing.
const NONE: f64 = 2.5;

/// A change as it took effect.
struct Effect<'a> {
    change: &'a CaseChange,
    at: Seconds,
    node: Option<NodeId>,
    is_rolled_out: bool,
}

/// Every change that could be to blame, and "none".
#[must_use]
pub fn weigh(case: &Case, graph: &Graph, logs: &Logs<'_>, traces: &Traces) -> Vec<Weighed> {
    let loud = outside::loud(case, logs);
    let signs = signs::signs(case, logs);
    let said = said(case, &loud, &signs, traces);
    let effects = effects(case);
    let contents: Vec<Content> = effects
        .iter()
        .map(|effect| Content::read(&effect.change.title, &effect.change.files, &effect.change.diff))
        .collect();
    let bags: Vec<Bag> = contents.iter().map(|content| content.bag.clone()).collect();
    let rarity = words::rarity(&bags);
    let has_rollouts =
        case.changes.iter().any(|change| change.kind == CaseChangeKind::Deploy && change.commit.is_some());
    let scene = Scene { case, graph, signs: &signs, said: &said, rarity: &rarity, has_rollouts };
    let mut found: Vec<Weighed> =
        effects.iter().zip(&contents).map(|(effect, content)| scene.weigh(effect, content)).collect();
    let mut none = Weighed { id: "none".to_owned(), node: None, reasons: Vec::new() };
    none.add(NONE, "not every failure comes from a change");
    outside::cues(case, &loud, &signs).into_iter().for_each(|cue| none.add(cue.weight, cue.text));
    found.push(none);
    found
}

/// Commits and flags, and roll-outs of commits that are not told of; each with when and where it first took effect.
fn effects(case: &Case) -> Vec<Effect<'_>> {
    let known: BTreeSet<&str> = case
        .changes
        .iter()
        .filter(|change| change.kind != CaseChangeKind::Deploy)
        .map(|change| change.id.as_str())
        .collect();
    let carrier = |id: &str| {
        case.changes.iter().find(|change| change.kind == CaseChangeKind::Deploy && change.commit.as_deref() == Some(id))
    };
    let mut found = Vec::new();
    for change in &case.changes {
        match change.kind {
            CaseChangeKind::Deploy if change.commit.as_deref().is_some_and(|commit| known.contains(commit)) => {}
            CaseChangeKind::Commit => match carrier(&change.id) {
                Some(first) => found.push(Effect { change, at: first.ts, node: first.node, is_rolled_out: true }),
                None => found.push(Effect { change, at: change.ts, node: change.node, is_rolled_out: false }),
            },
            _ => found.push(Effect { change, at: change.ts, node: change.node, is_rolled_out: true }),
        }
    }
    found
}

fn said(case: &Case, loud: &[Loud], signs: &[Sign], traces: &Traces) -> Said {
    let mut said = Said::default();
    if let Some(symptom) = &case.symptom {
        symptom.metric.iter().for_each(|metric| said.add(metric, 1.0));
        said.add(&symptom.text, 1.0);
    }
    loud.iter().flat_map(|loud| loud.lines.iter().take(3)).for_each(|line| said.add_line(line));
    for sign in signs.iter().filter(|sign| sign.levels.is_some()) {
        said.add(sign.what.split(' ').nth(1).unwrap_or(""), 0.7);
    }
    let failing: BTreeSet<u32> = traces.now.twigs.iter().filter(|twig| twig.is_error).map(|twig| twig.key).collect();
    for (_, op) in failing.iter().filter_map(|key| traces.keys.list.get(*key as usize)) {
        said.add_names(case.ops.get(*op as usize).map_or("", String::as_str), 0.5);
    }
    said.settle(case.nodes.iter().map(|node| node.name.as_str()));
    said
}

struct Scene<'a> {
    case: &'a Case,
    graph: &'a Graph,
    signs: &'a [Sign],
    said: &'a Said,
    rarity: &'a BTreeMap<String, f64>,
    has_rollouts: bool,
}

impl Scene<'_> {
    fn weigh(&self, effect: &Effect<'_>, content: &Content) -> Weighed {
        let mut found = Weighed { id: effect.change.id.clone(), node: effect.node, reasons: Vec::new() };
        if effect.at > self.case.detected_at {
            found.add(-20.0, "it came after the page");
            return found;
        }
        self.timing(effect, &mut found);
        self.place(effect, &mut found);
        self.reach(effect, content, &mut found);
        let levels: Vec<(f64, f64, &str)> = self
            .signs
            .iter()
            .filter_map(|sign| sign.levels.map(|(before, now)| (before, now, sign.what.as_str())))
            .collect();
        let worth = worth::worth(content, self.said, self.rarity, &levels);
        worth.reasons.into_iter().for_each(|(text, weight)| found.add(weight, text));
        found
    }

    fn timing(&self, effect: &Effect<'_>, found: &mut Weighed) {
        let at = effect.at;
        let earlier = self.signs.iter().filter(|sign| sign.at < at - SLACK_S * 0.5).count();
        if earlier > 0 {
            let share = earlier as f64 / self.signs.len() as f64;
            let first = &self.signs[0];
            found.add(
                -5.0 * share - 1.0,
                format!(
                    "{earlier} of {} signs were there before it; the first {:.0} s before: {}",
                    self.signs.len(),
                    at - first.at,
                    first.what
                ),
            );
        }
        let next = self.signs.iter().find(|sign| sign.at >= at - SLACK_S * 0.5);
        let (lag, what) = match next {
            Some(sign) => ((sign.at - at).max(0.0), sign.what.as_str()),
            None => ((self.case.detected_at - at).max(0.0), "the page"),
        };
        // Most failures of a change show within minutes, but the tail is long: log odds fall with the logarithm of the lag.
        found.add(2.0 - 0.6 * (1.0 + lag / 60.0).ln(), format!("{lag:.0} s before the next sign: {what}"));
        let at_once = self.signs.iter().find(|sign| {
            let is_here = effect.node.is_none_or(|node| node == sign.node);
            is_here && effect.is_rolled_out && sign.at >= at - SLACK_S * 0.5 && sign.not_before <= at + SLACK_S
        });
        if let (Some(sign), 0) = (at_once, earlier) {
            found.add(1.0, format!("at once after it, before anything else: {}", sign.what));
        }
    }

    fn place(&self, effect: &Effect<'_>, found: &mut Weighed) {
        let paged = self.case.symptom.as_ref().and_then(|symptom| symptom.node);
        let first = self.signs.first().map(|sign| sign.node);
        let Some(node) = effect.node else {
            let words: BTreeSet<String> = effect
                .change
                .files
                .iter()
                .flat_map(|file| words::parts(file))
                .chain(words::parts(&effect.change.title))
                .collect();
            let name = paged.map(|node| self.case.name(node).to_lowercase()).unwrap_or_default();
            let is_named = words
                .iter()
                .any(|word| word.len() >= 4 && !GENERIC_PARTS.contains(&word.as_str()) && name.contains(word.as_str()));
            found.add(
                if is_named { 0.5 } else { -0.3 },
                if is_named { "its files are of what paged" } else { "it names no service" },
            );
            return;
        };
        let name = self.case.name(node);
        if Some(node) == paged {
            found.add(1.0, format!("on {name}, which paged"));
        } else if Some(node) == first {
            found.add(0.8, format!("on {name}, which showed the first sign"));
        } else if self.signs.iter().any(|sign| sign.node == node) {
            found.add(0.3, format!("on {name}, which shows signs"));
        } else if !paged.is_some_and(|paged| self.is_near(paged, node)) {
            found.add(-1.5, format!("{name} shows nothing and is not called by what paged"));
        }
    }

    /// True where what paged calls the service, or is called by it.
    fn is_near(&self, paged: NodeId, node: NodeId) -> bool {
        let has = |hops: &[Option<u32>]| hops.get(node).is_some_and(Option::is_some);
        has(&self.graph.hops_down(paged)) || self.graph.callers(paged).contains(&node)
    }

    /// Whether it took effect at all, and what is known of it.
    fn reach(&self, effect: &Effect<'_>, content: &Content, found: &mut Weighed) {
        let change = effect.change;
        if change.kind == CaseChangeKind::Commit && self.has_rollouts && !effect.is_rolled_out {
            let is_setting = files::most_active(&change.files) == Some(FileKind::Settings);
            found.add(if is_setting { -1.2 } else { -2.5 }, "no roll-out carries it");
        }
        if change.kind == CaseChangeKind::Flag {
            found.add(-0.5, "a flag, of which only the name is known");
        } else if !content.is_known {
            found.add(-0.8, "its content is not known");
        }
    }
}

/// Parts of paths that many services share.
const GENERIC_PARTS: [&str; 10] =
    ["service", "services", "server", "internal", "agent", "config", "platform", "main", "cmd", "pkg"];
