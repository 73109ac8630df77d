//! Takes secrets out of text before it is kept or shown: keys and tokens by their shape, values by the name they stand
//! under, passwords in addresses, private keys, card numbers.
//!
//! A secret becomes `⟨redacted:KIND #ab12⟩`. Two mentions of one secret carry the same four digits, so they can be told
//! to be one; a secret that could be guessed from them carries none ([`mark`]). Nothing here allocates for a text
//! without secrets, and nothing depends on anything but the text: the same text gives the same answer on every machine.

mod authorization;
mod card;
mod extent;
mod lines;
mod mark;
mod pairs;
mod scan;
mod shapes;
mod url;
mod value;

use std::borrow::Cow;

pub use lines::LineRedactor;
pub use pairs::redact_named;

/// The text without its secrets; borrowed where there are none. Redacting twice gives the same as once.
///
/// What is left out is at most replaced by a mark of [`mark::MARK_BYTES_MAX`] bytes for each secret.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let found = scan::find(text);
    if found.spans.is_empty() && !found.has_mark { Cow::Borrowed(text) } else { mark::replace_all(text) }
}

#[cfg(test)]
mod tests;
