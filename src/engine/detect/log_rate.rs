//! How often a log template comes: a robust mean and spread of its lines a minute, and when a minute departs from them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::log_templates::TemplateMiner;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Band, Direction, LogLevel, LogLine, ServiceName, TemplateId};

/// Minutes of a template's life before its rate is judged.
const MINUTES_MIN: u32 = 30;
/// Minutes over which the rate is averaged.
const MINUTES_MAX: u32 = 240;
/// A rate is another one from this many sigmas and lines a minute.
const RATE_SIGMAS: f64 = 6.0;
const RATE_LINES: f64 = 10.0;
/// A template that came at least this often a minute and is silent for [`SILENT_MINUTES`] has stopped.
const REGULAR_RATE: f64 = 5.0;
pub const SILENT_MINUTES: u32 = 3;

/// How often a template comes.
#[derive(Debug, Clone)]
pub struct Rate {
    pub service: ServiceName,
    pub text: Arc<str>,
    pub level: LogLevel,
    /// Lines in the present minute.
    pub count: u32,
    /// Robust mean of lines a minute, and mean distance from it.
    pub mean: f64,
    deviation: f64,
    pub minutes: u32,
    pub silent_minutes: u32,
    pub calm_minutes: u32,
    pub last_line_at: Timestamp,
    pub recent: Vec<f32>,
}

/// What is kept of it between two starts.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptRate {
    template: u64,
    level: LogLevel,
    mean: f64,
    deviation: f64,
    minutes: u32,
    last_line_at: i64,
}

impl KeptRate {
    /// Takes the rate up again; its present minute was not heard in full and is not counted.
    #[must_use]
    pub fn revive(self, miner: &TemplateMiner) -> Option<(TemplateId, Rate)> {
        let template = TemplateId(self.template);
        let (service, text) = miner.get(template)?;
        // What was altered on disk must not make nonsense of every verdict to come.
        let is_sane = self.mean.is_finite() && self.mean >= 0.0 && self.deviation.is_finite() && self.deviation >= 0.0;
        let rate = Rate {
            mean: self.mean,
            deviation: self.deviation,
            minutes: self.minutes.min(MINUTES_MAX),
            ..Rate::silent(service.clone(), text.clone(), self.level, Timestamp(self.last_line_at))
        };
        is_sane.then_some((template, rate))
    }
}

impl Rate {
    /// Of a template whose first line this is.
    #[must_use]
    pub fn new(line: &LogLine, text: Arc<str>) -> Self {
        Self::silent(line.service.clone(), text, line.level, line.at)
    }

    fn silent(service: ServiceName, text: Arc<str>, level: LogLevel, last_line_at: Timestamp) -> Self {
        Self {
            service,
            text,
            level,
            count: 0,
            mean: 0.0,
            deviation: 0.0,
            minutes: 0,
            silent_minutes: 0,
            calm_minutes: 0,
            last_line_at,
            recent: Vec::new(),
        }
    }

    /// What is kept of it.
    #[must_use]
    pub fn kept(&self, template: TemplateId) -> KeptRate {
        KeptRate {
            template: template.0,
            level: self.level,
            mean: self.mean,
            deviation: self.deviation,
            minutes: self.minutes,
            last_line_at: self.last_line_at.0,
        }
    }

    /// Takes in the lines of a template that turned out to be part of this one.
    pub fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.level = self.level.max(other.level);
        self.last_line_at = self.last_line_at.max(other.last_line_at);
        if self.minutes == 0 || other.minutes == 0 {
            return;
        }
        // Lines a minute add up; so do the distances from their means, at most.
        self.mean += other.mean;
        self.deviation += other.deviation;
    }

    /// One sigma, in lines a minute.
    pub fn sigma(&self) -> f64 {
        (1.2533 * self.deviation).max(self.mean.sqrt()).max(1.0)
    }

    /// What is usual.
    pub fn band(&self) -> Band {
        let reach = RATE_SIGMAS * self.sigma();
        Band { low: (self.mean - reach).max(0.0), centre: self.mean, high: self.mean + reach.max(RATE_LINES) }
    }

    /// Which way the minute that ended departs, where it does.
    pub fn departure(&self) -> Option<Direction> {
        let count = f64::from(self.count);
        if self.minutes < MINUTES_MIN {
            None
        } else if count > self.band().high {
            Some(Direction::Above)
        } else {
            (self.mean >= REGULAR_RATE && self.silent_minutes >= SILENT_MINUTES).then_some(Direction::Below)
        }
    }

    /// Learns the minute that ended.
    pub fn teach(&mut self) {
        self.minutes = (self.minutes + 1).min(MINUTES_MAX);
        let gain = 1.0 / f64::from(self.minutes);
        let most = if self.minutes > 5 { 3.0 * self.sigma() } else { f64::INFINITY };
        let step = (f64::from(self.count) - self.mean).clamp(-most, most);
        self.mean += gain * step;
        self.deviation += gain * (step.abs() - self.deviation);
    }

    /// Begins another minute.
    pub fn close_minute(&mut self) {
        if self.recent.len() >= super::live::RECENT {
            self.recent.remove(0);
        }
        // Exact up to sixteen million lines a minute.
        self.recent.push(self.count as f32);
        self.count = 0;
    }
}
