//! Names that a question leaves out: "except web and cart", "not checkout but cart", "services other than auth".

use std::collections::BTreeMap;

use super::{Mention, Token};
use crate::engine::ask::filling::holds;

/// Words that leave out what comes after them.
const LEAVING_OUT: &str =
    "except excepting exclude excluding excludes excluded besides minus ignoring ignore omitting omit barring";
/// Words between those and a name.
const BETWEEN: &str = "the a for from of service services host hosts team on in by any region";
/// Words before "but" that make what comes after it an exception.
const ALL: &str = "all anything everything everyone anyone everybody anybody any every";
/// Words after which "not" denies what is said rather than a name.
const AUXILIARIES: &str = "is are was were be been am do does did has have had can could will would shall should may might must why \
    there anyone anybody someone";

/// Words that leave something out, for the speller.
pub fn vocabulary() -> impl Iterator<Item = &'static str> {
    LEAVING_OUT.split_whitespace().chain(["apart", "aside", "leaving", "filtering"])
}

fn word(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).filter(|token| token.mention.is_none()).map_or("", |token| token.text.as_str())
}

/// Which tokens name what is left out, and where the phrase that says so begins. "Without" leaves out where `is_without` holds:
/// what breaks without auth is about auth.
pub fn left_out(tokens: &[Token], is_without: bool) -> BTreeMap<usize, usize> {
    let mut out = BTreeMap::new();
    for (at, token) in tokens.iter().enumerate() {
        if !matches!(token.mention, Some(Mention::Names(_) | Mention::Region(_))) {
            continue;
        }
        let joins = |at: usize| matches!(word(tokens, at), "and" | "or" | "nor");
        let begin = begin(tokens, at, is_without).or_else(|| {
            // "Except web and cart", "except web, cart".
            let joined = (at >= 2 && joins(at - 1)).then(|| out.contains_key(&(at - 2)).then_some(at - 1)).flatten();
            let listed = || {
                (at >= 1 && out.contains_key(&(at - 1)) && word(tokens, at.saturating_sub(2)) != "not").then_some(at)
            };
            joined.or_else(listed)
        });
        if let Some(begin) = begin {
            out.insert(at, begin);
        }
    }
    out
}

/// Where the phrase begins that leaves a name out.
fn begin(tokens: &[Token], at: usize, is_without: bool) -> Option<usize> {
    let before = (0..at).rev().find(|at| !holds(BETWEEN, word(tokens, *at)))?;
    let earlier = |back: usize| before.checked_sub(back).map_or("", |at| word(tokens, at));
    let is_name = |at: usize| tokens.get(at).is_some_and(|token| matches!(token.mention, Some(Mention::Names(_))));
    let from = |back: usize| Some(before.saturating_sub(back));
    match word(tokens, before) {
        "than" if matches!(earlier(1), "other" | "rather") => from(1),
        "apart" | "aside" if at > before + 1 => from(0),
        "out" if matches!(earlier(1), "leave" | "leaving" | "left" | "filter" | "filtering") => from(1),
        "but" if (1..=3).any(|back| holds(ALL, earlier(back))) => from(0),
        "without" if is_without && at == before + 1 => from(0),
        "not" => {
            let is_contrast =
                (at + 1..tokens.len()).any(|but| word(tokens, but) == "but" && (but + 1..but + 3).any(is_name));
            // "Isn't auth slow" denies what is said of it, and "is cart slow, not auth" leaves auth out.
            let is_after_verb = before > 0 && holds(AUXILIARIES, earlier(1)) && !is_name(before - 1);
            (before == 0 || is_contrast || !is_after_verb).then_some(before)
        }
        leading if holds(LEAVING_OUT, leading) => from(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::left_out;
    use crate::engine::ask::marking::mark;
    use crate::engine::ask::names::{Kind, Name, NameBook};

    proptest! {
        #[test]
        fn whatever_is_asked_a_phrase_ends_with_the_name_that_it_leaves_out(
            text in "((not|but|except|other than|without|and|all|isn't|apart from|auth|cart|web|slow|the|is) ){0,12}",
        ) {
            let names = ["auth", "cart", "web"].map(|text| Name { kind: Kind::Service, text: Arc::from(text) });
            let marked = mark(&text, &NameBook::of(names), None, NaiveDate::MIN);
            for (name, begin) in left_out(&marked.tokens, true) {
                prop_assert!(begin <= name && marked.tokens[name].mention.is_some());
            }
            prop_assert!(marked.texts().len() <= marked.tokens.len());
        }
    }
}
