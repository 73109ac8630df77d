//! Fills the slots of an intent from what was marked in a question. Only what is said is filled in.

mod negation;
mod phrases;
mod unknown;

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, Weekday};

use super::intent::Intent;
use super::marking::exclusion::left_out;
use super::marking::{Marked, Mention};
use super::names::{self, Kind, Name, NameBook};
use super::reading::Doubt;
use super::slots::Slots;
use super::time::expression::{Stretch, TimeExpression};

/// What came of it.
pub(super) struct Filled {
    /// What is said.
    pub slots: Slots,
    /// What has to be asked back.
    pub doubt: Option<Doubt>,
}

/// Fills the slots of `intent`. `is_strange` tells words that no conversation has, `is_rare` those that hardly any has.
pub(super) fn fill(
    marked: &Marked,
    intent: Intent,
    book: &NameBook,
    today: NaiveDate,
    [is_strange, is_rare]: [&dyn Fn(&str) -> bool; 2],
) -> Filled {
    let filler = Filler { marked, intent, book, today, is_strange, is_rare };
    let mut slots = filler.names();
    filler.values(&mut slots);
    filler.phrases(&mut slots);
    filler.leave_out_missing(&mut slots);
    let choice = filler.choice();
    slots.unknown_name = filler.unknown_name(&slots).filter(|_| choice.is_none());
    let doubt = choice.or_else(|| filler.doubt(&slots));
    Filled { slots, doubt }
}

/// Intents that are about the patches of machines.
fn is_of_patches(intent: Intent) -> bool {
    matches!(intent, Intent::PatchStatus | Intent::PatchPriority | Intent::PatchRollout)
}

/// Intents whose answer is about a service where one is named; only they miss one that nobody has.
fn takes_service(intent: Intent) -> bool {
    !is_of_patches(intent)
        && !matches!(
            intent,
            Intent::NextStep
                | Intent::AutonomyPolicy
                | Intent::ProductHelp
                | Intent::OutOfScope
                | Intent::CurrentStatus
        )
}

struct Filler<'m> {
    marked: &'m Marked,
    intent: Intent,
    book: &'m NameBook,
    today: NaiveDate,
    is_strange: &'m dyn Fn(&str) -> bool,
    is_rare: &'m dyn Fn(&str) -> bool,
}

/// True where a list of words with blanks between them holds a word.
pub(super) fn holds(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

impl Filler<'_> {
    fn word(&self, at: usize) -> &str {
        self.marked.words.get(at).map_or("", |word| word.text.as_str())
    }

    fn raw(&self, at: usize) -> String {
        self.marked.words.get(at).map(|word| word.raw.clone()).unwrap_or_default()
    }

    fn has(&self, any: &[&str]) -> bool {
        self.marked.words.iter().any(|word| any.contains(&word.text.as_str()))
    }

    /// True where these words follow one another.
    fn says(&self, phrase: &str) -> bool {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let texts: Vec<&str> = self.marked.words.iter().map(|word| word.text.as_str()).collect();
        texts.windows(wanted.len()).any(|window| window == wanted.as_slice())
    }

    /// Known names, each where it belongs, and those that are left out.
    fn names(&self) -> Slots {
        // "What breaks without auth" is about auth.
        let is_of_absence = matches!(self.intent, Intent::ImpactPredict | Intent::BlastRadius | Intent::Dependency);
        let out = left_out(&self.marked.tokens, !is_of_absence);
        let (mut meant, mut left_out) = (Vec::new(), Vec::new());
        for (at, token) in self.marked.tokens.iter().enumerate() {
            let side = if out.contains_key(&at) { &mut left_out } else { &mut meant };
            side.extend(token.mention.as_ref());
        }
        let of_kind = |kind: Kind| {
            let names = meant.iter().filter_map(|mention| match mention {
                Mention::Names(names) => names::only(names, kind),
                _ => None,
            });
            names.map(|name| Arc::clone(&name.text)).collect::<Vec<_>>()
        };
        let first = |kind| of_kind(kind).into_iter().next();
        let mut slots = Slots {
            host: first(Kind::Host),
            region: of_kind(Kind::Region),
            runbook: first(Kind::Runbook),
            alert: first(Kind::Alert),
            owner: first(Kind::Owner),
            change: first(Kind::Change),
            version: first(Kind::Version),
            package: first(Kind::Package),
            ..Slots::default()
        };
        for name in of_kind(Kind::Service) {
            if !slots.service.contains(&name) {
                slots.service.push(name);
            }
        }
        if is_of_patches(self.intent) {
            slots.ring = first(Kind::Ring);
        }
        for mention in left_out {
            let name = match mention {
                Mention::Names(names) => names.first().map(|name| Arc::clone(&name.text)),
                Mention::Region(region) => Some(Arc::clone(region)),
                _ => None,
            };
            slots.except.extend(name);
        }
        slots
    }

    /// Times, numbers and what shows by its form.
    fn values(&self, slots: &mut Slots) {
        for mention in self.marked.mentions() {
            match mention {
                Mention::Time(expression, is_versus) => {
                    let is_second = *is_versus || (slots.time.is_some() && self.intent == Intent::MetricCompare);
                    let place = if is_second { &mut slots.versus } else { &mut slots.time };
                    place.get_or_insert(self.fitted(*expression));
                }
                Mention::Metric(concept, quantile) => {
                    slots.metric.get_or_insert(*concept);
                    slots.quantile = slots.quantile.take().or_else(|| quantile.map(Arc::from));
                }
                Mention::Advisory(id) => slots.advisory = slots.advisory.take().or_else(|| Some(Arc::clone(id))),
                Mention::Incident(id) => slots.incident = slots.incident.take().or_else(|| Some(Arc::clone(id))),
                Mention::Version(version) => slots.version = slots.version.take().or_else(|| Some(Arc::clone(version))),
                Mention::Region(region) if !slots.region.contains(region) && !slots.except.contains(region) => {
                    slots.region.push(Arc::clone(region));
                }
                Mention::Severity(severity) => {
                    slots.severity = slots.severity.take().or_else(|| Some(Arc::clone(severity)));
                }
                Mention::Step(step) => slots.step = slots.step.or(Some(*step)),
                Mention::Number(number) => slots.count = slots.count.or(Some(*number)),
                Mention::Region(_) | Mention::Names(_) => {}
            }
        }
        if self.intent != Intent::MetricCompare {
            slots.time = slots.time.take().or(slots.versus.take());
        }
        if slots.step.is_none() && self.intent == Intent::RunbookStatus {
            slots.step = slots.count.take();
        }
    }

    /// "The weekend" is the coming one in a question about what may be done, and the last in one about what happened.
    fn fitted(&self, time: TimeExpression) -> TimeExpression {
        let says = |words: &[&str]| words.iter().any(|word| self.has(&[word]));
        let is_behind = !matches!(self.today.weekday(), Weekday::Sat | Weekday::Sun);
        match time {
            TimeExpression::Whole(Stretch::LastWeekend) if !self.intent.is_of_past() && !says(&["last", "past"]) => {
                TimeExpression::Whole(Stretch::Weekend)
            }
            TimeExpression::Whole(Stretch::Weekend)
                if self.intent.is_of_past() && is_behind && !says(&["this", "next", "coming"]) =>
            {
                TimeExpression::Whole(Stretch::LastWeekend)
            }
            other => other,
        }
    }

    /// Incidents and advisories that nothing here has are no slots.
    fn leave_out_missing(&self, slots: &mut Slots) {
        slots.incident = slots.incident.take().filter(|id| id.as_ref() == "this" || self.book.has(Kind::Incident, id));
        slots.advisory = slots.advisory.take().filter(|id| self.book.has(Kind::Advisory, id));
    }

    /// A service that several names are equally near to, or are written alike but for their separators.
    fn choice(&self) -> Option<Doubt> {
        if !takes_service(self.intent) {
            return None;
        }
        let services = |names: &[Name]| -> Vec<Arc<str>> {
            names.iter().filter(|name| name.kind == Kind::Service).map(|name| Arc::clone(&name.text)).collect()
        };
        let slips = self.marked.several.iter().map(|(written, names)| (written.clone(), services(names)));
        let alike = self.marked.tokens.iter().filter_map(|token| match &token.mention {
            Some(Mention::Names(names)) if names::only(names, Kind::Service).is_none() => {
                Some((self.raw(token.at.start), services(names)))
            }
            _ => None,
        });
        let (written, choices) = slips.chain(alike).find(|(_, choices)| choices.len() > 1)?;
        Some(Doubt::OneOf(Arc::from(written), choices))
    }

    /// "The db", which several services fit; "it", where nothing was spoken of.
    fn doubt(&self, slots: &Slots) -> Option<Doubt> {
        let is_open =
            slots.service.is_empty() && slots.except.is_empty() && slots.host.is_none() && slots.unknown_name.is_none();
        if !is_open || !takes_service(self.intent) || self.intent == Intent::TopN {
            return None;
        }
        let is_generic = |word: &str| matches!(word, "db" | "database");
        let plain = self.marked.tokens.iter().find(|token| token.mention.is_none() && is_generic(&token.text));
        if let Some(plain) = plain {
            return Some(Doubt::Which(Arc::from(plain.text.as_str())));
        }
        let asks_of_one = matches!(
            self.intent,
            Intent::WhySlow
                | Intent::WhyErrors
                | Intent::WhySpike
                | Intent::ServiceHealth
                | Intent::MetricValue
                | Intent::MetricCompare
                | Intent::ChangeLookup
                | Intent::Ownership
                | Intent::SloBurn
                | Intent::CapacityForecast
                | Intent::Dependency
                | Intent::ImpactPredict
        );
        let is_pointed_at = self.has(&["it"])
            || self.says("this service")
            || self.says("that service")
            || self.says("that one")
            || self.says("this one");
        let says_what = slots.incident.is_some()
            || slots.change.is_some()
            || slots.version.is_some()
            || slots.owner.is_some()
            || slots.alert.is_some();
        (asks_of_one && is_pointed_at && !says_what).then_some(Doubt::OfWhat)
    }
}
