//! An anomaly in words and figures: its value, what was expected, how far off it is.

use super::text;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Anomaly, AnomalyKind, Band, DetectionMethod, Direction, Promise, Unit, human, human_span};

/// The last value, or what stands in its place for anomalies without one.
pub fn value(anomaly: &Anomaly) -> String {
    match anomaly.kind {
        AnomalyKind::Absence => "no data".to_owned(),
        AnomalyKind::NewTemplate => "new".to_owned(),
        AnomalyKind::Deviation | AnomalyKind::TemplateRate | AnomalyKind::Forecast | AnomalyKind::Relation => {
            human(anomaly.value, anomaly.unit)
        }
    }
}

/// What was expected: `0..0.4/s`.
pub fn expected(anomaly: &Anomaly) -> String {
    match anomaly.kind {
        AnomalyKind::Absence => "data".to_owned(),
        AnomalyKind::NewTemplate => "known lines".to_owned(),
        _ if anomaly.method == DetectionMethod::StaticThreshold && anomaly.unit != Unit::Boolean => edge(anomaly),
        AnomalyKind::Deviation | AnomalyKind::TemplateRate | AnomalyKind::Forecast | AnomalyKind::Relation => {
            band(anomaly.expected, anomaly.unit)
        }
    }
}

/// The edge of the band that was left, where there is no room for both: `≤ 340 ms`.
pub fn edge(anomaly: &Anomaly) -> String {
    match anomaly.direction {
        Direction::Above => format!("≤ {}", human(anomaly.expected.high, anomaly.unit)),
        Direction::Below => format!("≥ {}", human(anomaly.expected.low, anomaly.unit)),
    }
}

/// A band with its unit said once: `0.2..1.3 %`; one value where both edges read the same.
pub fn band(band: Band, unit: Unit) -> String {
    let (low, high) = (human(band.low, unit), human(band.high, unit));
    if low == high {
        return high;
    }
    let figure = |text: &str| text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (low_end, high_end) = (figure(&low), figure(&high));
    if low.get(low_end..) == high.get(high_end..) {
        format!("{}..{high}", low.get(..low_end).unwrap_or(&low))
    } else {
        format!("{low}..{high}")
    }
}

/// Deviation in sigmas, in at most four columns: `3.4σ`, `38σ`, `>1kσ`.
pub fn sigma(sigma: f64) -> String {
    match sigma {
        sigma if !sigma.is_finite() => "?".to_owned(),
        sigma if sigma >= 999.5 => ">1kσ".to_owned(),
        sigma if sigma >= 9.95 => format!("{sigma:.0}σ"),
        sigma => format!("{sigma:.1}σ"),
    }
}

/// How far the last value is off, in at most four columns; a dash where that is not measured in sigmas.
pub fn distance(anomaly: &Anomaly) -> String {
    if anomaly.is_measured_in_sigmas() { sigma(anomaly.deviation_sigma) } else { "-".to_owned() }
}

/// By which rule it was judged, in words.
pub fn method(method: DetectionMethod) -> &'static str {
    match method {
        DetectionMethod::SeasonalZ => "compared with its level and seasons",
        DetectionMethod::IqrFence => "quartile fences of its level and seasons",
        DetectionMethod::StaticThreshold => "static threshold, for lack of history",
        DetectionMethod::MissingData => "no sample when one was due",
        DetectionMethod::LogPattern => "log patterns",
        DetectionMethod::Trend => "robust trend towards the limit",
        DetectionMethod::OwnHistory => "beyond all its short history has shown",
        DetectionMethod::Relation => "compared with the other metrics of the service",
        DetectionMethod::Siblings => "limits borrowed from its siblings, for lack of history",
    }
}

/// `above` or `below`.
pub fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "above",
        Direction::Below => "below",
    }
}

/// `auth-api` or `auth-api@10.0.0.3`.
pub fn place(anomaly: &Anomaly) -> String {
    match &anomaly.instance {
        Some(instance) => format!("{}@{instance}", anomaly.service),
        None => anomaly.service.to_string(),
    }
}

/// When the resource runs out and how likely that is: `in 68 h ± 4 h, 94 %`; `None` for anomalies that foretell nothing.
pub fn runs_out(anomaly: &Anomaly, now: Timestamp) -> Option<String> {
    let forecast = anomaly.forecast.as_ref()?;
    let left_ms = forecast.reached_at.since_ms(now);
    if left_ms <= 0 {
        return Some("now".to_owned());
    }
    let margin = match forecast.margin_ms {
        margin if margin > 0 => format!(" ± {}", hours(rounded(margin))),
        _ => String::new(),
    };
    let is_open = |promise: &&Promise| promise.outcome.is_none();
    let chance = anomaly.promise.as_ref().filter(is_open).map(|promise| format!(", {:.0} %", 100.0 * promise.chance));
    Some(format!("in {}{margin}{}", hours(rounded(left_ms)), chance.unwrap_or_default()))
}

/// Up to four days in hours, as on-call shifts are counted: `68 h`.
fn hours(ms: i64) -> String {
    use crate::engine::clock::{DAY_MS, HOUR_MS};
    if (2 * DAY_MS..=4 * DAY_MS).contains(&ms) { format!("{} h", ms / HOUR_MS) } else { human_span(ms) }
}

/// A span to the hour above two days, to the minute below: a forecast claims no more than it knows, and stays still.
fn rounded(ms: i64) -> i64 {
    use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
    let unit = if ms >= 2 * DAY_MS { HOUR_MS } else { MINUTE_MS };
    (ms + unit / 2) / unit * unit
}

/// The metric, and for anomalies of logs the template's text.
pub fn subject(anomaly: &Anomaly) -> String {
    match &anomaly.template {
        Some((_, template)) => format!("{} “{template}”", anomaly.metric),
        None => anomaly.metric.to_string(),
    }
}

/// Since when, as an age in four columns.
pub fn since(anomaly: &Anomaly, now: Timestamp) -> String {
    text::age_short(now.since_ms(anomaly.started_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_says_its_unit_once() {
        for (low, high, unit, expected) in [
            (0.0, 0.4, Unit::PerSecond, "0..0.4/s"),
            (0.002, 0.013, Unit::Ratio, "0.2..1.3 %"),
            (0.05, 1.2, Unit::Seconds, "50 ms..1.2 s"),
            (1.0, 1.0, Unit::Boolean, "up"),
            (-2.0, 3.0, Unit::Count, "-2..3"),
        ] {
            assert_eq!(band(Band { low, centre: low, high }, unit), expected);
        }
    }

    #[test]
    fn sigmas_fit_their_column() {
        for (value, expected) in [(2.84, "2.8σ"), (9.96, "10σ"), (38.2, "38σ"), (999.9, ">1kσ"), (f64::INFINITY, "?")]
        {
            assert_eq!(sigma(value), expected);
        }
    }
}
