//! A stream of alerts, by copy of a service: which levels rose or fell on it alone, which calls to it are slow and fail,
//! what its log says, and whether it went silent.
//!
//! The stream has no healthy time of its own. What is unusual is learned across the copies: what many show at once is
//! the detectors' own noise or the common load, what one shows alone is its own.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::kind::{MetricKind, kind_of, words_of};
use crate::engine::root_cause::case::{AlertRow, AlertSource, Case, InstanceId, NodeId};

/// Whose alert it is: a copy, or the service as a whole.
pub type Subject = (NodeId, Option<InstanceId>);

/// What one subject shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertView {
    /// Levels that rose: how far it stands alone with it, 0 to about 3.
    pub level_up: f64,
    /// Levels that fell.
    pub level_down: f64,
    /// Activity that rose.
    pub activity_up: f64,
    /// The metric that speaks loudest, with its kind.
    pub metric: Option<(String, MetricKind)>,
    /// Callers whose calls to it are slow and fail at once, beyond what its siblings have, halved.
    pub slow_and_failing: f64,
    /// A log line that tells of a fault of its own.
    pub own_log: Option<String>,
    /// True where its log blames what it calls.
    pub blames_callees: bool,
    /// Alerts on calls that its sibling makes to services that it does not call (any more), a quarter of them.
    pub silent: f64,
    /// The share of alerting calls that it is part of, or whose callee depends on it.
    pub explains: f64,
    /// Alerts about it.
    pub count: usize,
}

impl AlertView {
    fn take_level(&mut self, family: Family, is_down: bool, name: &str, size: f64) {
        let cell = match (family.is_level, is_down) {
            (true, false) => &mut self.level_up,
            (true, true) => &mut self.level_down,
            (false, false) => &mut self.activity_up,
            (false, true) => return,
        };
        *cell = cell.max(size);
        let is_louder = self.metric.is_none() || (family.is_level && !is_down);
        if size > 0.0 && is_louder {
            self.metric = Some((name.to_owned(), family.kind));
        }
    }
}

/// The whole stream.
#[derive(Debug, Default)]
pub struct Alerts {
    /// By subject; only who shows something.
    pub views: BTreeMap<Subject, AlertView>,
}

/// Fewer alerts of a sibling than this say nothing about silence; more than `SILENT_MAX` say no more.
const SILENT_MAX: f64 = 6.0;
/// A slow call and a failing one are the same call when they are told this near to each other, in seconds.
const SAME_CALL_S: f64 = 1.0;

impl Alerts {
    /// The picture of a case's alerts.
    #[must_use]
    pub fn new(case: &Case, graph: &Graph) -> Self {
        let rows = &case.now.alerts;
        if rows.is_empty() {
            return Self::default();
        }
        let mut alerts = Self::default();
        for instance in 0..case.instances.len() {
            if let Some(of) = case.instances.get(instance) {
                alerts.views.insert((of.node, Some(instance)), AlertView::default());
            }
        }
        for row in rows {
            alerts.views.entry((row.node, row.instance)).or_default().count += 1;
        }
        alerts.levels(case, rows);
        alerts.logs(rows);
        let calls = Calls::new(rows);
        alerts.failing(&calls);
        alerts.silent(&calls);
        alerts.explain(case, graph, &calls);
        alerts
    }

    fn levels(&mut self, case: &Case, rows: &[AlertRow]) {
        let on_host = guests(case);
        // Which metrics of one family moved which way on each subject.
        let mut told: BTreeMap<(Family, Subject), [Vec<&str>; 2]> = BTreeMap::new();
        let mut speakers: BTreeMap<String, BTreeSet<Subject>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.source == AlertSource::Metric) {
            let subject = (row.node, row.instance);
            speakers.entry(vocabulary(&row.name)).or_default().insert(subject);
            if let Some(family) = family(&row.name) {
                let [up, down] = told.entry((family, subject)).or_default();
                let names = if is_down(&row.value) != is_inverse(&row.name) { down } else { up };
                if !names.contains(&row.name.as_str()) {
                    names.push(&row.name);
                }
            }
        }
        // What moved both ways was reshuffled; only what is left over moved.
        let mut moved: BTreeMap<(Family, bool), Moved<'_>> = BTreeMap::new();
        for ((family, subject), [up, down]) in &told {
            let (is_down, names, others) = if down.len() > up.len() { (true, down, up) } else { (false, up, down) };
            if let Some(first) = names.first() {
                moved.entry((*family, is_down)).or_default().insert(*subject, (first, names.len() - others.len()));
            }
        }
        for ((family, is_down), by_subject) in &moved {
            for (subject, (name, count)) in by_subject {
                let comparable = speakers.get(&vocabulary(name)).map_or(1, |who| self.comparable(who));
                let showing = by_subject.len().min(comparable);
                let alone = if comparable < 2 {
                    0.0
                } else {
                    (comparable as f64 / showing as f64).ln() / (comparable.max(10) as f64).ln()
                };
                // A host is at fault where what runs on it suffers alike.
                let suffers = |guest: &&Subject| by_subject.contains_key(*guest);
                let share = on_host
                    .get(subject)
                    .map_or(1.0, |guests| guests.iter().filter(suffers).count() as f64 / guests.len() as f64);
                let size = (1.0 + *count as f64).ln() * alone * share;
                if let Some(view) = self.views.get_mut(subject) {
                    view.take_level(*family, *is_down, name, size);
                }
            }
        }
    }

    /// How many could have shown what these show. Who speaks a language of its own can be compared to nobody; every
    /// copy counts where one copy speaks it, since a quiet copy shows nothing.
    fn comparable(&self, speakers: &BTreeSet<Subject>) -> usize {
        let has_copies = speakers.iter().any(|(_, instance)| instance.is_some());
        let copies = if has_copies { self.views.keys().filter(|(_, instance)| instance.is_some()).count() } else { 0 };
        copies + speakers.iter().filter(|(_, instance)| instance.is_none()).count()
    }

    fn logs(&mut self, rows: &[AlertRow]) {
        for row in rows.iter().filter(|row| row.source == AlertSource::Log) {
            let Some(view) = self.views.get_mut(&(row.node, row.instance)) else {
                continue;
            };
            match blame(&row.message) {
                Blame::Itself if view.own_log.is_none() => view.own_log = Some(row.message.clone()),
                Blame::Callee => view.blames_callees = true,
                _ => {}
            }
        }
    }

    fn failing(&mut self, calls: &Calls<'_>) {
        let mut callers: BTreeMap<Subject, BTreeSet<Subject>> = BTreeMap::new();
        for (edge, told) in &calls.edges {
            let is_same_call =
                told.slow.iter().any(|slow| told.failed.iter().any(|failed| (slow - failed).abs() < SAME_CALL_S));
            if is_same_call && !calls.failing_callers.contains(&edge.callee) {
                callers.entry(edge.callee).or_default().insert(edge.caller);
            }
        }
        for (subject, of) in &callers {
            let siblings = callers.iter().filter(|(other, _)| other.0 == subject.0 && *other != subject);
            let most = siblings.map(|(_, of)| of.len()).max().unwrap_or(0);
            if let Some(view) = self.views.get_mut(subject) {
                view.slow_and_failing = (of.len().saturating_sub(most) as f64 / 2.0).min(1.5);
            }
        }
    }

    fn explain(&mut self, case: &Case, graph: &Graph, calls: &Calls<'_>) {
        let on_host = guests(case);
        let total = calls.edges.len() as f64;
        for (subject, view) in &mut self.views {
            let depends = graph.hops_up(subject.0);
            let is_guest = |other: &Subject| on_host.get(subject).is_some_and(|guests| guests.contains(other));
            let explained = calls.edges.keys().filter(|edge| {
                let is_below = depends.get(edge.callee.0).copied().flatten().is_some();
                is_below || edge.caller == *subject || is_guest(&edge.callee) || is_guest(&edge.caller)
            });
            view.explains = if total > 0.0 { explained.count() as f64 / total } else { 0.0 };
        }
    }

    /// A copy that fails early calls nobody, so nobody complains about its calls; its sibling goes on.
    fn silent(&mut self, calls: &Calls<'_>) {
        let mut by_caller: BTreeMap<Subject, BTreeMap<NodeId, usize>> = BTreeMap::new();
        for (edge, told) in &calls.edges {
            if edge.caller.0 != edge.callee.0 {
                let count = usize::from(!told.slow.is_empty()) + usize::from(!told.failed.is_empty());
                *by_caller.entry(edge.caller).or_default().entry(edge.callee.0).or_default() += count;
            }
        }
        let subjects: Vec<Subject> = self.views.keys().copied().filter(|(_, instance)| instance.is_some()).collect();
        for subject in subjects {
            let own = by_caller.get(&subject);
            let is_silent_to = |callee: &NodeId| own.is_none_or(|own| !own.contains_key(callee));
            let siblings =
                by_caller.iter().filter(|(other, _)| other.0 == subject.0 && other.1.is_some() && **other != subject);
            let most = siblings
                .map(|(_, calls)| {
                    calls.iter().filter(|(callee, _)| is_silent_to(callee)).map(|(_, count)| *count).sum::<usize>()
                })
                .max();
            if let (Some(view), Some(most)) = (self.views.get_mut(&subject), most) {
                view.silent = (most as f64).min(SILENT_MAX) / 4.0;
            }
        }
    }
}

/// On whom levels of a family moved one way: the first metric told, and how many more than the other way.
type Moved<'a> = BTreeMap<Subject, (&'a str, usize)>;

/// What runs on each host that is itself a candidate.
fn guests(case: &Case) -> BTreeMap<Subject, Vec<Subject>> {
    let mut on_host: BTreeMap<Subject, Vec<Subject>> = BTreeMap::new();
    for (id, instance) in case.instances.iter().enumerate() {
        if let Some(host) = instance.host.as_deref().and_then(|host| case.find(host)) {
            on_host.entry((host, None)).or_default().push((instance.node, Some(id)));
        }
    }
    on_host
}

/// One way from caller to callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge<'a> {
    caller: Subject,
    callee: Subject,
    op: &'a str,
}

/// When calls on an edge were told to be slow or to fail.
#[derive(Debug, Default)]
struct Told {
    slow: Vec<f64>,
    failed: Vec<f64>,
}

struct Calls<'a> {
    edges: BTreeMap<Edge<'a>, Told>,
    /// Who has calls of its own that fail.
    failing_callers: BTreeSet<Subject>,
}

impl<'a> Calls<'a> {
    fn new(rows: &'a [AlertRow]) -> Self {
        let mut calls = Self { edges: BTreeMap::new(), failing_callers: BTreeSet::new() };
        for row in rows.iter().filter(|row| row.source == AlertSource::Trace) {
            let Some(peer) = row.peer else {
                continue;
            };
            let caller = (peer, row.peer_instance);
            let told = calls.edges.entry(Edge { caller, callee: (row.node, row.instance), op: &row.op }).or_default();
            if kind_of(&row.name) == MetricKind::Latency {
                told.slow.push(row.ts);
            } else {
                told.failed.push(row.ts);
                calls.failing_callers.insert(caller);
            }
        }
        calls
    }
}

/// What a metric alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Family {
    kind: MetricKind,
    /// True for what fills up (memory, pools, queues), false for what is merely busy.
    is_level: bool,
}

/// Words of what belongs to the kernel's caches and counters: it follows the load and tells no fault.
const CACHE_WORDS: [&str; 16] = [
    "active",
    "inactive",
    "cache",
    "file",
    "mapped",
    "dirty",
    "writeback",
    "fault",
    "pgfault",
    "pgmajfault",
    "pgpgin",
    "pgpgout",
    "huge",
    "max",
    "io",
    "ops",
];

/// The family of a metric; `None` for one core, one device, caches and counters.
fn family(name: &str) -> Option<Family> {
    let words = words_of(name);
    if words.iter().any(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let kind = kind_of(name);
    let is_level = matches!(kind, MetricKind::Memory | MetricKind::Saturation)
        || (kind == MetricKind::Disk
            && words.iter().any(|word| matches!(word.as_str(), "used" | "usage" | "free" | "full")));
    if is_level && words.iter().any(|word| CACHE_WORDS.contains(&word.as_str())) {
        return None;
    }
    Some(Family { kind, is_level })
}

/// True for what is left rather than used: it falls where the others rise.
fn is_inverse(name: &str) -> bool {
    words_of(name).iter().any(|word| matches!(word.as_str(), "free" | "available" | "idle"))
}

/// Whose language a metric is: the first word of its name (`redis_…`, `docker_…`, `system_…`).
fn vocabulary(name: &str) -> String {
    words_of(name).into_iter().next().unwrap_or_default()
}

fn is_down(value: &str) -> bool {
    ["down", "low", "below", "drop", "decrease"].contains(&value.to_ascii_lowercase().as_str())
}

/// Whom a log line blames.
enum Blame {
    Itself,
    Callee,
    Nobody,
}

/// Words of failure, and words that say that somebody else failed.
const FAILURE_WORDS: [&str; 16] = [
    "error",
    "exception",
    "fail",
    "denied",
    "no such",
    "not found",
    "exhausted",
    "out of memory",
    "oom",
    "panic",
    "fatal",
    "killed",
    "corrupt",
    "overflow",
    "cannot",
    "unable",
];
const OTHERS_WORDS: [&str; 8] =
    ["downstream", "upstream", "remote", "connection refused", "timed out", "timeout", "unreachable", "no route"];

fn blame(message: &str) -> Blame {
    let text = message.to_lowercase();
    if OTHERS_WORDS.iter().any(|word| text.contains(word)) {
        return Blame::Callee;
    }
    if FAILURE_WORDS.iter().any(|word| text.contains(word)) { Blame::Itself } else { Blame::Nobody }
}
