//! Reads where a metric should be: of a check, a verify step, a wait, a precheck.

use std::sync::Arc;

use super::condition::{self, Condition};
use super::fields::{Fields, Part, Problems};
use crate::engine::model::MetricGoal;

/// The keys `metric`, `service`, `below` and `above` of this very table, or `query` in their place.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> MetricGoal {
    if let Some(text) = fields.text("query", problems) {
        match condition::read(&text) {
            Ok(Condition::Goal(goal)) => return goal,
            Ok(Condition::NotRestarting(_)) => {
                problems.add(fields.line_of("query"), "`query` is about a metric; `not restarting` is a `precheck`");
            }
            Err(problem) => problems.add(fields.line_of("query"), format!("`query`: {problem}")),
        }
    }
    let metric = fields.required_text("metric", "name the metric to look at", problems);
    let service = fields.required_text("service", "name whose metric it is, such as \"{service}\"", problems);
    let below = fields.number("below", problems);
    let above = fields.number("above", problems);
    if let (Some(below), Some(above)) = (below, above)
        && above >= below
    {
        problems.add(fields.line_of("above"), "nothing is above `above` and below `below` at once; swap the two");
    }
    let or_empty = |text: Option<Arc<str>>| text.unwrap_or_else(|| Arc::from(""));
    MetricGoal { metric: or_empty(metric), service: or_empty(service), below, above }
}

/// A table of these keys under a key of its own.
pub(super) fn read_key(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<MetricGoal> {
    let table = fields.table(key, problems)?;
    let mut inner = fields.nested(table, fields.line_of(key));
    let goal = read(&mut inner, problems);
    inner.refuse_others(&format!("`{key}`"), problems);
    Some(goal)
}

/// What must hold before an act: a list of such tables, of conditions as text, or of both.
pub(super) fn read_prechecks(fields: &mut Fields<'_>, problems: &mut Problems) -> (Vec<MetricGoal>, Vec<Arc<str>>) {
    let (mut goals, mut not_restarting) = (Vec::new(), Vec::new());
    for (part, line) in fields.parts("precheck", problems) {
        match part {
            Part::Table(table) => {
                let mut inner = fields.nested(table, line);
                goals.push(read(&mut inner, problems));
                inner.refuse_others("`precheck`", problems);
            }
            Part::Text(text) => match condition::read(text) {
                Ok(Condition::Goal(goal)) => goals.push(goal),
                Ok(Condition::NotRestarting(target)) => not_restarting.push(target),
                Err(problem) => problems.add(line, format!("`precheck`: {problem}")),
            },
        }
    }
    (goals, not_restarting)
}
