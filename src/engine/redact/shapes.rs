//! Secrets that are known by how they look: tokens with a beginning of their issuer's, JWTs, private keys.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mark::{Kind, Span};
use super::value;

/// A token that always begins the same.
pub(super) struct Shape {
    /// How it begins.
    pub prefix: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it goes on with.
    pub alphabet: fn(u8) -> bool,
    /// How many of those there are at least.
    pub length_min: usize,
    /// And at most; a longer one is something else.
    pub length_max: usize,
}

const ANY: usize = 1_024;

const fn shape(
    prefix: &'static str,
    kind: Kind,
    alphabet: fn(u8) -> bool,
    length_min: usize,
    length_max: usize,
) -> Shape {
    Shape { prefix, kind, alphabet, length_min, length_max }
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn dotted(byte: u8) -> bool {
    dashed(byte) || byte == b'.'
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Sources: the issuers' own pages on the form of their tokens, and the pattern lists of secret scanners.
pub(super) const SHAPES: [Shape; 58] = [
    shape("AKIA", Kind::AwsKey, upper, 16, 16),
    shape("ASIA", Kind::AwsKey, upper, 16, 16),
    shape("ABIA", Kind::AwsKey, upper, 16, 16),
    shape("ACCA", Kind::AwsKey, upper, 16, 16),
    shape("AIza", Kind::GoogleKey, dashed, 35, 35),
    shape("ya29.", Kind::GoogleKey, dotted, 20, ANY),
    shape("GOCSPX-", Kind::GoogleKey, dashed, 28, 28),
    shape("ghp_", Kind::GithubToken, word, 36, 255),
    shape("gho_", Kind::GithubToken, word, 36, 255),
    shape("ghu_", Kind::GithubToken, word, 36, 255),
    shape("ghs_", Kind::GithubToken, word, 36, 255),
    shape("ghr_", Kind::GithubToken, word, 36, 255),
    shape("github_pat_", Kind::GithubToken, dashed, 22, 255),
    shape("glpat-", Kind::GitlabToken, dotted, 20, 300),
    shape("gldt-", Kind::GitlabToken, dashed, 20, 300),
    shape("glrt-", Kind::GitlabToken, dotted, 20, 300),
    shape("glcbt-", Kind::GitlabToken, dashed, 20, 300),
    shape("xoxb-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxa-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxp-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxr-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxs-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxe-", Kind::SlackToken, dashed, 10, ANY),
    shape("xoxe.", Kind::SlackToken, dotted, 10, ANY),
    shape("xapp-", Kind::SlackToken, dashed, 10, ANY),
    shape("sk_live_", Kind::StripeKey, word, 16, 255),
    shape("sk_test_", Kind::StripeKey, word, 16, 255),
    shape("rk_live_", Kind::StripeKey, word, 16, 255),
    shape("rk_test_", Kind::StripeKey, word, 16, 255),
    shape("whsec_", Kind::StripeKey, base64, 24, 255),
    shape("u+", Kind::PagerdutyKey, dashed, 18, 18),
    shape("sk-ant-", Kind::ApiToken, dashed, 20, 255),
    shape("sk-proj-", Kind::ApiToken, dashed, 20, 255),
    shape("sk-", Kind::ApiToken, word, 20, 255),
    shape("SG.", Kind::ApiToken, dotted, 60, 80),
    shape("npm_", Kind::ApiToken, word, 36, 36),
    shape("pypi-AgE", Kind::ApiToken, dashed, 30, ANY),
    shape("dop_v1_", Kind::ApiToken, word, 64, 64),
    shape("hvs.", Kind::ApiToken, dashed, 20, ANY),
    shape("hvb.", Kind::ApiToken, dashed, 20, ANY),
    shape("hf_", Kind::ApiToken, word, 34, 34),
    shape("dapi", Kind::ApiToken, word, 32, 32),
    shape("NRAK-", Kind::ApiToken, upper, 27, 27),
    shape("glsa_", Kind::ApiToken, dashed, 40, 42),
    shape("PMAK-", Kind::ApiToken, dashed, 59, 59),
    shape("shpat_", Kind::ApiToken, word, 32, 32),
    shape("shpss_", Kind::ApiToken, word, 32, 32),
    shape("sq0atp-", Kind::ApiToken, dashed, 22, 22),
    shape("sq0csp-", Kind::ApiToken, dashed, 43, 43),
    shape("lin_api_", Kind::ApiToken, word, 40, 40),
    shape("figd_", Kind::ApiToken, dashed, 40, 60),
    shape("AGE-SECRET-KEY-1", Kind::ApiToken, upper, 58, 58),
    shape("sntrys_", Kind::ApiToken, base64, 40, ANY),
    shape("ATATT3", Kind::ApiToken, dashed, 60, ANY),
    shape("EAACEdEose0cBA", Kind::ApiToken, word, 20, ANY),
    shape("dckr_pat_", Kind::ApiToken, dashed, 27, 27),
    shape("rubygems_", Kind::ApiToken, word, 48, 48),
    shape("pul-", Kind::ApiToken, word, 40, 40),
];

/// A token that begins at `at`, which is where the beginning of `shape` was met, in letters of any case.
pub(super) fn token(text: &str, at: Range<usize>, shape: &Shape) -> Option<Span> {
    let bytes = text.as_bytes();
    if &bytes[at.clone()] != shape.prefix.as_bytes() || !begins_word(bytes, at.start) {
        return None;
    }
    let rest = bytes[at.end..].iter().take(shape.length_max + 1);
    let length = rest.take_while(|byte| (shape.alphabet)(**byte)).count();
    // A sentence may end right after it.
    let ends_with_stop = bytes[at.end..at.end + length].last() == Some(&b'.');
    let length = length - usize::from(ends_with_stop);
    let secret = &bytes[at.end..at.end + length];
    let is_plausible = value::bits_per_byte(secret) >= 2.5 && secret.iter().any(|byte| !byte.is_ascii_lowercase());
    let fits = (shape.length_min..=shape.length_max).contains(&length) && is_plausible;
    fits.then(|| Span { at: at.start..at.end + length, kind: shape.kind })
}

/// A JSON Web Token, whole or cut off: its head is a JSON object that names an algorithm.
pub(super) fn jwt(text: &str, at: Range<usize>) -> Option<Span> {
    let bytes = text.as_bytes();
    if &bytes[at.clone()] != b"eyJ" || !begins_word(bytes, at.start) {
        return None;
    }
    // Whole groups of four of its first part; what is behind a cut is not needed.
    let head = bytes[at.start..].iter().take(400).take_while(|byte| dashed(**byte)).count() / 4 * 4;
    let json = URL_SAFE_NO_PAD.decode(&bytes[at.start..at.start + head]).ok()?;
    let is_head = [b"\"alg\"".as_slice(), b"\"typ\"", b"\"kid\"", b"\"enc\""]
        .iter()
        .any(|name| json.windows(name.len()).any(|window| window == *name));
    if !is_head || head < 20 {
        return None;
    }
    let length = bytes[at.start..].iter().take_while(|byte| dotted(**byte) || **byte == b'=').count();
    Some(Span { at: at.start..at.start + length, kind: Kind::Jwt })
}

/// A private key in PEM or OpenPGP form, to its last line or, where that is cut off, to the end.
pub(super) fn private_key(text: &str, at: Range<usize>) -> Option<Span> {
    let rest = &text[at.end..];
    let label = &rest[..rest.find("-----").filter(|end| *end <= 40)?];
    if !label.contains("PRIVATE KEY") {
        return None;
    }
    let end = rest.find("-----END ").and_then(|end| {
        let after = end + "-----END ".len();
        rest[after..].find("-----").map(|more| at.end + after + more + "-----".len())
    });
    Some(Span { at: at.start..end.unwrap_or(text.len()), kind: Kind::PrivateKey })
}

/// `hooks.slack.com/services/T…/B…/…`: whoever knows the path may post.
pub(super) fn slack_webhook(text: &str, at: Range<usize>) -> Option<Span> {
    let length = text.as_bytes()[at.end..].iter().take_while(|byte| word(**byte) || **byte == b'/').count();
    (length >= 20).then(|| Span { at: at.end..at.end + length, kind: Kind::SlackToken })
}

/// True where no word goes on at `at`.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| !(bytes[before].is_ascii_alphanumeric() || bytes[before] == b'_'))
}
