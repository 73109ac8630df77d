//! Reads a condition that is written as text: `replica_lag('{db}') < 30s`, `not restarting('{db}')`.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::engine::model::MetricGoal;
use crate::engine::settings::Span;

/// What a text asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// A metric's place.
    Goal(MetricGoal),
    /// That nobody restarted this target lately.
    NotRestarting(Arc<str>),
}

static SHAPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(not )?\s*([A-Za-z_:][A-Za-z0-9_:]*)\(\s*['"]([^'"]+)['"]\s*\)\s*(.*)$"#).ok());

/// Units of a size, by what one of them is in bytes.
const SIZES: [(&str, f64); 5] =
    [("KiB", 1_024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0), ("B", 1.0)];

/// Reads one condition. Times are in seconds, sizes in bytes and shares from 0 to 1 afterwards, as readings are.
///
/// # Errors
/// What is wrong, and how it is written.
pub(super) fn read(text: &str) -> Result<Condition, String> {
    let usage = "write metric('service') < 30s, metric('service') > 15, or not restarting('service')";
    let parts = SHAPE.as_ref().and_then(|shape| shape.captures(text.trim()));
    let parts = parts.ok_or_else(|| format!("`{text}` is no condition; {usage}"))?;
    let part = |at: usize| parts.get(at).map_or("", |part| part.as_str());
    let (is_denied, name, service, rest) = (!part(1).is_empty(), part(2), part(3), part(4).trim());
    match (is_denied, name) {
        (true, "restarting") if rest.is_empty() => Ok(Condition::NotRestarting(Arc::from(service))),
        (true, _) => Err(format!("only `restarting` can be denied; {usage}")),
        (false, "restarting") => Err(format!("nothing waits for a restart; {usage}")),
        (false, _) => {
            let (is_below, value) = match (rest.strip_prefix('<'), rest.strip_prefix('>')) {
                (Some(value), _) => (true, value),
                (_, Some(value)) => (false, value),
                _ => return Err(format!("`{rest}` compares nothing; {usage}")),
            };
            let value = read_value(value.trim())?;
            Ok(Condition::Goal(MetricGoal {
                metric: Arc::from(name),
                service: Arc::from(service),
                below: is_below.then_some(value),
                above: (!is_below).then_some(value),
            }))
        }
    }
}

/// A number with or without a unit.
fn read_value(text: &str) -> Result<f64, String> {
    let wrong =
        || format!("`{text}` is no number with or without a unit; write 15, 15%, 30s, 24h or 10GiB, and < or >");
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some(number) = number(text) {
        return Ok(number);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return number(percent).map(|percent| percent / 100.0).ok_or_else(wrong);
    }
    for (unit, size) in SIZES {
        if let Some(count) = text.strip_suffix(unit) {
            return number(count).map(|count| count * size).ok_or_else(wrong);
        }
    }
    // Spans are days at most: far below where a float loses whole milliseconds.
    text.parse::<Span>().map(|span| span.0 as f64 / 1_000.0).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(text: &str) -> (String, String, Option<f64>, Option<f64>) {
        match read(text) {
            Ok(Condition::Goal(goal)) => (goal.metric.to_string(), goal.service.to_string(), goal.below, goal.above),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_condition_is_read_with_its_unit() {
        let below = |limit| ("replica_lag".to_owned(), "{db}".to_owned(), Some(limit), None);
        for (text, limit) in [
            ("replica_lag('{db}') < 30s", 30.0),
            ("replica_lag('{db}')<24h", 86_400.0),
            ("replica_lag( \"{db}\" ) < 250ms", 0.25),
            ("replica_lag('{db}') < 15%", 0.15),
            ("replica_lag('{db}') < 2GiB", 2_147_483_648.0),
            ("replica_lag('{db}') < -1.5", -1.5),
        ] {
            assert_eq!(goal(text), below(limit), "{text}");
        }
        assert_eq!(
            goal("disk_free_pct('{host}') > 15"),
            ("disk_free_pct".to_owned(), "{host}".to_owned(), None, Some(15.0))
        );
        assert_eq!(read("not restarting('{db}')"), Ok(Condition::NotRestarting(Arc::from("{db}"))));
    }

    #[test]
    fn what_is_no_condition_is_said() {
        for (text, says) in [
            ("", "no condition"),
            ("replica_lag < 30s", "no condition"),
            ("replica_lag('') < 30s", "no condition"),
            ("replica_lag('x')", "compares nothing"),
            ("replica_lag('x') = 3", "compares nothing"),
            ("replica_lag('x') <= 3", "no number"),
            ("replica_lag('x') < soon", "no number"),
            ("replica_lag('x') < NaN", "no number"),
            ("not replica_lag('x') < 3", "only `restarting`"),
            ("not restarting('x') < 3", "only `restarting`"),
            ("restarting('x')", "nothing waits"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(says), "{text}: {problem}");
        }
    }
}
