//! Spans to trees, with the log lines that were written within them.

use crate::engine::root_cause::case::{InstanceId, LogRow, NodeId, Seconds, SpanRow};

/// A span in its tree.
#[derive(Debug, Clone)]
pub struct Twig {
    /// What it is an instance of: service and operation.
    pub key: u32,
    /// The same, told apart by the operation of the same service above it.
    pub context: u32,
    /// Who did the work.
    pub node: NodeId,
    /// Which copy.
    pub instance: Option<InstanceId>,
    /// When it began.
    pub ts: Seconds,
    /// How long it took.
    pub ms: f64,
    /// True where its status says that it failed.
    pub is_error: bool,
    /// The span above, in the forest.
    pub parent: Option<usize>,
    /// The spans below, by time.
    pub children: Vec<usize>,
    /// Templates of the lines written within it, by time.
    pub lines: Vec<u32>,
}

/// All traces of a table.
#[derive(Debug, Default)]
pub struct Forest {
    /// The spans.
    pub twigs: Vec<Twig>,
    /// Places in `twigs`, parents before children, tree by tree. A span in a circle of parents is in no tree.
    pub order: Vec<usize>,
    /// The root of each span, by its place; itself for a root.
    pub root: Vec<usize>,
    /// The roots, in order.
    pub roots: Vec<usize>,
}

/// Service and operation to a dense number, the same in every forest of a case.
#[derive(Debug, Default)]
pub struct Keys {
    /// The pairs; a key's number is its place.
    pub list: Vec<(NodeId, u32)>,
    sorted: Vec<((NodeId, u32), u32)>,
}

/// Keys told apart by the key above.
#[derive(Debug, Default)]
pub struct Contexts(Keys);

impl Contexts {
    /// The key of a context.
    #[must_use]
    pub fn key(&self, context: u32) -> u32 {
        self.0.list.get(context as usize).and_then(|(key, _)| u32::try_from(*key).ok()).unwrap_or(u32::MAX)
    }
}

impl Keys {
    /// The number of a pair.
    pub fn of(&mut self, node: NodeId, op: u32) -> u32 {
        match self.sorted.binary_search_by_key(&(node, op), |(pair, _)| *pair) {
            Ok(at) => self.sorted[at].1,
            Err(at) => {
                let key = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
                self.list.push((node, op));
                self.sorted.insert(at, ((node, op), key));
                key
            }
        }
    }
}

impl Forest {
    /// The forest of `spans` (by time) and `lines` with their templates. A span that is told twice counts once.
    #[must_use]
    pub fn new<'a>(
        spans: impl Iterator<Item = &'a SpanRow>,
        lines: impl Iterator<Item = &'a LogRow>,
        keys: &mut Keys,
        contexts: &mut Contexts,
    ) -> Self {
        let rows: Vec<&SpanRow> = spans.collect();
        let mut by_id: Vec<((u64, u64), usize)> =
            rows.iter().enumerate().map(|(at, row)| ((row.span, row.trace), at)).collect();
        by_id.sort_unstable();
        by_id.dedup_by_key(|(id, _)| *id);
        let find = |span: u64, trace: u64| {
            by_id
                .binary_search_by_key(&(span, trace), |(id, _)| *id)
                .ok()
                .and_then(|at| by_id.get(at))
                .map(|(_, at)| *at)
        };
        let is_first = |at: usize, row: &SpanRow| row.span == 0 || find(row.span, row.trace) == Some(at);
        let mut forest = Self::default();
        let mut place = vec![usize::MAX; rows.len()];
        for (at, row) in rows.iter().enumerate().filter(|(at, row)| is_first(*at, row)) {
            place[at] = forest.twigs.len();
            forest.twigs.push(Twig {
                key: keys.of(row.node, row.op),
                context: 0,
                node: row.node,
                instance: row.instance,
                ts: row.ts,
                ms: row.dur_us / 1e3,
                is_error: row.is_error,
                parent: None,
                children: Vec::new(),
                lines: Vec::new(),
            });
        }
        for (at, row) in rows.iter().enumerate() {
            let (Some(own), true) = (place.get(at).copied().filter(|own| *own != usize::MAX), row.parent != 0) else {
                continue;
            };
            let above = find(row.parent, row.trace).and_then(|at| place.get(at).copied());
            if let Some(above) = above.filter(|above| *above != own && *above != usize::MAX) {
                forest.twigs[own].parent = Some(above);
                forest.twigs[above].children.push(own);
            }
        }
        for line in lines.filter(|line| line.span != 0) {
            if let Some(twig) =
                find(line.span, line.trace).and_then(|at| place.get(at)).and_then(|at| forest.twigs.get_mut(*at))
            {
                twig.lines.push(line.template);
            }
        }
        for at in 0..forest.twigs.len() {
            let twig = &forest.twigs[at];
            let above = twig.parent.map(|parent| &forest.twigs[parent]).filter(|above| above.node == twig.node);
            forest.twigs[at].context = contexts.0.of(twig.key as usize, above.map_or(u32::MAX, |above| above.key));
        }
        forest.walk();
        forest
    }

    fn walk(&mut self) {
        self.roots = (0..self.twigs.len()).filter(|at| self.twigs[*at].parent.is_none()).collect();
        self.root = (0..self.twigs.len()).collect();
        let mut waiting: Vec<usize> = self.roots.iter().rev().copied().collect();
        while let Some(at) = waiting.pop() {
            self.order.push(at);
            if let Some(parent) = self.twigs[at].parent {
                self.root[at] = self.root[parent];
            }
            waiting.extend(self.twigs[at].children.iter().rev().copied());
        }
    }

    /// The part of a span's time that is its own: not covered by its children, nor by siblings that begin within it
    /// and end within it (work handed on without waiting under the same parent).
    #[must_use]
    pub fn own_ms(&self, at: usize) -> f64 {
        let twig = &self.twigs[at];
        let (start, end) = (twig.ts, twig.ts + twig.ms / 1e3);
        let mut spans: Vec<(f64, f64)> = Vec::with_capacity(twig.children.len());
        let mut cover = |other: &Twig| spans.push((other.ts.max(start), (other.ts + other.ms / 1e3).min(end)));
        twig.children.iter().for_each(|child| cover(&self.twigs[*child]));
        if twig.children.is_empty()
            && let Some(parent) = twig.parent
        {
            let siblings = self.twigs[parent]
                .children
                .iter()
                .filter(|sibling| **sibling != at)
                .map(|sibling| &self.twigs[*sibling]);
            siblings
                .filter(|other| other.ts >= start && other.ts + other.ms / 1e3 <= end + 1e-3 && other.ms < twig.ms)
                .for_each(cover);
        }
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut covered, mut until) = (0.0, f64::NEG_INFINITY);
        for (from, to) in spans {
            let from = from.max(until);
            if to > from {
                covered += to - from;
                until = to;
            }
        }
        (twig.ms - covered * 1e3).max(0.0)
    }
}
