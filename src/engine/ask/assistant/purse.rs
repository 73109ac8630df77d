//! What a question and a day may cost. Before each request its worst case is set aside, so that no limit is passed by a reply that
//! is longer than expected or never comes to its end.

use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::settings::{ModelPrice, ModelSettings};

/// What models have cost on one day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DaySpend {
    /// Days since 1970 in UTC.
    pub day: i64,
    /// Tokens in and out.
    pub tokens: u64,
    /// US dollars, as far as prices are known.
    pub usd: f64,
}

impl DaySpend {
    /// The same on the day of `now`: a new day begins with nothing.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let day = now.0.div_euclid(DAY_MS);
        if day == self.day { self } else { Self { day, ..Self::default() } }
    }

    /// The same with what a question cost.
    #[must_use]
    pub fn and(self, tally: Tally) -> Self {
        Self { tokens: self.tokens + tally.tokens(), usd: self.usd + tally.usd.unwrap_or(0.0), ..self }
    }
}

/// Tokens and what they cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tally {
    /// Read.
    pub tokens_in: u64,
    /// Written.
    pub tokens_out: u64,
    /// US dollars; `None` once a price was not known.
    pub usd: Option<f64>,
}

impl Tally {
    const NOTHING: Self = Self { tokens_in: 0, tokens_out: 0, usd: Some(0.0) };

    fn of(price: &ModelPrice, tokens_in: u64, tokens_out: u64) -> Self {
        Self { tokens_in, tokens_out, usd: price.cost(tokens_in, tokens_out) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            tokens_in: self.tokens_in + other.tokens_in,
            tokens_out: self.tokens_out + other.tokens_out,
            usd: self.usd.zip(other.usd).map(|(one, two)| one + two),
        }
    }

    /// In and out.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens_in + self.tokens_out
    }
}

/// A request under way.
#[derive(Debug, Clone)]
struct Pending {
    price: ModelPrice,
    worst: Tally,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    bytes_in: u64,
    bytes_out: u64,
}

/// A reply with less room than this is not begun.
const REPLY_TOKENS_MIN: u64 = 256;
/// Bytes that make a token at least, in the languages and names that are sent; most tokens are longer.
const BYTES_A_TOKEN: u64 = 3;

/// What one question has cost, and what is left for it.
#[derive(Debug, Clone)]
pub struct Purse {
    question_tokens: u64,
    question_usd: Option<f64>,
    day_tokens: u64,
    day_usd: Option<f64>,
    reply_tokens_max: u32,
    before: DaySpend,
    done: Tally,
    pending: Option<Pending>,
}

impl Purse {
    /// A purse for a question on a day that has cost `before` so far.
    #[must_use]
    pub fn new(settings: &ModelSettings, before: DaySpend) -> Self {
        Self {
            question_tokens: settings.question_tokens_max,
            question_usd: settings.question_usd_max,
            day_tokens: settings.day_tokens_max,
            day_usd: settings.day_usd_max,
            reply_tokens_max: settings.reply_tokens_max,
            before,
            done: Tally::NOTHING,
            pending: None,
        }
    }

    /// Sets the worst case of a request of `bytes` aside, and says how many tokens its reply may have.
    ///
    /// # Errors
    /// When a limit leaves no room for it.
    pub fn begin(&mut self, price: &ModelPrice, bytes: u64) -> Result<u32, Trouble> {
        self.settle();
        let tokens_in = bytes.div_ceil(BYTES_A_TOKEN);
        let left = |limit: u64, spent: u64| limit.saturating_sub(spent).saturating_sub(tokens_in);
        let mut reply = u64::from(self.reply_tokens_max);
        let smallest = REPLY_TOKENS_MIN.min(reply);
        let of_question = left(self.question_tokens, self.done.tokens());
        if of_question < smallest {
            let limit = format!("{} tokens", self.question_tokens);
            return Err(Trouble::QuestionBudget { limit, key: "question_tokens_max" });
        }
        let day = self.before.and(self.done);
        let of_day = left(self.day_tokens, day.tokens);
        if of_day < smallest {
            return Err(Trouble::DayBudget { limit: format!("{} tokens", self.day_tokens), key: "day_tokens_max" });
        }
        reply = reply.min(of_question).min(of_day);
        let affordable = |limit: f64, spent: f64| {
            let usd = limit - spent - price.cost(tokens_in, 0)?;
            let each = price.cost(0, 1)?;
            // Free tokens have no limit in money; a sum below 0 affords none.
            Some(if each > 0.0 { (usd / each + 1e-6).max(0.0) as u64 } else { u64::MAX })
        };
        if let Some(limit) = self.question_usd {
            let tokens = affordable(limit, self.done.usd.unwrap_or(0.0)).unwrap_or(0);
            if tokens < smallest {
                return Err(Trouble::QuestionBudget { limit: format!("{limit} USD"), key: "question_usd_max" });
            }
            reply = reply.min(tokens);
        }
        if let Some(limit) = self.day_usd {
            let tokens = affordable(limit, day.usd).unwrap_or(0);
            if tokens < smallest {
                return Err(Trouble::DayBudget { limit: format!("{limit} USD"), key: "day_usd_max" });
            }
            reply = reply.min(tokens);
        }
        self.pending = Some(Pending {
            price: price.clone(),
            worst: Tally::of(price, tokens_in, reply),
            tokens_in: None,
            tokens_out: None,
            bytes_in: bytes,
            bytes_out: 0,
        });
        // Not above `reply_tokens_max`, which is of this size.
        Ok(u32::try_from(reply).unwrap_or(self.reply_tokens_max))
    }

    /// What the server says of tokens; the last word counts.
    pub fn usage(&mut self, tokens_in: Option<u64>, tokens_out: Option<u64>) {
        if let Some(pending) = &mut self.pending {
            pending.tokens_in = tokens_in.or(pending.tokens_in);
            pending.tokens_out = tokens_out.or(pending.tokens_out);
        }
    }

    /// Text came that will be paid for, whether the server comes to say so or not.
    pub fn wrote(&mut self, bytes: usize) {
        if let Some(pending) = &mut self.pending {
            pending.bytes_out += bytes as u64;
        }
    }

    /// The request is over: what it cost takes the place of its worst case. Where the server did not say, bytes are counted.
    pub fn settle(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let tokens_in = pending.tokens_in.unwrap_or_else(|| pending.bytes_in.div_ceil(BYTES_A_TOKEN));
        let tokens_out = pending.tokens_out.unwrap_or(0).max(pending.bytes_out.div_ceil(2 * BYTES_A_TOKEN));
        self.done = self.done.and(Tally::of(&pending.price, tokens_in, tokens_out));
    }

    /// The request was refused before a model saw it: it costs nothing.
    pub fn forget(&mut self) {
        self.pending = None;
    }

    /// What the question cost, with the worst case of a request that is under way.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.pending.as_ref().map_or(self.done, |pending| self.done.and(pending.worst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price() -> ModelPrice {
        ModelPrice { name: "large".to_owned(), usd_in: Some(3.0), usd_out: Some(15.0) }
    }

    fn settings() -> ModelSettings {
        ModelSettings {
            reasoning: price(),
            question_tokens_max: 10_000,
            day_tokens_max: 20_000,
            ..ModelSettings::default()
        }
    }

    #[test]
    fn each_limit_is_kept_and_named() {
        let key = |change: fn(&mut ModelSettings), before: DaySpend| {
            let mut settings = settings();
            change(&mut settings);
            match Purse::new(&settings, before).begin(&price(), 3_000) {
                Ok(tokens) => Ok(tokens),
                Err(Trouble::QuestionBudget { key, .. } | Trouble::DayBudget { key, .. }) => Err(key),
                Err(other) => panic!("{other}"),
            }
        };
        let spent = |tokens, usd| DaySpend { day: 0, tokens, usd };
        assert_eq!(key(|_| {}, spent(0, 0.0)), Ok(4_096));
        assert_eq!(key(|it| it.question_tokens_max = 2_000, spent(0, 0.0)), Ok(1_000));
        assert_eq!(key(|it| it.question_tokens_max = 1_200, spent(0, 0.0)), Err("question_tokens_max"));
        assert_eq!(key(|_| {}, spent(18_000, 0.0)), Ok(1_000));
        assert_eq!(key(|_| {}, spent(19_000, 0.0)), Err("day_tokens_max"));
        // 1,000 tokens in cost 0.003; 1,000 out 0.015.
        assert_eq!(key(|it| it.question_usd_max = Some(0.018), spent(0, 0.0)), Ok(1_000));
        assert_eq!(key(|it| it.question_usd_max = Some(0.004), spent(0, 0.0)), Err("question_usd_max"));
        assert_eq!(key(|it| it.day_usd_max = Some(1.0), spent(0, 0.999)), Err("day_usd_max"));
    }

    #[test]
    fn what_was_said_takes_the_place_of_the_worst_case() {
        let mut purse = Purse::new(&settings(), DaySpend::default());
        purse.begin(&price(), 3_000).unwrap();
        assert_eq!(purse.tally().tokens(), 1_000 + 4_096);
        purse.usage(Some(700), Some(1));
        purse.usage(None, Some(50));
        purse.settle();
        assert_eq!((purse.tally().tokens_in, purse.tally().tokens_out), (700, 50));
        // A reply that broke off is counted by its bytes.
        purse.begin(&price(), 300).unwrap();
        purse.wrote(60);
        purse.settle();
        assert_eq!((purse.tally().tokens_in, purse.tally().tokens_out), (800, 60));
        purse.begin(&ModelPrice::default(), 300).unwrap();
        purse.forget();
        assert!((purse.tally().usd.unwrap() - (800.0 * 3.0 + 60.0 * 15.0) / 1e6).abs() < 1e-12);
        purse.begin(&ModelPrice::default(), 300).unwrap();
        assert_eq!(purse.tally().usd, None);
    }

    #[test]
    fn a_new_day_begins_with_nothing() {
        let spend = DaySpend { day: 0, tokens: 7, usd: 0.1 };
        assert_eq!(spend.at(Timestamp(DAY_MS - 1)), spend);
        assert_eq!(spend.at(Timestamp(DAY_MS)), DaySpend { day: 1, tokens: 0, usd: 0.0 });
    }

    proptest! {
        #[test]
        fn no_order_of_requests_passes_a_limit(
            requests in proptest::collection::vec((1u64..20_000, 0u64..4_096), 0..20),
            question in 0u64..30_000,
            day in 0u64..30_000,
        ) {
            let settings = ModelSettings { question_tokens_max: question, day_tokens_max: day, ..settings() };
            let mut purse = Purse::new(&settings, DaySpend { day: 0, tokens: 1_000, usd: 0.0 });
            for (bytes, written) in requests {
                if let Ok(reply) = purse.begin(&price(), bytes) {
                    prop_assert!(purse.tally().tokens() <= question && 1_000 + purse.tally().tokens() <= day);
                    purse.usage(Some(bytes / 4), Some(written.min(u64::from(reply))));
                }
                purse.settle();
                prop_assert!(purse.tally().tokens() <= question);
            }
        }
    }
}
