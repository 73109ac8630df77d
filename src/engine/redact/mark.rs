//! What stands in place of a secret, and the replacing.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::scan;
use super::value;

/// How every mark begins.
pub(super) const MARK_START: &str = "⟨redacted:";
/// How it ends.
const MARK_END: char = '⟩';
/// A mark is no longer than this.
pub const MARK_BYTES_MAX: usize = 40;
/// Passes over one text. A pass can only find what the one before uncovered by taking its neighbour away; there is
/// hardly ever a third.
const PASSES_MAX: usize = 8;
/// Keeps these digits apart from any other use of the same hash. It is no secret, and need not be: see [`digits`].
const DOMAIN: &[u8] = b"hypo: two mentions of one secret";

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Password,
    Token,
    Key,
    Secret,
    Credential,
    Session,
    Signature,
    Cookie,
    Authorization,
    /// A user and a password in base 64, which are as easily guessed as they are without it.
    Login,
    Jwt,
    AwsKey,
    GoogleKey,
    GithubToken,
    GitlabToken,
    SlackToken,
    StripeKey,
    PagerdutyKey,
    ApiToken,
    PrivateKey,
    CardNumber,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Credential => "credential",
            Self::Session => "session",
            Self::Signature => "signature",
            Self::Cookie => "cookie",
            Self::Authorization | Self::Login => "authorization",
            Self::Jwt => "jwt",
            Self::AwsKey => "aws-key",
            Self::GoogleKey => "google-key",
            Self::GithubToken => "github-token",
            Self::GitlabToken => "gitlab-token",
            Self::SlackToken => "slack-token",
            Self::StripeKey => "stripe-key",
            Self::PagerdutyKey => "pagerduty-key",
            Self::ApiToken => "api-token",
            Self::PrivateKey => "private-key",
            Self::CardNumber => "card-number",
        }
    }
}

/// Where a secret lies in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Bytes of the text; never empty, and on character boundaries.
    pub at: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// Replaces until nothing is found between the marks: what is left is what another call would leave.
pub(super) fn replace_all(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for _ in 0..PASSES_MAX {
        match replace_once(&shown) {
            Some(next) => shown = Cow::Owned(next),
            None => break,
        }
    }
    shown
}

/// One pass; `None` where nothing is found.
fn replace_once(text: &str) -> Option<String> {
    let mut shown = String::new();
    let mut told_until = 0;
    for piece in pieces(text) {
        for span in scan::find(&text[piece.clone()]).spans {
            let at = piece.start + span.at.start..piece.start + span.at.end;
            shown.push_str(&text[told_until..at.start]);
            push_mark(&mut shown, span.kind, &text[at.clone()]);
            told_until = at.end;
        }
    }
    if told_until == 0 {
        return None;
    }
    shown.push_str(&text[told_until..]);
    Some(shown)
}

/// What lies between the marks that a text has already.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(MARK_START) {
        if let Some(length) = mark_length(&text[at..]) {
            found.push(start..at);
            start = at + length;
        }
    }
    found.push(start..text.len());
    found
}

/// Bytes of the mark that `text` begins with.
pub(super) fn mark_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix(MARK_START)?;
    let end = inner.bytes().take(MARK_BYTES_MAX).position(|byte| !is_of_mark(byte))?;
    inner[end..].starts_with(MARK_END).then(|| MARK_START.len() + end + MARK_END.len_utf8())
}

fn is_of_mark(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b' ' | b'#')
}

fn push_mark(shown: &mut String, kind: Kind, secret: &str) {
    shown.push_str(MARK_START);
    shown.push_str(kind.as_str());
    if let Some(digits) = digits(kind, secret) {
        // Writing into a String does not fail.
        let _written = write!(shown, " #{digits:04x}");
    }
    shown.push(MARK_END);
}

/// The first 16 bits of a keyed hash, where they give nothing away.
///
/// Sixteen bits of a random token say one in 65,536 about it, which helps nobody to find it. Of a password out of a
/// list of likely ones they would leave one in 65,536 over, and of a card number, most of which can be reckoned, too few:
/// those carry none.
fn digits(kind: Kind, secret: &str) -> Option<u16> {
    let is_safe = match kind {
        Kind::CardNumber | Kind::Login => false,
        // Its first line alone is the same for all of them.
        Kind::PrivateKey => secret.len() >= 100,
        Kind::Password => secret.len() >= 20 && value::classes(secret) >= 3,
        _ => secret.len() >= 16 && value::bits_per_byte(secret.as_bytes()) >= 3.0,
    };
    if !is_safe {
        return None;
    }
    let mut hash = Hmac::<Sha256>::new_from_slice(DOMAIN).ok()?;
    hash.update(secret.as_bytes());
    let bytes = hash.finalize().into_bytes();
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}
