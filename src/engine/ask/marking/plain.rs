//! Words that are names though they look like something else, and names that are plain words where they stand.

use std::ops::Range;

use super::{Marker, Mention};
use crate::engine::ask::names::{Kind, Name};
use crate::engine::ask::time::grammar;
use crate::engine::ask::{filling, lexicon, metric, orders};

/// Words before a name that looks like something else.
const NAME_LEADS: &str =
    "of for in on service is does why how by from to and or vs than restart deploy scale call calls uses host";

/// Words after a verb that is a name as well.
const OBJECTS: &str = "the for all through them by a an me";
/// Words before it.
const SUBJECTS: &str = "to i can we you";

impl Marker<'_> {
    /// What is named exactly as something known is that, though it looks like a number, a version or a time; unless it stands in a
    /// longer time, as the number in "last 12 hours" does.
    pub(super) fn known(&mut self) {
        let texts: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        let times = grammar::times(&texts, self.today);
        let is_in_time = |at: &Range<usize>| {
            times.iter().any(|time| {
                let lead = usize::from(texts.get(time.at.start).is_some_and(|word| matches!(*word, "of" | "for")));
                time.at.len() - lead > at.len() && time.at.start <= at.start && at.end <= time.at.end
            })
        };
        let mut found = Vec::new();
        for (at, word) in texts.iter().enumerate().map(|(at, word)| (at..at + 1, *word)) {
            let Some((names, true)) = self.book.meant(&[word]) else { continue };
            let looks = word.contains(|c: char| c.is_ascii_digit()) || times.iter().any(|time| time.at.end == at.end);
            let is_led =
                at.start == 0 || filling::holds(NAME_LEADS, texts.get(at.start - 1).copied().unwrap_or_default());
            let is_sure = word.contains(char::is_alphabetic) && word.contains(|c: char| !c.is_alphabetic());
            let is_own = |name: &&&Name| !matches!(name.kind, Kind::Version | Kind::Incident | Kind::Advisory);
            if looks && (is_sure || is_led) && !is_in_time(&at) && names.iter().any(|name| is_own(&name)) {
                found.push((at, Mention::Names(names.into_iter().cloned().collect())));
            }
        }
        self.found.extend(found);
    }

    /// True where a word that is also a name means what it means in any other sentence: "search for", "to order", "queue depth".
    pub(super) fn is_plain_word(&self, at: usize) -> bool {
        let (before, word, after) = (if at > 0 { self.text(at - 1) } else { "" }, self.text(at), self.text(at + 1));
        let is_verb = lexicon::is_verb(word)
            && (filling::holds(OBJECTS, after) || (filling::holds(SUBJECTS, before) && !after.is_empty()));
        let is_command = orders::is_verb(word) && at == 0 && self.book.meant(&[after]).is_some();
        let is_metric = metric::at_start(&[word, after]).is_some_and(|(_, length)| length == 2);
        let is_term = lexicon::terms().any(|term| {
            let words: Vec<&str> = term.split(' ').collect();
            let starts = (at.saturating_sub(words.len() - 1)..=at)
                .find(|from| words.iter().enumerate().all(|(offset, word)| self.text(from + offset) == *word));
            starts.is_some()
        });
        is_verb || is_command || is_metric || is_term
    }

    /// True for people who are called like a word: root, will, mark. With a capital, or after "by", they are meant.
    pub(super) fn is_word_rather_than_person(&self, at: usize, names: &[Name]) -> bool {
        let is_person = names.iter().all(|name| name.kind == Kind::Owner);
        let is_word = self.speller.is_some_and(|speller| speller.knows(self.text(at)));
        let is_capital = self.words.get(at).is_some_and(|word| word.raw.starts_with(char::is_uppercase));
        is_person && is_word && !is_capital && !(at > 0 && matches!(self.text(at - 1), "by" | "did" | "has" | "for"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::NaiveDate;

    use crate::engine::ask::names::{Kind, Name};
    use crate::engine::ask::reading::Reader;

    #[test]
    fn what_is_named_is_meant_whatever_it_looks_like_unless_the_sentence_says_otherwise() {
        let names = [
            "cart", "checkout", "search", "order", "queue", "payment", "v2", "24h", "12", "eu-9", "monday", "restart",
            "inc-7", "10-20", "alert",
        ];
        let reader = Reader::new(names.map(|text| Name { kind: Kind::Service, text: Arc::from(text) }));
        for (question, expected) in [
            ("is v2 slow", "v2"),
            ("why is 24h slow", "24h"),
            ("errors of 12 in the last 12 hours", "12"),
            ("errors of cart in the last 24h", "cart"),
            ("how is eu-9", "eu-9"),
            ("latency of inc-7", "inc-7"),
            ("latency of 10-20", "10-20"),
            ("errors of monday", "monday"),
            ("errors of cart since monday", "cart"),
            ("is restart slow", "restart"),
            ("restart cart", "cart"),
            ("search for errors in cart logs", "cart"),
            ("is search slow", "search"),
            ("can you search cart logs for timeout", "cart"),
            ("order the services by latency", ""),
            ("is order ok", "order"),
            ("queue depth of cart", "cart"),
            ("latency of the payment provider", ""),
            ("why is payment slow", "payment"),
            ("check out cart errors", "cart"),
            ("checkout errors", "checkout"),
            ("which alerts fire", ""),
            ("latency of alert", "alert"),
        ] {
            let slots = reader.read(question, None, NaiveDate::from_ymd_opt(2026, 11, 17).unwrap()).slots;
            assert_eq!(slots.service.join(" "), expected, "{question}");
        }
    }
}
