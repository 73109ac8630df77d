//! What questions may be handed to beside the embedded answers: a language model, off until it is asked for and bounded in
//! tokens, time and money.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SecretSource, Span};
use crate::engine::clock::SECOND_MS;

/// What questions may be handed to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskSettings {
    /// A language model.
    pub model: ModelSettings,
}

/// How a model is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelApi {
    /// Anthropic's Messages API.
    #[default]
    Anthropic,
    /// Chat completions, as OpenAI and many local servers offer them.
    Openai,
}

/// A language model and what it may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Whether anything is sent at all.
    pub enabled: bool,
    /// How it is spoken to.
    pub api: ModelApi,
    /// Base address; `/v1/messages` or `/chat/completions` is added to it.
    pub url: String,
    /// The key; none is sent where none is named. A file with it must be readable by its owner alone.
    pub key: SecretSource,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The model that reasons.
    pub reasoning: ModelPrice,
    /// A smaller one that says what a question is after where the embedded reader cannot; without a name nobody does.
    pub classification: ModelPrice,
    /// What the limit of a reply is called by a server for chat completions.
    pub limit_key: String,
    /// Tokens of one reply.
    pub reply_tokens_max: u32,
    /// Requests of one question.
    pub turns_max: u32,
    /// Tokens of one question, in and out, over all its requests.
    pub question_tokens_max: u64,
    /// Tokens of one day (UTC).
    pub day_tokens_max: u64,
    /// US dollars of one question.
    pub question_usd_max: Option<f64>,
    /// US dollars of one day (UTC).
    pub day_usd_max: Option<f64>,
    /// Longest time of one question.
    pub timeout: Span,
    /// Longest silence within a reply.
    pub stall: Span,
}

/// A model and its prices.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelPrice {
    /// As its server calls it.
    pub name: String,
    /// US dollars for a million tokens that it reads.
    pub usd_in: Option<f64>,
    /// US dollars for a million tokens that it writes.
    pub usd_out: Option<f64>,
}

impl ModelPrice {
    /// What these tokens cost in US dollars; `None` where a price is not known.
    #[must_use]
    pub fn cost(&self, tokens_in: u64, tokens_out: u64) -> Option<f64> {
        Some((tokens_in as f64 * self.usd_in? + tokens_out as f64 * self.usd_out?) / 1e6)
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            api: ModelApi::Anthropic,
            url: String::new(),
            key: SecretSource::default(),
            ca_file: None,
            reasoning: ModelPrice::default(),
            classification: ModelPrice::default(),
            limit_key: "max_completion_tokens".to_owned(),
            reply_tokens_max: 4_096,
            turns_max: 6,
            question_tokens_max: 60_000,
            day_tokens_max: 1_000_000,
            question_usd_max: None,
            day_usd_max: None,
            timeout: Span(90 * SECOND_MS),
            stall: Span(30 * SECOND_MS),
        }
    }
}

/// What is wrong with `[ask.model]`, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct AskProblem {
    /// Which key of `[ask.model]`, or which section below it.
    pub key: &'static str,
    text: String,
}

/// More requests of one question than this are a loop.
const TURNS_MAX: u32 = 20;
/// Names of limits that servers know.
const LIMIT_KEYS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

impl AskSettings {
    /// Holds every value against what it may be.
    ///
    /// # Errors
    /// The first that cannot be meant: nothing could be asked, or a limit could not be kept.
    pub fn check(&self) -> Result<(), AskProblem> {
        let model = &self.model;
        let wrong = |key, text: String| Err(AskProblem { key, text });
        let prices = [("reasoning", &model.reasoning), ("classification", &model.classification)];
        for (key, price) in prices {
            let is_price = |usd: &Option<f64>| usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0);
            if !is_price(&price.usd_in)
                || !is_price(&price.usd_out)
                || price.usd_in.is_some() != price.usd_out.is_some()
            {
                let text = format!(
                    "[ask.model.{key}] has no usable price; write both `usd_in` and `usd_out`, in US dollars for a million tokens, or neither"
                );
                return wrong(key, text);
            }
        }
        for (key, limit) in [("question_usd_max", model.question_usd_max), ("day_usd_max", model.day_usd_max)] {
            let Some(limit) = limit else { continue };
            if !limit.is_finite() || limit < 0.0 {
                return wrong(key, format!("`{key}` = {limit} is no sum of money; write US dollars, such as 0.50"));
            }
            let unpriced = prices.iter().find(|(_, price)| !price.name.is_empty() && price.usd_in.is_none());
            if let Some((section, _)) = unpriced {
                let text = format!(
                    "`{key}` cannot be kept without prices; write `usd_in` and `usd_out` under [ask.model.{section}]"
                );
                return wrong(key, text);
            }
        }
        if model.turns_max == 0 || model.turns_max > TURNS_MAX {
            return wrong("turns_max", format!("`turns_max` = {}; write 1 to {TURNS_MAX}", model.turns_max));
        }
        if model.reply_tokens_max == 0 {
            return wrong("reply_tokens_max", "`reply_tokens_max` = 0 leaves no room for a reply".to_owned());
        }
        for (key, span) in [("timeout", model.timeout), ("stall", model.stall)] {
            if span.0 <= 0 {
                return wrong(key, format!("`{key}` = {span} leaves no time for an answer"));
            }
        }
        if !LIMIT_KEYS.contains(&model.limit_key.as_str()) {
            let text = format!("`limit_key` = `{}`; write {}", model.limit_key, LIMIT_KEYS.join(" or "));
            return wrong("limit_key", text);
        }
        if model.enabled && model.url.is_empty() {
            let text = "a model that is enabled needs its `url`, such as https://api.anthropic.com".to_owned();
            return wrong("enabled", text);
        }
        if model.enabled && model.reasoning.name.is_empty() {
            return wrong("enabled", "a model that is enabled needs `name` under [ask.model.reasoning]".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_could_not_be_kept_is_refused_by_its_key() {
        let named = |change: fn(&mut ModelSettings)| {
            let mut settings = AskSettings::default();
            settings.model.enabled = true;
            settings.model.url = "https://models.example.com".to_owned();
            settings.model.reasoning.name = "large".to_owned();
            change(&mut settings.model);
            settings.check().err().map(|problem| problem.key)
        };
        assert_eq!(named(|_| {}), None);
        assert_eq!(named(|model| model.url.clear()), Some("enabled"));
        assert_eq!(named(|model| model.reasoning.name.clear()), Some("enabled"));
        assert_eq!(named(|model| model.day_usd_max = Some(1.0)), Some("day_usd_max"));
        assert_eq!(named(|model| model.question_usd_max = Some(f64::NAN)), Some("question_usd_max"));
        assert_eq!(named(|model| model.reasoning.usd_in = Some(3.0)), Some("reasoning"));
        assert_eq!(named(|model| model.classification.usd_out = Some(-1.0)), Some("classification"));
        assert_eq!(named(|model| model.turns_max = 0), Some("turns_max"));
        assert_eq!(named(|model| model.reply_tokens_max = 0), Some("reply_tokens_max"));
        assert_eq!(named(|model| model.stall = Span(0)), Some("stall"));
        assert_eq!(named(|model| model.limit_key = "tokens".to_owned()), Some("limit_key"));
        let priced = |model: &mut ModelSettings| {
            (model.reasoning.usd_in, model.reasoning.usd_out) = (Some(3.0), Some(15.0));
            model.day_usd_max = Some(2.0);
        };
        assert_eq!(named(priced), None);
    }

    #[test]
    fn a_cost_is_known_where_both_prices_are() {
        let price = ModelPrice { name: "large".to_owned(), usd_in: Some(3.0), usd_out: Some(15.0) };
        assert_eq!(price.cost(1_000_000, 100_000), Some(4.5));
        assert_eq!(ModelPrice::default().cost(1, 1), None);
    }
}
