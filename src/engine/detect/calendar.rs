//! Calendar events: when they run, whom they touch, and what they usually do.
//!
//! While an event runs, a departure no larger than what earlier runs did is part of normal; before two runs have been
//! seen, a departure is shown as explained by the event. Past what the event usually does it is an anomaly like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::registry::Meta;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::settings::CalendarEvent;

/// Runs after which the effect of an event counts as known.
const RUNS_MIN: u16 = 2;
/// How far past the usual effect a departure may go.
const MARGIN: f32 = 1.3;
/// Events beyond this cannot be told apart in a mask.
const EVENTS_MAX: usize = 64;

/// A calendar event that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// The start is no time of day.
    #[error("calendar event `{name}`: start `{text}` is no time of day, write it as 02:00")]
    Start {
        /// The event.
        name: String,
        /// What was written.
        text: String,
    },
    /// A day is not known.
    #[error("calendar event `{name}`: `{text}` is no day, write mon, tue, wed, thu, fri, sat or sun")]
    Day {
        /// The event.
        name: String,
        /// What was written.
        text: String,
    },
    /// The date cannot be read.
    #[error("calendar event `{name}`: date `{text}` is no date, write it as 2026-11-27")]
    Date {
        /// The event.
        name: String,
        /// What was written.
        text: String,
    },
    /// It lasts no time or longer than a day.
    #[error("calendar event `{name}` lasts {text}: give it more than nothing and at most 1d")]
    Lasts {
        /// The event.
        name: String,
        /// What was written.
        text: String,
    },
    /// There are more than can be watched.
    #[error("{count} calendar events are configured, at most 64 are read: merge some")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// One event, ready for use.
#[derive(Debug, Clone)]
struct Event {
    name: Arc<str>,
    services: Vec<String>,
    metrics: Vec<String>,
    /// Start within the day.
    start_ms: i64,
    lasts_ms: i64,
    /// Days on which it starts, Monday first.
    days: [bool; 7],
    /// Start of the one day on which it happens.
    date_ms: Option<i64>,
}

impl Event {
    fn parse(event: &CalendarEvent) -> Result<Self, CalendarError> {
        let name = event.name.clone();
        let start_ms = parse_start(&event.start)
            .ok_or_else(|| CalendarError::Start { name: name.clone(), text: event.start.clone() })?;
        if event.lasts.0 <= 0 || event.lasts.0 > DAY_MS {
            return Err(CalendarError::Lasts { name, text: event.lasts.to_string() });
        }
        let mut days = [event.days.is_empty(); 7];
        for day in &event.days {
            let at = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
                .iter()
                .position(|known| known.eq_ignore_ascii_case(day))
                .ok_or_else(|| CalendarError::Day { name: name.clone(), text: day.clone() })?;
            days[at] = true;
        }
        let date_ms = match &event.date {
            None => None,
            Some(text) => Some(
                Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
                    .map_err(|_| CalendarError::Date { name, text: text.clone() })?
                    .0,
            ),
        };
        Ok(Self {
            name: Arc::from(event.name.as_str()),
            services: event.services.clone(),
            metrics: event.metrics.clone(),
            start_ms,
            lasts_ms: event.lasts.0,
            days,
            date_ms,
        })
    }

    /// Start of the run that covers `at`, where one does.
    fn run_at(&self, at: Timestamp) -> Option<i64> {
        let today = at.0.div_euclid(DAY_MS) * DAY_MS;
        // A run of the day before may reach past midnight.
        [today, today - DAY_MS].into_iter().find_map(|day| {
            let start = day + self.start_ms;
            let is_on =
                self.date_ms.map_or_else(|| self.days[Timestamp(day).hour_of_week() / 24 % 7], |date| date == day);
            (is_on && at.0 >= start && at.0 < start + self.lasts_ms).then_some(start)
        })
    }

    fn touches(&self, meta: &Meta) -> bool {
        let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| known == name);
        names(&self.services, meta.service.as_str()) && names(&self.metrics, &meta.metric)
    }
}

fn parse_start(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * HOUR_MS + minutes * MINUTE_MS)
}

/// What an event usually does to one series: the reach of its residuals on the series' scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Effect {
    run: i64,
    run_low: f32,
    run_high: f32,
    low: f32,
    high: f32,
    runs: u16,
}

impl Effect {
    /// Closes the run before, where `run` is another one.
    fn enter(&mut self, run: i64) {
        if self.run == run {
            return;
        }
        if self.run != 0 {
            let is_first = self.runs == 0;
            let towards = |old: f32, new: f32| {
                // A larger effect is believed sooner than a smaller one.
                let gain = if is_first {
                    1.0
                } else if new.abs() > old.abs() {
                    0.5
                } else {
                    0.2
                };
                old + gain * (new - old)
            };
            self.low = towards(self.low, self.run_low);
            self.high = towards(self.high, self.run_high);
            self.runs = self.runs.saturating_add(1);
        }
        (self.run, self.run_low, self.run_high) = (run, 0.0, 0.0);
    }
}

/// How an event bears on a departure.
#[derive(Debug, Clone, PartialEq)]
pub enum Bearing {
    /// No event of this series runs.
    None,
    /// The departure is what the event usually does.
    Usual,
    /// An event runs whose effect is not known yet.
    Explains(Arc<str>),
}

/// The configured events and what is known of their effects.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    events: Vec<Event>,
    effects: BTreeMap<(u32, u8), Effect>,
    /// Runs under way in the minute last asked about.
    minute: i64,
    running: Vec<(u8, i64)>,
}

impl Calendar {
    /// Reads the events.
    ///
    /// # Errors
    /// When an event's start, day, date or length cannot be read, or there are too many.
    pub fn new(events: &[CalendarEvent]) -> Result<Self, CalendarError> {
        if events.len() > EVENTS_MAX {
            return Err(CalendarError::TooMany { count: events.len() });
        }
        let events = events.iter().map(Event::parse).collect::<Result<_, _>>()?;
        Ok(Self { events, minute: i64::MIN, ..Self::default() })
    }

    /// True where any event runs at `at`, whomever it touches. Events begin and end on whole minutes.
    #[inline]
    pub fn is_running(&mut self, at: Timestamp) -> bool {
        if self.events.is_empty() {
            return false;
        }
        let minute = at.0.div_euclid(MINUTE_MS);
        if minute != self.minute {
            self.minute = minute;
            self.running.clear();
            let events = self.events.iter().enumerate();
            // At most 64 events, so the number fits.
            self.running.extend(events.filter_map(|(at_event, event)| Some((at_event as u8, event.run_at(at)?))));
        }
        !self.running.is_empty()
    }

    /// Takes in a residual during an event, and says how the events under way bear on it. [`Self::is_running`] comes first.
    ///
    /// `is_outside` is the verdict without the calendar; `inside` the half width of the plain band.
    pub fn weigh(&mut self, index: u32, meta: &Meta, residual: f64, is_outside: bool) -> Bearing {
        let mut bearing = Bearing::None;
        let residual = residual as f32;
        for (event_at, run) in &self.running {
            let Some(event) = self.events.get(usize::from(*event_at)).filter(|event| event.touches(meta)) else {
                continue;
            };
            let effect = self.effects.entry((index, *event_at)).or_default();
            effect.enter(*run);
            let is_known = effect.runs >= RUNS_MIN;
            let is_usual = is_known && residual >= MARGIN * effect.low && residual <= MARGIN * effect.high;
            // What is past the known effect may be a fault, so it teaches no more than the margin.
            let teaches = if is_known {
                residual.clamp(MARGIN * effect.low.min(0.0), MARGIN * effect.high.max(0.0))
            } else {
                residual
            };
            effect.run_low = effect.run_low.min(teaches);
            effect.run_high = effect.run_high.max(teaches);
            if is_outside && is_usual {
                return Bearing::Usual;
            }
            if is_outside && !is_known {
                bearing = Bearing::Explains(event.name.clone());
            }
        }
        bearing
    }

    /// Forgets what events do to a series.
    pub fn forget(&mut self, index: u32) {
        if !self.effects.is_empty() {
            self.effects.retain(|(of, _), _| *of != index);
        }
    }

    /// True where an event that happens only once touches this series now: it must not teach the weekly profile.
    #[must_use]
    pub fn is_once_only(&self, meta: &Meta) -> bool {
        self.running.iter().any(|(event_at, _)| {
            self.events.get(usize::from(*event_at)).is_some_and(|event| event.date_ms.is_some() && event.touches(meta))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::settings::Span;

    fn event(start: &str, lasts_ms: i64, days: &[&str], date: Option<&str>) -> CalendarEvent {
        CalendarEvent {
            name: "batch".to_owned(),
            services: Vec::new(),
            metrics: Vec::new(),
            start: start.to_owned(),
            lasts: Span(lasts_ms),
            days: days.iter().map(|day| (*day).to_owned()).collect(),
            date: date.map(str::to_owned),
        }
    }

    #[test]
    fn an_event_runs_when_it_says() {
        let cases = [
            (event("02:00", HOUR_MS, &[], None), "2026-11-21T02:30:00Z", true),
            (event("02:00", HOUR_MS, &[], None), "2026-11-21T03:00:00Z", false),
            (event("23:30", HOUR_MS, &["fri"], None), "2026-11-21T00:10:00Z", true),
            (event("23:30", HOUR_MS, &["sat"], None), "2026-11-21T00:10:00Z", false),
            (event("10:00", HOUR_MS, &[], Some("2026-11-27")), "2026-11-27T10:10:00Z", true),
            (event("10:00", HOUR_MS, &[], Some("2026-11-27")), "2026-11-28T10:10:00Z", false),
        ];
        for (event, at, expected) in cases {
            let mut calendar = Calendar::new(&[event]).unwrap();
            assert_eq!(calendar.is_running(Timestamp::parse_rfc3339(at).unwrap()), expected, "{at}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (event, part) in [
            (event("2 o'clock", HOUR_MS, &[], None), "2 o'clock"),
            (event("25:00", HOUR_MS, &[], None), "25:00"),
            (event("02:00", 0, &[], None), "lasts"),
            (event("02:00", HOUR_MS, &["someday"], None), "someday"),
            (event("02:00", HOUR_MS, &[], Some("tomorrow")), "tomorrow"),
        ] {
            let problem = Calendar::new(&[event]).unwrap_err().to_string();
            assert!(problem.contains(part), "{problem}");
        }
    }
}
