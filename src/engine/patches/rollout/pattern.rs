//! Patterns of the settings: regular expressions for the whole name.

use regex::Regex;

/// Reads one.
///
/// # Errors
/// When it is no regular expression.
pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|_| format!("`{pattern}` is no regular expression; mend it"))
}

/// Whether a name fits; every one does where there is no pattern.
pub(super) fn fits(pattern: Option<&Regex>, name: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.is_match(name))
}
