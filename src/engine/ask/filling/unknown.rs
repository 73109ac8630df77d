//! Names that a question speaks of and that nothing here has.

use std::sync::Arc;

use super::{Filler, holds, is_of_patches, takes_service};
use crate::engine::ask::intent::Intent;
use crate::engine::ask::marking::Mention;
use crate::engine::ask::names::Kind;
use crate::engine::ask::slots::Slots;

/// Words before the name of a service.
const LEADS: &str = "of to for on in by from through with is has did does was if why how deploying restarting scaling about \
    owns own calls call uses use deploy restart drained restarted scale patch";

/// Words after it that do not belong to it.
const FOLLOWS: &str = "in on at and since so too without with getting recovered recover break breaks down up slow failing \
    healthy ok jump jumped spike spiked fill run runs running do doing any anything again is was over or \
    please logs log alive broken fail fails back degraded affected versus vs compared climb grow safe dead \
    fine better worse call use talk crash crashed die died";

impl Filler<'_> {
    /// A name that is spoken of and that nothing here has.
    pub(super) fn unknown_name(&self, slots: &Slots) -> Option<Arc<str>> {
        if let Some(text) = self.missing_form() {
            return Some(text);
        }
        let strange: Vec<usize> = self.strange_words().collect();
        if let Some(at) = strange.iter().copied().find(|at| self.looks_like_name(&self.raw(*at))) {
            return Some(Arc::from(self.raw(at)));
        }
        let has_subject =
            !slots.service.is_empty() || slots.host.is_some() || slots.alert.is_some() || slots.runbook.is_some();
        if has_subject || !takes_service(self.intent) {
            return None;
        }
        let before_logs = |at: usize| self.intent == Intent::LogSearch && matches!(self.word(at + 1), "logs" | "log");
        let in_place =
            |at: &usize| *at > 0 && (before_logs(*at) || holds(LEADS, self.word(at - 1)) && self.ends_phrase(*at));
        let text = |at: usize| Arc::from(self.raw(at));
        if let Some(at) = strange.into_iter().find(|at| in_place(at)) {
            return Some(text(at));
        }
        // Where only a service can stand, a word of any conversation is the name of one that is not here.
        let is_service_only = matches!(
            self.intent,
            Intent::MetricValue
                | Intent::MetricCompare
                | Intent::Ownership
                | Intent::TraceSearch
                | Intent::SloBurn
                | Intent::ServiceHealth
                | Intent::ChangeLookup
                | Intent::LogSearch
                | Intent::SilenceState
        );
        if !is_service_only {
            return None;
        }
        if slots.text.is_some() && self.marked.quoted.is_empty() {
            return None;
        }
        let place = |at: &usize| {
            before_logs(*at) || (*at > 0 && matches!(self.word(at - 1), "of" | "for" | "in") && self.ends_phrase(*at))
        };
        let plain = self.marked.tokens.iter().filter(|token| token.mention.is_none()).map(|token| token.at.start);
        plain.filter(place).find(|at| (self.is_rare)(self.word(*at))).map(text)
    }

    /// True where nothing after a word belongs to it.
    fn ends_phrase(&self, at: usize) -> bool {
        let next = self.marked.tokens.iter().find(|token| token.at.start > at);
        next.is_none_or(|token| token.mention.is_some() || holds(FOLLOWS, &token.text))
    }

    /// True for what is written like a name: joined by hyphens, in mixed case, with digits.
    fn looks_like_name(&self, raw: &str) -> bool {
        let mut chars = raw.chars();
        let is_mixed = chars.next().is_some() && chars.any(char::is_uppercase) && raw.chars().any(char::is_lowercase);
        let parts: Vec<&str> = raw.split('-').collect();
        let is_odd = |part: &&str| (self.is_strange)(&part.to_lowercase()) || part.chars().all(|c| c.is_ascii_digit());
        let is_joined = parts.len() > 1 && parts.iter().all(|part| !part.is_empty()) && parts.iter().any(is_odd);
        let has_digits =
            raw.chars().any(|c| c.is_ascii_digit()) && raw.chars().filter(|c| c.is_alphabetic()).count() >= 3;
        is_mixed || is_joined || (has_digits && is_of_patches(self.intent))
    }

    /// Words that no conversation has and that mean nothing here.
    fn strange_words(&self) -> impl Iterator<Item = usize> {
        self.marked
            .tokens
            .iter()
            .filter(|token| token.mention.is_none())
            .map(|token| token.at.start)
            .filter(|at| (self.is_strange)(self.word(*at)))
    }

    /// Something that shows what it is by its form, such as INC-42, and that is not known.
    fn missing_form(&self) -> Option<Arc<str>> {
        self.marked.mentions().find_map(|mention| match mention {
            Mention::Incident(id) if !self.book.has(Kind::Incident, id) => Some(Arc::clone(id)),
            Mention::Advisory(id) if !self.book.has(Kind::Advisory, id) => Some(Arc::clone(id)),
            _ => None,
        })
    }
}
