//! The words of a question that say what it is about, for whoever looks for them in texts.

use super::{Marked, Mention, Token};
use crate::engine::ask::page_search;

impl Marked {
    /// The words that say what it is about, as they were written; what was quoted among them. A number
    /// is told where it may be a status: 401, 503.
    pub fn content(&self) -> impl Iterator<Item = String> {
        let is_told = |token: &&Token| {
            let is_status = matches!(token.mention, Some(Mention::Number(100..=599)));
            is_status
                || !matches!(
                    token.mention,
                    Some(
                        Mention::Time(..)
                            | Mention::Incident(_)
                            | Mention::Version(_)
                            | Mention::Severity(_)
                            | Mention::Number(_)
                            | Mention::Step(_)
                    )
                )
        };
        let told = self.tokens.iter().filter(is_told).filter_map(|token| self.words.get(token.at.clone()));
        let told = told.flatten().map(|word| word.raw.as_str());
        let quoted = self.quoted.iter().flat_map(|text| text.split_whitespace());
        let of = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        told.chain(quoted).map(of).filter(|word| page_search::says_what(word))
    }
}
