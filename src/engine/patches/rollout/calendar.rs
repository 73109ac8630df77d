//! When something may be patched: maintenance windows and freezes that come again in named time zones.
//!
//! A rule is evaluated on the wall clock of its zone and then turned into instants. Where the clock is set forward over the time
//! at which a window begins, it begins with the first instant after the gap; where the clock shows that time twice, a window begins
//! the first time and a freeze holds for both. What lasts four hours lasts four hours, whatever the wall clock does meanwhile. Each
//! of these is said with the occasion ([`ClockNote`]).

mod rule;
mod scope;

use regex::Regex;
use serde::{Deserialize, Serialize};

pub(super) use scope::Scope;

use self::rule::Rule;
use super::pattern::whole;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::patches::inventory::Environment;
use crate::engine::settings::{FreezeSettings, PatchSettings, WindowSettings};

/// Windows that follow on one another are put together until so far ahead, which is later than anything that is begun needs: one that
/// is always open is not followed for months, for each target anew.
const CHAIN_MS: i64 = 8 * DAY_MS;
/// The next window is looked for within this time: a rule for the 29th of February waits up to eight years.
const NEXT_MS: i64 = 3_000 * DAY_MS;

/// What of an asset decides which windows are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// What it serves.
    pub environment: Environment,
    /// Its ring.
    pub ring: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Its name.
    pub asset: &'a str,
    /// What it carries.
    pub services: &'a [String],
}

/// What a change of the clock does to an occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockNote {
    /// The time at which it begins is skipped that day: it begins right after the gap.
    Skipped,
    /// The clock shows that time twice.
    Twice,
    /// The clock is set while it lasts.
    SetMeanwhile,
}

impl ClockNote {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Skipped => "the clock is set forward over its beginning: it begins right after",
            Self::Twice => {
                "the clock shows its beginning twice: a window begins the first time, a freeze holds for both"
            }
            Self::SetMeanwhile => "the clock is set while it lasts: it ends at another time of day",
        }
    }
}

/// Whether something may be done then or may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccasionKind {
    /// A maintenance window.
    Window,
    /// A freeze.
    Freeze,
}

/// One window or freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// Which of the two.
    pub kind: OccasionKind,
    /// What it is called.
    pub name: String,
    /// Time zone it is written in.
    pub zone: String,
    /// Whom it is for, in words.
    pub whom: String,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// What a change of the clock does to it.
    pub note: Option<ClockNote>,
}

/// Whether there is a window for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowState {
    /// None is needed: it is not production, and no window names it.
    NotNeeded,
    /// One is open; windows that follow on one another count as one.
    Open {
        /// Its name.
        name: String,
        /// When it closes.
        until: Timestamp,
    },
    /// None is open.
    Shut {
        /// The next.
        next: Option<Occasion>,
    },
    /// No window is for it at all.
    None,
}

/// Whether something is frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FreezeState {
    /// It is.
    Now(Occasion),
    /// It will be.
    Next(Occasion),
    /// It is not, as far as is known.
    None,
}

/// What the calendar says of something at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Windows.
    pub window: WindowState,
    /// Freezes.
    pub freeze: FreezeState,
}

/// A freeze that is once.
#[derive(Debug, Clone)]
struct Once {
    occasion: Occasion,
    services: Option<Regex>,
}

/// All windows and freezes.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    windows: Vec<Rule>,
    freezes: Vec<Rule>,
    once: Vec<Once>,
}

impl Calendar {
    /// From the settings: the windows and freezes of `[patches]`, and the freezes of `[policy]`.
    ///
    /// # Errors
    /// When one cannot be read; settings that were checked at load can.
    pub fn new(patches: &PatchSettings, once: &[FreezeSettings]) -> Result<Self, String> {
        let rules = |kind, settings: &[WindowSettings]| {
            settings.iter().map(|one| Rule::new(kind, one)).collect::<Result<Vec<_>, _>>()
        };
        let once = once.iter().map(|freeze| {
            let occasion = Occasion {
                kind: OccasionKind::Freeze,
                name: freeze.name.clone(),
                zone: "UTC".to_owned(),
                whom: freeze
                    .services
                    .as_ref()
                    .map_or_else(|| "every asset".to_owned(), |services| format!("what carries {services}")),
                from: freeze.from,
                until: freeze.until,
                note: None,
            };
            Ok(Once { occasion, services: freeze.services.as_deref().map(whole).transpose()? })
        });
        Ok(Self {
            windows: rules(OccasionKind::Window, &patches.window)?,
            freezes: rules(OccasionKind::Freeze, &patches.freeze)?,
            once: once.collect::<Result<_, String>>()?,
        })
    }

    /// Finds the occasions of the coming weeks beforehand, where that is due. Everything is answered without it as well, only more
    /// slowly: a rule is walked through for each question.
    pub fn look_ahead(&mut self, now: Timestamp) {
        for rule in self.windows.iter_mut().chain(&mut self.freezes) {
            rule.look_ahead(now);
        }
    }

    /// The window that is open for `place`, as it began; where several are, the one that closes last.
    #[must_use]
    pub fn open_at(&self, place: &Place<'_>, now: Timestamp) -> Option<Occasion> {
        let rules = self.windows.iter().filter(|rule| rule.is_for(place));
        rules.flat_map(|rule| rule.between(now, now + 1)).max_by_key(|occasion| occasion.until)
    }

    /// When the open window closes, with those of the coming days that follow on it without a gap; `None` where none is open.
    #[must_use]
    pub fn closes_at(&self, place: &Place<'_>, now: Timestamp) -> Option<Timestamp> {
        let mut until = self.open_at(place, now)?.until;
        while until < now + CHAIN_MS {
            match self.open_at(place, until) {
                Some(next) if next.until > until => until = next.until,
                _ => break,
            }
        }
        Some(until)
    }

    /// The next window that begins after `now`.
    #[must_use]
    pub fn next(&self, place: &Place<'_>, now: Timestamp) -> Option<Occasion> {
        next_of(&self.windows, place, now)
    }

    /// The freeze that holds, or else the next one.
    #[must_use]
    pub fn freeze(&self, place: &Place<'_>, now: Timestamp) -> FreezeState {
        let once = || {
            let concerns = |one: &&Once| match &one.services {
                None => true,
                Some(pattern) => place.services.iter().any(|service| pattern.is_match(service)),
            };
            self.once.iter().filter(concerns).map(|one| one.occasion.clone())
        };
        let again = self.freezes.iter().filter(|rule| rule.is_for(place));
        let present = again.flat_map(|rule| rule.between(now, now + 1));
        let present = present.chain(once().filter(|one| one.from <= now && now < one.until));
        if let Some(freeze) = present.max_by_key(|freeze| freeze.until) {
            return FreezeState::Now(freeze);
        }
        let coming = next_of(&self.freezes, place, now).into_iter().chain(once().filter(|one| one.from > now));
        coming.min_by_key(|freeze| freeze.from).map_or(FreezeState::None, FreezeState::Next)
    }

    /// All that the calendar says of `place`. In production, and where nobody said what an asset serves, a window is needed;
    /// elsewhere only where one is for it.
    #[must_use]
    pub fn room(&self, place: &Place<'_>, now: Timestamp) -> Room {
        let needs_one = matches!(place.environment, Environment::Production | Environment::Unknown);
        let has_one = self.windows.iter().any(|rule| rule.is_for(place));
        let window = match (has_one, self.open_at(place, now)) {
            (false, _) if needs_one => WindowState::None,
            (false, _) => WindowState::NotNeeded,
            (true, Some(open)) => {
                WindowState::Open { until: self.closes_at(place, now).unwrap_or(open.until), name: open.name }
            }
            (true, None) => WindowState::Shut { next: self.next(place, now) },
        };
        Room { window, freeze: self.freeze(place, now) }
    }

    /// Every window and freeze of the coming days, in order, for whomever they are.
    #[must_use]
    pub fn agenda(&self, now: Timestamp, days: u32) -> Vec<Occasion> {
        let until = now + i64::from(days) * DAY_MS;
        let again = self.windows.iter().chain(&self.freezes).flat_map(|rule| rule.between(now, until));
        let once = self.once.iter().map(|one| one.occasion.clone());
        let mut all: Vec<Occasion> = again.chain(once.filter(|one| one.until > now && one.from < until)).collect();
        all.sort_by(|a, b| (a.from, a.kind, &a.name).cmp(&(b.from, b.kind, &b.name)));
        all
    }
}

fn next_of(rules: &[Rule], place: &Place<'_>, now: Timestamp) -> Option<Occasion> {
    let rules = rules.iter().filter(|rule| rule.is_for(place));
    let firsts = rules.filter_map(|rule| rule.between(now, now + NEXT_MS).find(|occasion| occasion.from > now));
    firsts.min_by_key(|occasion| occasion.from)
}

#[cfg(test)]
mod tests;
