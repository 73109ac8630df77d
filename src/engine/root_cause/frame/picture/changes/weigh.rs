//! What speaks for and against each change, in natural-log odds.

use std::collections::{BTreeMap, BTreeSet};

use super::deeds;
use super::diff::Diff;
use super::files::{self, FileKind};
use super::outside::{self, Loud};
use super::signs::{self, Sign};
use super::traits::{self, Complaint};
use super::words::{self, Bag};
use crate::engine::root_cause::frame::case::{Case, CaseChange, CaseChangeKind, NodeId, Seconds};
use crate::engine::root_cause::frame::picture::graph::Graph;
use crate::engine::root_cause::frame::picture::logs::Logs;
use crate::engine::root_cause::frame::picture::traces::Traces;

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

/// What is complained of, as words and as kinds.
struct Complaints {
    bag: Bag,
    kinds: Vec<Complaint>,
    /// All that is said, lower case, for numbers and phrases.
    text: String,
    runs: BTreeSet<String>,
}

/// A change as it took effect.
struct Effect<'a> {
    change: &'a CaseChange,
    at: Seconds,
    node: Option<NodeId>,
    is_rolled_out: bool,
}

/// Every change that could be to blame, and "none".
#[must_use]
pub fn weigh(case: &Case, graph: &Graph, logs: &Logs, traces: &Traces) -> Vec<Weighed> {
    let loud = outside::loud(case, logs);
    let signs = signs::signs(case, logs);
    let complaints = complaints(case, &loud, &signs, traces);
    let effects = effects(case);
    let diffs: Vec<Diff> = effects.iter().map(|effect| Diff::read(&effect.change.diff)).collect();
    let bags: Vec<Bag> = effects.iter().zip(&diffs).map(|(effect, diff)| bag_of(effect, diff)).collect();
    let rarity = words::rarity(&bags);
    let has_rollouts =
        case.changes.iter().any(|change| change.kind == CaseChangeKind::Deploy && change.commit.is_some());
    let scene = Scene { case, graph, signs: &signs, complaints: &complaints, rarity: &rarity, has_rollouts };
    let mut found: Vec<Weighed> =
        effects.iter().zip(&diffs).zip(&bags).map(|((effect, diff), bag)| scene.weigh(effect, diff, bag)).collect();
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

fn bag_of(effect: &Effect<'_>, diff: &Diff) -> Bag {
    let mut bag = diff.bag();
    bag.add(&effect.change.title, TITLE_WORD);
    effect.change.files.iter().for_each(|file| bag.add(file, FILE_WORD));
    bag
}

/// What a word of the title tells against one that goes or comes in the diff: people name what they mean to do.
const TITLE_WORD: f64 = 0.4;
/// What a word of a path tells.
const FILE_WORD: f64 = 0.3;

fn complaints(case: &Case, loud: &[Loud], signs: &[Sign], traces: &Traces) -> Complaints {
    let mut text = String::new();
    let mut say = |piece: &str| {
        text.push_str(piece);
        text.push('\n');
    };
    let mut bag = Bag::default();
    if let Some(symptom) = &case.symptom {
        for piece in symptom.metric.iter().map(String::as_str).chain([symptom.text.as_str()]) {
            bag.add(piece, 1.0);
            say(piece);
        }
    }
    let mut runs = BTreeSet::new();
    for line in loud.iter().flat_map(|loud| loud.lines.iter().take(3)) {
        bag.add(line, 1.0);
        say(line);
        runs.extend(runs_of(line));
    }
    for sign in signs.iter().filter(|sign| sign.levels.is_some()) {
        let metric = sign.what.split(' ').nth(1).unwrap_or("");
        bag.add(metric, 0.7);
        say(metric);
    }
    for (op, is_error) in traces.now.twigs.iter().map(|twig| (twig.key, twig.is_error)).collect::<BTreeSet<_>>() {
        if let (Some((_, op)), true) = (traces.keys.list.get(op as usize), is_error) {
            bag.add(case.ops.get(*op as usize).map_or("", String::as_str), 0.5);
        }
    }
    // Names of services stand in every complaint about them.
    for name in case.nodes.iter().map(|node| node.name.as_str()) {
        for word in words::telling(name).into_iter().chain([words::stem(&name.to_lowercase())]) {
            if let Some(weight) = bag.0.get_mut(&word) {
                *weight *= 0.3;
            }
        }
    }
    let lower = text.to_lowercase();
    Complaints { bag, kinds: traits::complaints(&lower), text: lower, runs }
}

/// Four words in a row, as they are written.
fn runs_of(text: &str) -> Vec<String> {
    let words = words::parts(text);
    words.windows(4).filter(|run| run.iter().any(|word| word.len() > 3)).map(|run| run.join(" ")).collect()
}

struct Scene<'a> {
    case: &'a Case,
    graph: &'a Graph,
    signs: &'a [Sign],
    complaints: &'a Complaints,
    rarity: &'a BTreeMap<String, f64>,
    has_rollouts: bool,
}

impl Scene<'_> {
    fn weigh(&self, effect: &Effect<'_>, diff: &Diff, bag: &Bag) -> Weighed {
        let mut found = Weighed { id: effect.change.id.clone(), node: effect.node, reasons: Vec::new() };
        if effect.at > self.case.detected_at {
            found.add(-20.0, "it came after the page");
            return found;
        }
        self.timing(effect, &mut found);
        self.place(effect, &mut found);
        let fit = self.content(effect, diff, bag, &mut found);
        Self::power(self.has_rollouts, effect, diff, fit, &mut found);
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

    /// Whether it can do anything at all.
    fn power(has_rollouts: bool, effect: &Effect<'_>, diff: &Diff, fit: f64, found: &mut Weighed) {
        let change = effect.change;
        let kind = files::most_active(&change.files);
        if change.kind == CaseChangeKind::Commit && has_rollouts && !effect.is_rolled_out {
            let weight = if kind == Some(FileKind::Settings) { -1.2 } else { -2.5 };
            found.add(weight, "no roll-out carries it");
        }
        match kind {
            Some(FileKind::Idle) => found.add(-6.0, "it changes nothing that runs"),
            Some(FileKind::Style) => found.add(-3.0, "it changes how a page looks"),
            Some(FileKind::Dependencies) => found.add(-0.8, "it changes versions of what is built in"),
            Some(FileKind::Settings | FileKind::Code) | None => {}
        }
        if change.kind == CaseChangeKind::Flag {
            found.add(-0.5, "a flag, of which only the name is known");
        } else if change.diff.is_empty() {
            found.add(-0.8, "its content is not known");
        } else if diff.is_cosmetic() {
            found.add(-5.0, "its diff changes nothing but comments, blanks or order");
        } else if diff.removed.iter().chain(&diff.added).all(|line| line.is_report) {
            found.add(-1.5, "it changes only what is told of it");
        } else if diff.quantities.is_empty() {
            let kept = diff.kept_share();
            if kept > KEPT_FROM {
                let percent = (kept * 100.0).round();
                // Moved code with something new among it, or that does what is known to bring this, is more than moved.
                let is_more = diff.brings_new() || fit >= 0.8;
                let weight = if is_more { -0.5 } else { -3.0 * (1.0 - 0.5 * diff.new_share()) };
                found.add(
                    weight * ((kept - KEPT_FROM) / (1.0 - KEPT_FROM)).powi(2),
                    format!("{percent} % of what it takes out it puts in again elsewhere"),
                );
            }
        }
    }

    fn content(&self, effect: &Effect<'_>, diff: &Diff, bag: &Bag, found: &mut Weighed) -> f64 {
        let mut shared: Vec<(f64, &str)> = bag
            .0
            .iter()
            .map(|(word, weight)| {
                (
                    weight * self.complaints.bag.weight(word) * self.rarity.get(word).copied().unwrap_or(0.0),
                    word.as_str(),
                )
            })
            .filter(|(weight, _)| *weight > 0.0)
            .collect();
        shared.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let sum: f64 = shared.iter().map(|(weight, _)| weight).sum();
        let told: Vec<&str> = shared.iter().take(4).map(|(_, word)| *word).collect();
        found.add(3.0 * (1.0 - (-sum / 4.0).exp()), format!("it and the complaint share: {}", told.join(", ")));
        let is_known = !effect.change.diff.is_empty();
        let deeds = deeds::deeds(diff);
        let kinds: Vec<traits::Deed> = deeds.iter().map(|(deed, _)| *deed).collect();
        let fit = traits::fit(&kinds, &self.complaints.kinds);
        if let Some((known, deed, complaint)) = fit {
            let by = deeds.iter().find(|(one, _)| *one == deed).map_or("", |(_, by)| by.as_str());
            let by: String = by.chars().take(100).collect();
            found.add(2.0 * known, format!("{deed:?} ({by}) is known to bring {complaint:?}"));
        }
        self.exact(diff, found);
        if is_known && sum < 0.5 && fit.is_none() {
            found.add(-1.0, "nothing in it touches what is complained of");
        }
        fit.map_or(0.0, |(known, _, _)| known)
    }

    /// Numbers and phrases that stand in the diff and in the complaint as they are.
    fn exact(&self, diff: &Diff, found: &mut Weighed) {
        let level = diff.quantities.iter().find_map(|quantity| {
            let is = |a: f64, b: f64| (a - b).abs() <= 0.02 * b.abs().max(1e-9);
            let mut levels = self.signs.iter().filter_map(|sign| sign.levels.map(|levels| (sign, levels)));
            levels
                .find(|(_, (before, now))| is(*before, quantity.before) && is(*now, quantity.after))
                .map(|(sign, _)| (quantity, sign))
        });
        let number = diff
            .quantities
            .iter()
            .find(|quantity| quantity.written.1.len() >= 2 && has_number(&self.complaints.text, &quantity.written.1));
        if let Some((quantity, sign)) = level {
            found.add(
                2.5,
                format!("{} to {} is what is measured: {}", quantity.written.0, quantity.written.1, sign.what),
            );
        } else if let Some(quantity) = number {
            found.add(1.5, format!("the new {} of \"{}\" stands in the complaint", quantity.written.1, quantity.line));
        }
        let lines = diff.added.iter().chain(&diff.removed).filter(|line| !line.is_report);
        if let Some(run) = lines.flat_map(|line| runs_of(&line.text)).find(|run| self.complaints.runs.contains(run)) {
            found.add(1.0, format!("\"{run}\" stands in it and in the complaint"));
        }
    }
}

/// Share of what goes that comes back from which code is moved rather than changed.
const KEPT_FROM: f64 = 0.5;
/// Parts of paths that many services share.
const GENERIC_PARTS: [&str; 10] =
    ["service", "services", "server", "internal", "agent", "config", "platform", "main", "cmd", "pkg"];

/// True where a number stands by itself in a text.
fn has_number(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '-' || c == ':');
        !is_part(text.get(..at).and_then(|head| head.chars().next_back()))
            && !is_part(text.get(at + number.len()..).and_then(|tail| tail.chars().next()).filter(|c| *c != '.'))
    })
}
