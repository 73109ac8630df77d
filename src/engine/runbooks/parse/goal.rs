//! Reads where a metric should be: of a check, a verify step, a wait, a precheck.

use std::sync::Arc;

use super::fields::{Fields, Problems};
use crate::engine::model::MetricGoal;

/// The keys `metric`, `service`, `below` and `above` of this very table.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> MetricGoal {
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

/// A list of such tables.
pub(super) fn read_list(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<MetricGoal> {
    let example = format!("{key} = [{{ metric = \"replica_lag\", service = \"{{db}}\", below = 30 }}]");
    let mut goals = Vec::new();
    for (table, line) in fields.tables(key, &example, problems) {
        let mut inner = fields.nested(table, line);
        goals.push(read(&mut inner, problems));
        inner.refuse_others(&format!("`{key}`"), problems);
    }
    goals
}
