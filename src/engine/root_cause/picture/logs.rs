//! The picture of logs: the template of every line, and what each template does now against its healthy time.

pub mod blame;

use crate::engine::root_cause::case::{Case, InstanceId, LogRow, LogTemplate, Loudness, NodeId, Seconds, Span};

/// What one template does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Lines around the incident.
    pub now: usize,
    /// Lines of the healthy time.
    pub healthy: usize,
    /// The first line around the incident.
    pub first_at: Option<Seconds>,
    /// The last line around the incident.
    pub last_at: Option<Seconds>,
    /// One of its lines around the incident, by its place in `Case::now.logs`.
    pub example: Option<usize>,
    /// Lines around the incident by copy, sorted.
    pub by_instance: Vec<(Option<InstanceId>, usize)>,
}

/// What logs show.
#[derive(Debug, Default)]
pub struct Logs<'a> {
    /// The templates.
    pub templates: &'a [LogTemplate],
    /// What each template does, by its number.
    pub usage: Vec<Usage>,
    /// Who is to blame by the logs alone, by node.
    pub blames: Vec<blame::LogBlame>,
    /// Lines of each node around the incident and healthy, by node.
    pub totals: Vec<(usize, usize)>,
}

impl<'a> Logs<'a> {
    /// The picture of a case's logs.
    #[must_use]
    pub fn new(case: &'a Case) -> Self {
        let mut logs = Self {
            templates: &case.templates,
            usage: Vec::new(),
            blames: Vec::new(),
            totals: vec![(0, 0); case.nodes.len()],
        };
        let range = Now::new(case);
        logs.usage = vec![Usage::default(); logs.templates.len()];
        for (row, line) in case.now.logs.iter().enumerate() {
            let is_now = range.has(line.ts);
            count(&mut logs.totals, line.node, is_now);
            let Some(usage) = logs.usage.get_mut(line.template as usize) else { continue };
            if is_now {
                usage.take(row, line);
            } else {
                usage.healthy += 1;
            }
        }
        for line in &case.healthy.logs {
            count(&mut logs.totals, line.node, false);
            if let Some(usage) = logs.usage.get_mut(line.template as usize) {
                usage.healthy += 1;
            }
        }
        logs.blames = blame::blames(case, &logs);
        logs
    }

    /// Templates that are new around the incident, with what they do: (number, usage), of at least this loudness.
    pub fn new_templates(&self, from: Loudness) -> impl Iterator<Item = (usize, &Usage)> {
        let is_loud = move |at: usize| self.templates.get(at).is_some_and(|template| template.loudness >= from);
        self.usage.iter().enumerate().filter(move |(at, usage)| usage.now > 0 && usage.healthy == 0 && is_loud(*at))
    }
}

/// Which rows of the incident's own tables belong to the incident and which to a healthy time within them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    healthy: Option<Span>,
    from: Seconds,
}

/// Pages come some minutes after the trouble: what is older than this may be healthy.
const BEFORE_PAGE_S: f64 = 240.0;
/// Of tables without any healthy time no more than this share, from the start, is taken for healthy.
const HEALTHY_SHARE: f64 = 0.35;

impl Now {
    /// The case's.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        match case.baseline {
            // What lies before a healthy time that lies before the incident is no part of the incident.
            Some(healthy) if healthy.end <= case.incident.start => Self { healthy: Some(healthy), from: healthy.end },
            Some(healthy) => Self { healthy: Some(healthy), from: f64::NEG_INFINITY },
            None if !case.healthy.spans.is_empty() || !case.healthy.logs.is_empty() => {
                Self { healthy: None, from: case.incident.start }
            }
            None => Self { healthy: None, from: Self::guess(case) },
        }
    }

    /// Without any healthy time the first part of the tables has to do.
    fn guess(case: &Case) -> Seconds {
        let times = || case.now.spans.iter().map(|row| row.ts).chain(case.now.logs.iter().map(|row| row.ts));
        let (first, last) = (times().fold(f64::MAX, f64::min), times().fold(f64::MIN, f64::max));
        if first > last {
            return case.incident.start;
        }
        (first + HEALTHY_SHARE * (last - first))
            .min((case.detected_at - BEFORE_PAGE_S).max(first + 0.1 * (last - first)))
    }

    /// True for what belongs to the incident.
    #[must_use]
    pub fn has(&self, ts: Seconds) -> bool {
        ts >= self.from && !self.healthy.is_some_and(|healthy| healthy.contains(ts))
    }
}

fn count(totals: &mut [(usize, usize)], node: NodeId, is_now: bool) {
    if let Some((now, healthy)) = totals.get_mut(node) {
        *if is_now { now } else { healthy } += 1;
    }
}

impl Usage {
    fn take(&mut self, row: usize, line: &LogRow) {
        self.now += 1;
        self.first_at = Some(self.first_at.map_or(line.ts, |at| at.min(line.ts)));
        self.last_at = Some(self.last_at.map_or(line.ts, |at| at.max(line.ts)));
        self.example.get_or_insert(row);
        match self.by_instance.binary_search_by_key(&line.instance, |(instance, _)| *instance) {
            Ok(at) => self.by_instance[at].1 += 1,
            Err(at) => self.by_instance.insert(at, (line.instance, 1)),
        }
    }
}
