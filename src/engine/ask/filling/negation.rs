//! A negation whose truth is asked for: "nothing was deployed, right?"

use super::{Filler, holds};
use crate::engine::ask::intent::Intent;
use crate::engine::ask::marking::Token;

/// Verbs with which a question can begin.
const ASKING: &str = "is are was were do does did has have had will would should could am";
/// Words that deny.
const DENYING: &str = "not no never nothing nobody none noone cannot";
/// Words that a question may begin with before it begins.
const OPENING: &str = "so and but well surely hey ok okay then hmm sorry";
/// Words after "no" that make something else of it, and verbs of complaints: "nothing works".
const COMPLAINING: &str = "idea clue way matter problem need worries thanks luck works work loads responds answers helps goes \
    happens why how what reason cause explain";
/// How many words after the verb a denial may stand: "has anyone not …", "is the cart service not …".
const DENIED_WITHIN: usize = 4;

impl Filler<'_> {
    fn token(&self, at: usize) -> &str {
        self.marked.tokens.get(at).filter(|token| token.mention.is_none()).map_or("", |token| token.text.as_str())
    }

    /// True where it begins like "isn't auth slow" or "has nobody touched cart".
    fn asks_denied(&self) -> bool {
        let tokens = &self.marked.tokens;
        let begin = tokens.iter().position(|token| token.mention.is_some() || !holds(OPENING, &token.text));
        let Some(begin) = begin.filter(|begin| holds(ASKING, self.token(*begin))) else { return false };
        let denial = (begin + 1..=begin + DENIED_WITHIN).find(|at| holds(DENYING, self.token(*at)));
        // "Do not restart" is an order.
        let is_order = self.token(begin) == "do"
            && self.token(begin + 1) == "not"
            && !holds("we you they i it people users any", self.token(begin + 2));
        denial.is_some() && !is_order
    }

    /// True where the first word denies: "nothing was deployed?", "no errors in cart?"
    fn opens_denied(&self) -> bool {
        let plain = |token: &Token| token.mention.is_none() && holds(OPENING, &token.text);
        let begin = self.marked.tokens.iter().position(|token| !plain(token)).unwrap_or(0);
        let is_denied = matches!(self.token(begin), "no" | "nothing" | "nobody" | "none" | "noone" | "never");
        let rest: Vec<&str> = (begin + 1..self.marked.tokens.len()).map(|at| self.token(at)).collect();
        is_denied && self.marked.tokens.len() > begin + 1 && !rest.iter().any(|word| holds(COMPLAINING, word))
    }

    /// A negation whose truth is asked for: "nothing was deployed, right?", "isn't auth slow", "no errors in cart?"
    pub(super) fn is_negative(&self) -> bool {
        let texts: Vec<&str> = self.marked.words.iter().map(|word| word.text.as_str()).collect();
        let is_of_deeds = matches!(self.intent, Intent::Remediation | Intent::Act | Intent::ProductHelp);
        if !is_of_deeds && (self.asks_denied() || self.opens_denied()) {
            return true;
        }
        let Some(at) = texts.iter().position(|word| holds(DENYING, word) || *word == "without") else { return false };
        let is_tagged = match texts.as_slice() {
            [.., "right" | "correct" | "yes" | "true"] => true,
            [.., verb, pronoun] => {
                (holds(ASKING, verb) || *verb == "can")
                    && holds("it they we you there he she i anyone anybody", pronoun)
            }
            _ => false,
        };
        let is_clause = is_of_deeds || texts.get(at) == Some(&"without");
        let opens = ["so", "surely"].contains(&texts.first().copied().unwrap_or_default());
        (is_tagged || (opens && !is_clause)) && at + 1 < texts.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::NaiveDate;

    use crate::engine::ask::names::{Kind, Name};
    use crate::engine::ask::reading::Reader;

    #[test]
    fn what_is_denied_and_what_is_left_out_are_read() {
        let names = ["auth", "cart", "checkout", "web", "auth-db"];
        let reader = Reader::new(names.map(|text| Name { kind: Kind::Service, text: Arc::from(text) }));
        let today = NaiveDate::from_ymd_opt(2026, 11, 17).unwrap();
        // The services that it is about, those that are left out, and whether it is put with a negation.
        for (question, about, out, is_negative) in [
            ("nothing was deployed, right?", "", "", true),
            ("nothing was deployed?", "", "", true),
            ("isn't auth slow", "auth", "", true),
            ("isn't auth slow?", "auth", "", true),
            ("is auth not slow?", "auth", "", true),
            ("no errors in cart?", "cart", "", true),
            ("hasn't anyone touched cart today?", "cart", "", true),
            ("did nobody deploy checkout?", "checkout", "", true),
            ("cart is not sick, is it", "cart", "", true),
            ("not checkout but cart", "cart", "checkout", false),
            ("why is not checkout but cart slow", "cart", "checkout", false),
            ("why is cart slow and not checkout", "cart", "checkout", false),
            ("services other than auth with errors", "", "auth", false),
            ("slowest services without auth", "", "auth", false),
            ("what breaks without auth", "auth", "", false),
            ("top 5 by latency except web", "", "web", false),
            ("top 5 by latency, except for web and cart", "", "web cart", false),
            ("everything but auth down?", "", "auth", false),
            ("what changed apart from the auth service", "", "auth", false),
            ("alerts excluding web, cart", "", "web cart", false),
            ("why is auth not working", "auth", "", false),
            ("no idea why cart is slow", "cart", "", false),
            ("is it not only cart but also web that fails", "cart web", "", true),
            ("fix auth without a restart", "auth", "", false),
            ("do not restart auth", "auth", "", false),
        ] {
            let slots = reader.read(question, None, today).slots;
            let text = |names: &[Arc<str>]| names.join(" ");
            assert_eq!(text(&slots.service), about, "{question}");
            assert_eq!(text(&slots.except), out, "{question}");
            assert_eq!(slots.polarity.is_some(), is_negative, "{question}");
        }
        let before = reader.read("which services have errors", None, today);
        let after = reader.read("and without auth?", Some(&before), today);
        assert_eq!((after.intent, after.slots.except.join(" ").as_str()), (before.intent, "auth"));
        let again = reader.read("only cart", Some(&after), today);
        assert_eq!((again.slots.service.join(" ").as_str(), again.slots.except.join(" ").as_str()), ("cart", "auth"));
    }
}
