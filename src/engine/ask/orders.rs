//! Tells an order from a question: "restart auth" is one, "restart history of auth" and "is it safe to restart auth" are not.

use super::filling::holds;
use super::marking::{Marked, Mention};

/// Verbs that change something.
const VERBS: &str = "acknowledge apply approve assign bounce cancel close delete deploy disable drain drop enable execute \
    failover install isolate kill launch merge mute pause patch purge reboot release remove reopen resolve \
    restart resume revert rollback run scale silence skip stop terminate trigger undo unmute upgrade";

/// Words before an order.
const POLITE: &str = "please just now hey ok okay go ahead and then so kindly quickly immediately yes you can could would will \
    need to must should hypo i want have";

/// What an order speaks of, where it is no name.
const OBJECTS: &str = "all the it this that everything them these those my our every step steps any";

/// Words that weigh an act before it is done.
const WEIGHING: &str = "safe safely risk risks risky danger dangerous hurt hurts harm harmful if impact consequences wise happen \
    happens break breaks effect okay problem trouble";

/// True for a verb that changes something.
pub(super) fn is_verb(word: &str) -> bool {
    holds(VERBS, word)
}

/// True where a question weighs an act.
pub(super) fn weighs(marked: &Marked) -> bool {
    marked.tokens.iter().any(|token| token.mention.is_none() && holds(WEIGHING, &token.text))
}

/// True where it begins, politeness aside, with a verb that changes something and what it changes.
pub(super) fn is_order(marked: &Marked) -> bool {
    // "What do I need to restart", "can I restart": those who ask begin otherwise, or weigh.
    let mut tokens = marked.tokens.iter().skip_while(|token| token.mention.is_none() && holds(POLITE, &token.text));
    let Some(verb) = tokens.next().filter(|token| token.mention.is_none() && holds(VERBS, &token.text)) else {
        return false;
    };
    let asks_oneself = marked
        .tokens
        .iter()
        .take_while(|token| token.at != verb.at)
        .any(|token| token.text == "i" || token.text == "should");
    let has_object = tokens.next().is_some_and(|token| match &token.mention {
        Some(mention) => !matches!(mention, Mention::Time(..) | Mention::Number(_)),
        None => holds(OBJECTS, &token.text),
    });
    let is_about = marked.tokens.iter().any(|token| {
        matches!(
            token.text.as_str(),
            "history" | "status" | "progress" | "who" | "when" | "why" | "how" | "what" | "which"
        )
    });
    has_object && !asks_oneself && !is_about && !weighs(marked)
}
