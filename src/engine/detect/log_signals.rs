//! Signals in logs: a template never seen before, and a sudden change of a template's rate.
//!
//! Lines are counted by template and minute. A minute is held against a robust mean and spread of the minutes before;
//! the spread is never taken for less than that of a Poisson count.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Detection;
use super::identity::anomaly_fingerprint;
use super::live::{at_onset, follow_onset};
use super::log_rate::{KeptRate, Rate, SILENT_MINUTES};
use super::log_templates::{Mined, TemplateMiner, TemplatesError};
use super::tracking::AnomalyEvent;
use crate::engine::clock::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::limits::LOG_TEMPLATES_MAX;
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{
    Anomaly, AnomalyId, AnomalyKind, AnomalyState, Band, DetectionMethod, Direction, DropReason, Fingerprint, LogLevel,
    LogLine, SeriesRole, ServiceName, Severity, TemplateId, Unit,
};
use crate::engine::settings::DetectionSettings;

/// Metric name of these anomalies.
const METRIC: &str = "log template";
/// While a service's lines are first read, every template is new and none of them is news.
const WARM_UP_MS: i64 = 10 * MINUTE_MS;
/// A service of which this many lines were mined before a restart needs no warm-up after it.
const KNOWN_LINES_MIN: u64 = 100;
/// Lines older than this when they are read are history: they teach templates only.
const HISTORY_MS: i64 = 10 * MINUTE_MS;
/// Calm minutes after which a change of rate is over, and minutes after which the new rate is normal.
const CALM_MINUTES: u32 = 3;
const FOLLOW_MINUTES: i64 = 60;
/// A new template that has been silent this long is over: a line is a moment, not a state.
const QUIET_MS: i64 = 2 * MINUTE_MS;
/// An anomaly that merely goes on is told again at most this often.
const RETELL_MS: i64 = 10 * SECOND_MS;
/// First byte of what is kept, where rates are in it.
const WITH_RATES: u8 = 2;
/// Lines may arrive this long after they were written.
const SETTLE_MS: i64 = 2 * SECOND_MS;

/// Templates, their rates and the anomalies under way.
#[derive(Debug, Default)]
pub struct LogSignals {
    miner: TemplateMiner,
    is_unkept: bool,
    /// When each service's first line was written.
    heard_since: BTreeMap<ServiceName, Timestamp>,
    rates: BTreeMap<TemplateId, Rate>,
    active: BTreeMap<(TemplateId, AnomalyKind), (Anomaly, Timestamp)>,
    minute: i64,
}

impl LogSignals {
    /// Takes up an anomaly from before a restart.
    pub fn resume(&mut self, anomaly: &Anomaly) {
        if let Some((template, _)) = &anomaly.template {
            self.active.insert((*template, anomaly.kind), (anomaly.clone(), anomaly.last_seen_at));
        }
    }

    /// The templates alone, as they were kept before there were rates.
    #[cfg(test)]
    pub fn miner_bytes(&self) -> Vec<u8> {
        self.miner.to_bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let rates: Vec<KeptRate> = self.rates.iter().map(|(template, rate)| rate.kept(*template)).collect();
        // Writing plain data into memory has no way to fail; nothing kept is what a failure would amount to.
        postcard::to_extend(&(self.miner.to_bytes(), rates), vec![WITH_RATES]).unwrap_or_default()
    }

    /// How many templates are known.
    #[must_use]
    pub fn template_count(&self) -> usize {
        self.miner.len()
    }
}

/// What [`LogSignals::to_bytes`] gave; before there were rates in it, it was the templates alone.
fn read_kept(bytes: &[u8]) -> Result<(TemplateMiner, Vec<KeptRate>), TemplatesError> {
    match bytes.split_first() {
        Some((&WITH_RATES, body)) => {
            let (templates, rates): (Vec<u8>, Vec<KeptRate>) = postcard::from_bytes(body)?;
            Ok((TemplateMiner::from_bytes(&templates)?, rates))
        }
        _ => Ok((TemplateMiner::from_bytes(bytes)?, Vec::new())),
    }
}

/// Identity of a template's anomalies across restarts; templates keep their numbers.
fn origin(service: &ServiceName, template: TemplateId) -> Fingerprint {
    let mut hash = Fnv1a::new();
    hash.part(METRIC);
    hash.part(service.as_str());
    hash.part(&template.to_string());
    Fingerprint(hash.0)
}

fn severity_of(level: LogLevel) -> Severity {
    match level {
        LogLevel::Fatal => Severity::Critical,
        LogLevel::Error | LogLevel::Warn => Severity::Warning,
        LogLevel::Info | LogLevel::Debug => Severity::Info,
    }
}

fn sigma_of(severity: Severity, settings: &DetectionSettings) -> f64 {
    if severity == Severity::Critical { settings.critical_sigma } else { settings.anomaly_sigma }
}

/// An anomaly of a template, begun at `at`.
fn anomaly_of(id: AnomalyId, kind: AnomalyKind, direction: Direction, template: TemplateId, rate: &Rate) -> Anomaly {
    let is_grave = rate.level >= LogLevel::Warn;
    Anomaly {
        id,
        fingerprint: anomaly_fingerprint(origin(&rate.service, template), kind, direction),
        kind,
        service: rate.service.clone(),
        instance: None,
        metric: Arc::from(METRIC),
        unit: Unit::Count,
        role: if is_grave { SeriesRole::Errors } else { SeriesRole::Other },
        template: Some((template, rate.text.clone())),
        direction,
        is_harmful: is_grave && direction == Direction::Above,
        severity: if direction == Direction::Above { severity_of(rate.level) } else { Severity::Info },
        state: AnomalyState::Active,
        value: f64::from(rate.count),
        peak_value: f64::from(rate.count),
        expected: if kind == AnomalyKind::NewTemplate { Band::default() } else { rate.band() },
        deviation_sigma: 0.0,
        peak_sigma: 0.0,
        method: DetectionMethod::LogPattern,
        history_days: rate.minutes as f32 / 1_440.0,
        started_at: rate.last_line_at,
        last_seen_at: rate.last_line_at,
        ended_at: None,
        repeat_count: u64::from(rate.count),
        incident: None,
        suppressed: None,
        recent: rate.recent.clone(),
        forecast: None,
        at_onset: Vec::new(),
        promise: None,
        contradictions: Vec::new(),
    }
}

impl Detection {
    /// Hands back the templates that were kept.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::templates_to_keep`] gave; templates are then learned anew.
    pub fn restore_templates(&mut self, bytes: &[u8]) -> Result<(), TemplatesError> {
        let (miner, rates) = read_kept(bytes)?;
        self.logs.rates = rates.into_iter().filter_map(|kept| kept.revive(&miner)).collect();
        self.logs.miner = miner;
        // What is usual for these services is known already: a restart makes nobody deaf to news.
        for service in self.logs.miner.well_known(KNOWN_LINES_MIN) {
            self.logs.heard_since.insert(service, Timestamp(0));
        }
        Ok(())
    }

    /// The templates and how often they come, where anything was learnt since they were last asked for.
    pub fn templates_to_keep(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.logs.is_unkept).then(|| self.logs.to_bytes())
    }

    /// Takes in a log line.
    pub fn observe_log(&mut self, line: &LogLine, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let mined = self.logs.miner.observe(&line.service, &line.message);
        self.logs.is_unkept |= mined.is_new;
        self.merge_templates(now, events);
        // Lines that were written before we listened teach as well, so that the first minutes are not deaf to news.
        let heard_since = *self.logs.heard_since.entry(line.service.clone()).or_insert(line.at);
        let is_warm = line.at.since_ms(heard_since) > WARM_UP_MS;
        if now.since_ms(line.at) > HISTORY_MS {
            return;
        }
        if !self.logs.rates.contains_key(&mined.template) && self.logs.rates.len() >= LOG_TEMPLATES_MAX {
            return self.drop_one(DropReason::TooMany);
        }
        self.count_line(line, &mined);
        if mined.is_new && is_warm {
            self.begin_new_template(mined.template, events);
        } else {
            self.repeat_template(&mined, line, events);
        }
    }

    fn count_line(&mut self, line: &LogLine, mined: &Mined) {
        let rate = self.logs.rates.entry(mined.template).or_insert_with(|| Rate::new(line, mined.text.clone()));
        rate.count = rate.count.saturating_add(1);
        rate.level = rate.level.max(line.level);
        rate.last_line_at = rate.last_line_at.max(line.at);
        if !Arc::ptr_eq(&rate.text, &mined.text) {
            rate.text = mined.text.clone();
        }
    }

    fn begin_new_template(&mut self, template: TemplateId, events: &mut Vec<AnomalyEvent>) {
        let id = self.take_anomaly_id();
        let Some(rate) = self.logs.rates.get(&template) else {
            return;
        };
        let mut anomaly = anomaly_of(id, AnomalyKind::NewTemplate, Direction::Above, template, rate);
        anomaly.deviation_sigma = sigma_of(anomaly.severity, &self.settings);
        anomaly.peak_sigma = anomaly.deviation_sigma;
        events.push(AnomalyEvent::Began(anomaly.clone()));
        let told_at = anomaly.last_seen_at;
        self.logs.active.insert((template, AnomalyKind::NewTemplate), (anomaly, told_at));
    }

    /// Templates that turned out to be one have one rate, and what was part of one known before was no news.
    fn merge_templates(&mut self, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        for (from, into) in self.logs.miner.take_merges() {
            self.logs.is_unkept = true;
            if let Some(rate) = self.logs.rates.remove(&from) {
                match self.logs.rates.get_mut(&into) {
                    Some(whole) => whole.absorb(&rate),
                    None => drop(self.logs.rates.insert(into, rate)),
                }
            }
            for kind in [AnomalyKind::NewTemplate, AnomalyKind::TemplateRate] {
                if let Some((anomaly, _)) = self.logs.active.remove(&(from, kind)) {
                    events.push(ended(anomaly, now));
                }
            }
        }
    }

    /// A further line of a template that is news.
    fn repeat_template(&mut self, mined: &Mined, line: &LogLine, events: &mut Vec<AnomalyEvent>) {
        let Some((anomaly, told_at)) = self.logs.active.get_mut(&(mined.template, AnomalyKind::NewTemplate)) else {
            return;
        };
        anomaly.repeat_count += 1;
        anomaly.last_seen_at = anomaly.last_seen_at.max(line.at);
        anomaly.value = anomaly.repeat_count as f64;
        anomaly.peak_value = anomaly.value;
        anomaly.template = Some((mined.template, mined.text.clone()));
        if anomaly.severity < severity_of(line.level) {
            anomaly.severity = severity_of(line.level);
            anomaly.is_harmful |= line.level >= LogLevel::Warn;
        }
        if line.at.since_ms(*told_at) >= RETELL_MS {
            *told_at = line.at;
            events.push(AnomalyEvent::Changed(anomaly.clone()));
        }
    }

    /// Closes minutes, judges rates and ends what is over.
    pub(super) fn tick_logs(&mut self, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        self.end_quiet(now, events);
        let minute = (now - SETTLE_MS).0.div_euclid(MINUTE_MS);
        if minute == self.logs.minute {
            return;
        }
        // After a pause of ours the counts are of more than a minute and say nothing.
        let is_next = minute == self.logs.minute + 1;
        self.logs.minute = minute;
        self.logs.is_unkept |= !self.logs.rates.is_empty();
        let ended = now - SETTLE_MS;
        let templates: Vec<TemplateId> = self.logs.rates.keys().copied().collect();
        for template in templates {
            if is_next {
                self.judge_minute(template, ended, events);
            }
            if let Some(rate) = self.logs.rates.get_mut(&template) {
                rate.close_minute();
            }
        }
        let active = &self.logs.active;
        self.logs.rates.retain(|template, rate| {
            let is_active = active.contains_key(&(*template, AnomalyKind::TemplateRate));
            is_active || now.since_ms(rate.last_line_at) < DAY_MS
        });
    }

    fn judge_minute(&mut self, template: TemplateId, at: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let Some(rate) = self.logs.rates.get_mut(&template) else {
            return;
        };
        rate.silent_minutes = if rate.count == 0 { rate.silent_minutes + 1 } else { 0 };
        let departure = rate.departure();
        let key = (template, AnomalyKind::TemplateRate);
        let started_at = self.logs.active.get_mut(&key).map(|(anomaly, _)| {
            follow_onset(&mut anomaly.at_onset, rate.count as f32);
            anomaly.started_at
        });
        let is_followed = started_at.is_some_and(|start| at.since_ms(start) > FOLLOW_MINUTES * MINUTE_MS);
        if departure.is_none() || is_followed {
            rate.teach();
        }
        rate.calm_minutes = if departure.is_some() { 0 } else { rate.calm_minutes.saturating_add(1) };
        let is_calm = rate.calm_minutes >= CALM_MINUTES;
        match (departure, started_at) {
            (Some(direction), None) => self.begin_rate(template, direction, at, events),
            (Some(_), Some(_)) => self.go_on_with_rate(template, at, events),
            (None, Some(_)) if is_calm => {
                if let Some((anomaly, _)) = self.logs.active.remove(&key) {
                    events.push(ended(anomaly, at));
                }
            }
            _ => {}
        }
    }

    fn begin_rate(
        &mut self,
        template: TemplateId,
        direction: Direction,
        at: Timestamp,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let id = self.take_anomaly_id();
        let Some(rate) = self.logs.rates.get(&template) else {
            return;
        };
        let mut anomaly = anomaly_of(id, AnomalyKind::TemplateRate, direction, template, rate);
        let minutes = if direction == Direction::Below { i64::from(SILENT_MINUTES) } else { 1 };
        anomaly.started_at = at - minutes * MINUTE_MS;
        anomaly.last_seen_at = at;
        // The minute that ended is not among the recent ones yet. Exact up to sixteen million lines.
        let minutes: Vec<f32> = rate.recent.iter().copied().chain([rate.count as f32]).collect();
        anomaly.at_onset = at_onset(&minutes, 1);
        anomaly.deviation_sigma = rate_sigma(rate);
        anomaly.peak_sigma = anomaly.deviation_sigma;
        events.push(AnomalyEvent::Began(anomaly.clone()));
        self.logs.active.insert((template, AnomalyKind::TemplateRate), (anomaly, at));
    }

    fn go_on_with_rate(&mut self, template: TemplateId, at: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let (Some(rate), Some((anomaly, _))) =
            (self.logs.rates.get(&template), self.logs.active.get_mut(&(template, AnomalyKind::TemplateRate)))
        else {
            return;
        };
        anomaly.value = f64::from(rate.count);
        anomaly.repeat_count += u64::from(rate.count);
        anomaly.last_seen_at = at;
        anomaly.deviation_sigma = rate_sigma(rate);
        if anomaly.deviation_sigma > anomaly.peak_sigma {
            anomaly.peak_sigma = anomaly.deviation_sigma;
            anomaly.peak_value = anomaly.value;
        }
        anomaly.recent.clone_from(&rate.recent);
        events.push(AnomalyEvent::Changed(anomaly.clone()));
    }

    /// Ends new templates that have fallen silent, and rates of templates that are no longer counted.
    fn end_quiet(&mut self, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let rates = &self.logs.rates;
        let over: Vec<_> = self
            .logs
            .active
            .iter()
            .filter(|((template, kind), (anomaly, _))| match kind {
                AnomalyKind::TemplateRate => !rates.contains_key(template),
                _ => now.since_ms(anomaly.last_seen_at) > QUIET_MS,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some((anomaly, _)) = self.logs.active.remove(&key) {
                events.push(ended(anomaly, now));
            }
        }
    }
}

fn rate_sigma(rate: &Rate) -> f64 {
    ((f64::from(rate.count) - rate.mean).abs() / rate.sigma()).min(super::verdict::SIGMAS_MAX)
}

fn ended(mut anomaly: Anomaly, at: Timestamp) -> AnomalyEvent {
    anomaly.state = AnomalyState::Ended;
    anomaly.ended_at = Some(at);
    AnomalyEvent::Ended(anomaly)
}
