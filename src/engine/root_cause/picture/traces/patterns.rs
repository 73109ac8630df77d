//! How each operation usually goes on, and where it now goes on differently.
//!
//! Within a span, events are the templates of its log lines in order, the operations it calls, and that it failed. A
//! context is "after this line" or "somewhere in the span"; the healthy time says which continuations are usual there.
//! A rule is a context that is now left more often than chance allows: the usual continuation does not come, or a line
//! of error (or a failing call) comes that did not come before. What merely shifts between usual continuations is
//! another mix of requests and no rule.
//!
//! Of the spans that a rule finds in a trace only the deepest are to blame: those above them react.

use super::forest::{Forest, Twig};
use crate::engine::root_cause::case::{LogTemplate, Loudness};

/// Before the first line.
const START: u32 = 0;
/// After the last line.
const END: u32 = 1;
/// The span failed.
const FAILED: u32 = 2;
/// The context "somewhere in the span".
pub(super) const SOMEWHERE: u32 = 3;
/// The span calls nothing.
const NO_CALL: u32 = 4;

/// An event as a number: a template, or the key of a called operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event(pub(super) u32);

impl Event {
    fn line(template: u32) -> Self {
        Self(6 + 2 * template)
    }

    fn call(key: u32) -> Self {
        Self(7 + 2 * key)
    }

    /// What it is.
    #[must_use]
    pub fn meaning(self) -> Meaning {
        match self.0 {
            START => Meaning::Start,
            END => Meaning::End,
            FAILED => Meaning::Failed,
            SOMEWHERE => Meaning::Somewhere,
            NO_CALL => Meaning::NoCall,
            code if code % 2 == 0 => Meaning::Line(code.saturating_sub(6) / 2),
            code => Meaning::Call(code.saturating_sub(7) / 2),
        }
    }
}

/// What an event or a context is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The beginning of the span.
    Start,
    /// Its end.
    End,
    /// Its failure.
    Failed,
    /// Anywhere in it.
    Somewhere,
    /// That it calls nothing.
    NoCall,
    /// A line of this template.
    Line(u32),
    /// A call of this key.
    Call(u32),
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// None of the usual continuations comes, but the end or a sign of failure; the most usual one is named.
    Left(Event),
    /// None of the usual continuations comes, but something quiet that never came before.
    Turned(Event),
    /// Something that speaks of failure comes.
    Bad(Event),
}

/// A context that is left more often than in the healthy time.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The operation under the one above it.
    pub context: u32,
    /// After which event.
    pub after: Event,
    /// What happens.
    pub breach: Breach,
    /// The usual continuations of the context, for `Breach::Left`.
    pub ways: Vec<Event>,
    /// Log likelihood ratio of "it happens more often now" against "as often as in the healthy time", over all spans.
    pub surprise: f64,
    /// The same for one occurrence.
    pub each: f64,
    /// How often it happened, of how many, in the healthy time.
    pub healthy: (usize, usize),
    /// How often it happens now, of how many.
    pub now: (usize, usize),
}

/// Rules below this log likelihood ratio are dropped. Some thousand contexts are looked at, so a few that are chance pass;
/// what they weigh is small against a fault's.
const SURPRISE_MIN: f64 = 3.0;
/// Contexts seen less often in the healthy time say nothing about what is usual.
const HEALTHY_MIN: usize = 2;
/// A continuation is usual from this share of its context's occurrences, and from two of them.
const USUAL_SHARE: f64 = 0.02;
/// Something is always there from this share.
const ALWAYS_SHARE: f64 = 0.9;

/// What a turn to something quiet and new weighs against one to the end or to a failure: new data and new states of the
/// business do that as well.
const QUIET_TURN: f64 = 0.3;

type Count = ((u32, u32), u32);

/// What each operation does in a forest: occurrences of contexts, and of continuations in contexts.
struct Tally {
    contexts: Vec<((u32, u32), usize)>,
    steps: Vec<(Count, usize)>,
}

fn runs<T: Ord + Copy>(mut items: Vec<T>) -> Vec<(T, usize)> {
    items.sort_unstable();
    let mut counted: Vec<(T, usize)> = Vec::new();
    for item in items {
        match counted.last_mut() {
            Some((last, count)) if *last == item => *count += 1,
            _ => counted.push((item, 1)),
        }
    }
    counted
}

/// Every (context, continuation) of one span, each once, sorted.
pub(super) fn steps(twig: &Twig, forest: &Forest, found: &mut Vec<(u32, u32)>) {
    found.clear();
    let mut before = START;
    for line in &twig.lines {
        let event = Event::line(*line).0;
        found.push((before, event));
        found.push((SOMEWHERE, event));
        before = event;
    }
    found.push((before, END));
    found.extend(twig.children.iter().map(|child| (SOMEWHERE, Event::call(forest.twigs[*child].key).0)));
    if twig.children.is_empty() {
        found.push((SOMEWHERE, NO_CALL));
    }
    if twig.is_error {
        found.push((SOMEWHERE, FAILED));
    }
    found.sort_unstable();
    found.dedup();
}

impl Tally {
    fn new(forest: &Forest) -> Self {
        let (mut contexts, mut all) = (Vec::new(), Vec::new());
        let mut own = Vec::new();
        for at in &forest.order {
            let twig = &forest.twigs[*at];
            steps(twig, forest, &mut own);
            let mut last = None;
            for (after, event) in &own {
                if last != Some(*after) {
                    contexts.push((twig.context, *after));
                    last = Some(*after);
                }
                all.push(((twig.context, *after), *event));
            }
            if own.iter().all(|(after, _)| *after != SOMEWHERE) {
                contexts.push((twig.context, SOMEWHERE));
            }
        }
        Self { contexts: runs(contexts), steps: runs(all) }
    }

    fn context(&self, context: (u32, u32)) -> usize {
        self.contexts.binary_search_by_key(&context, |(one, _)| *one).map_or(0, |at| self.contexts[at].1)
    }

    fn of(&self, context: (u32, u32)) -> &[(Count, usize)] {
        let from = self.steps.partition_point(|((one, _), _)| *one < context);
        let to = self.steps.partition_point(|((one, _), _)| *one <= context);
        self.steps.get(from..to).unwrap_or(&[])
    }

    fn step(&self, context: (u32, u32), event: u32) -> usize {
        self.steps.binary_search_by_key(&(context, event), |(one, _)| *one).map_or(0, |at| self.steps[at].1)
    }
}

/// What an event is worth as a sign of failure: 1 for an error, half for a warning, 0 for anything else.
fn badness(event: u32, templates: &[LogTemplate], is_failing_key: &dyn Fn(u32) -> bool) -> f64 {
    match Event(event).meaning() {
        Meaning::Failed | Meaning::NoCall => 1.0,
        Meaning::Line(template) => match templates.get(template as usize).map(|template| template.loudness) {
            Some(Loudness::Error) => 1.0,
            Some(Loudness::Warning) => 0.5,
            _ => 0.0,
        },
        Meaning::Call(key) if is_failing_key(key) => 1.0,
        _ => 0.0,
    }
}

/// True for an end and for signs of failure.
fn is_hard(event: u32, templates: &[LogTemplate], is_failing_key: &dyn Fn(u32) -> bool) -> bool {
    event == END || badness(event, templates, is_failing_key) > 0.0
}

/// Log likelihood ratio of `now` against the healthy rate (Krichevsky-Trofimov), one-sided; and per occurrence.
fn surprise(healthy: (usize, usize), now: (usize, usize)) -> (f64, f64) {
    let (hits, count) = (now.0 as f64, now.1 as f64);
    if now.1 == 0 || now.0 == 0 {
        return (0.0, 0.0);
    }
    let usual = (healthy.0 as f64 + 0.5) / (healthy.1 as f64 + 1.0);
    let rate = hits / count;
    if rate <= usual {
        return (0.0, 0.0);
    }
    let each = (rate / usual).ln();
    let rest = count - hits;
    let others = if rest > 0.0 { rest * ((1.0 - rate) / (1.0 - usual)).ln() } else { 0.0 };
    (hits * each + others, each)
}

/// The rules by which `now` breaks with `healthy`, by key.
#[must_use]
pub fn rules(
    healthy: &Forest,
    now: &Forest,
    templates: &[LogTemplate],
    is_failing_key: &dyn Fn(u32) -> bool,
) -> Vec<Rule> {
    let (usual, present) = (Tally::new(healthy), Tally::new(now));
    let mut rules = Vec::new();
    for (context, healthy_count) in usual.contexts.iter().filter(|(_, count)| *count >= HEALTHY_MIN) {
        let now_count = present.context(*context);
        if now_count == 0 {
            continue;
        }
        let judge = Judge { usual: &usual, present: &present, context: *context, counts: (*healthy_count, now_count) };
        if badness(context.1, templates, is_failing_key) < 1.0 {
            judge.left(templates, is_failing_key, &mut rules);
        }
        judge.bad(templates, is_failing_key, &mut rules);
    }
    rules.sort_by_key(|rule: &Rule| (rule.context, rule.after, rule.breach));
    rules
}

struct Judge<'a> {
    usual: &'a Tally,
    present: &'a Tally,
    context: (u32, u32),
    /// Occurrences of the context: healthy, now.
    counts: (usize, usize),
}

impl Judge<'_> {
    fn add(&self, breach: Breach, factor: f64, ways: Vec<Event>, on: (usize, usize), rules: &mut Vec<Rule>) {
        let (healthy, now) = ((on.0, self.counts.0), (on.1, self.counts.1));
        let (all, each) = surprise(healthy, now);
        let (all, each) = (all * factor, each * factor);
        if all >= SURPRISE_MIN {
            let after = Event(self.context.1);
            rules.push(Rule { context: self.context.0, after, breach, ways, surprise: all, each, healthy, now });
        }
    }

    /// Usual continuations: seen twice and in at least 2 % of the occurrences, no sign of failure, not the end.
    fn usual_ways(&self, templates: &[LogTemplate], is_failing_key: &dyn Fn(u32) -> bool) -> Vec<(u32, usize)> {
        let least = (USUAL_SHARE * self.counts.0 as f64).max(2.0);
        let ways = self.usual.of(self.context).iter().map(|((_, event), count)| (*event, *count));
        ways.filter(|(event, count)| {
            *count as f64 >= least && *event != END && badness(*event, templates, is_failing_key) < 1.0
        })
        .collect()
    }

    fn left(&self, templates: &[LogTemplate], is_failing_key: &dyn Fn(u32) -> bool, rules: &mut Vec<Rule>) {
        let ways = self.usual_ways(templates, is_failing_key);
        if self.context.1 == SOMEWHERE {
            // Lines have their order to be judged by; calls overlap.
            let is_call = |event: u32| matches!(Event(event).meaning(), Meaning::Call(_));
            let always = ways
                .iter()
                .filter(|(event, count)| is_call(*event) && *count as f64 >= ALWAYS_SHARE * self.counts.0 as f64);
            for (event, count) in always {
                let now = self.present.step(self.context, *event);
                let on = (self.counts.0 - count, self.counts.1 - now);
                self.add(Breach::Turned(Event(*event)), QUIET_TURN, vec![Event(*event)], on, rules);
            }
            return;
        }
        let Some((most, _)) = ways.iter().max_by_key(|(event, count)| (*count, std::cmp::Reverse(*event))) else {
            return;
        };
        let all: Vec<Event> = ways.iter().map(|(event, _)| Event(*event)).collect();
        let away = |tally: &Tally| {
            let others =
                tally.of(self.context).iter().filter(|((_, event), _)| ways.iter().all(|(way, _)| way != event));
            others.fold((0, 0), |(hard, soft), ((_, event), count)| {
                if is_hard(*event, templates, is_failing_key) { (hard + count, soft) } else { (hard, soft + count) }
            })
        };
        let (healthy, now) = (away(self.usual), away(self.present));
        self.add(Breach::Left(Event(*most)), 1.0, all.clone(), (healthy.0, now.0), rules);
        self.add(Breach::Turned(Event(*most)), QUIET_TURN, all, (healthy.1, now.1), rules);
    }

    fn bad(&self, templates: &[LogTemplate], is_failing_key: &dyn Fn(u32) -> bool, rules: &mut Vec<Rule>) {
        for ((_, event), now) in self.present.of(self.context) {
            let badness = badness(*event, templates, is_failing_key);
            if badness > 0.0 {
                let healthy = self.usual.step(self.context, *event);
                self.add(Breach::Bad(Event(*event)), badness, Vec::new(), (healthy, *now), rules);
            }
        }
    }
}
