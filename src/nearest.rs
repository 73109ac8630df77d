//! The valid name that was probably meant: for every message that refuses a name.

/// The candidate with the fewest edits from `written` (two letters exchanged are one; case aside), where no more than about half
/// of it is wrong; the first of equals.
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = written.chars().count().max(3) / 2;
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&written, &candidate.to_lowercase()), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean ...?`, or nothing.
#[must_use]
pub fn suggestion<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, candidates).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_another_word_is_not() {
        let known = ["move-up", "acknowledge", "severity.critical", "timeout", "tab"];
        for (written, expected) in [
            ("moveup", Some("move-up")),
            ("aknowledge", Some("acknowledge")),
            ("Severity.Critcal", Some("severity.critical")),
            ("timeuot", Some("timeout")),
            ("tap", Some("tab")),
            ("something else", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
        assert_eq!(suggestion("moveup", known), "; did you mean `move-up`?");
        assert_eq!(suggestion("zzzzzzz", known), "");
    }
}
