//! The base score of a CVSS 3.0 or 3.1 vector, computed in the way of the specification (FIRST, CVSS v3.1, section 7.1 and
//! appendix A): feeds such as OSV give vectors only.

use super::risk::CvssTenths;

/// The score of a vector that begins with `CVSS:3.0/` or `CVSS:3.1/`; `None` of any other, or where a metric is missing.
#[must_use]
pub fn base_score(vector: &str) -> Option<CvssTenths> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let value = |name: &str| {
        let mut values = metrics.split('/').filter_map(|metric| metric.split_once(':'));
        values.find(|(metric, _)| *metric == name).map(|(_, value)| value)
    };
    let is_scope_changed = match value("S")? {
        "C" => true,
        "U" => false,
        _ => return None,
    };
    let impact_of = |name| match value(name)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };
    let attack = match value("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = match value("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let privileges = match (value("PR")?, is_scope_changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let interaction = match value("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let sub: f64 = 1.0 - (1.0 - impact_of("C")?) * (1.0 - impact_of("I")?) * (1.0 - impact_of("A")?);
    let impact = if is_scope_changed { 7.52 * (sub - 0.029) - 3.25 * (sub - 0.02).powi(15) } else { 6.42 * sub };
    let exploitability = 8.22 * attack * complexity * privileges * interaction;
    let score = match (impact <= 0.0, is_scope_changed) {
        (true, _) => 0.0,
        (false, true) => (1.08 * (impact + exploitability)).min(10.0),
        (false, false) => (impact + exploitability).min(10.0),
    };
    CvssTenths::from_score(round_up(score)).ok()
}

/// Up to one digit behind the point, by way of integers as the specification asks for: floats must not push it over.
fn round_up(score: f64) -> f64 {
    let hundred_thousandths = (score * 100_000.0).round();
    let tenths = if hundred_thousandths % 10_000.0 == 0.0 {
        hundred_thousandths / 10_000.0
    } else {
        (hundred_thousandths / 10_000.0).floor() + 1.0
    };
    tenths / 10.0
}

/// The middle of the range that a word for severity stands for (CVSS v3.1, section 5), for what has a word and no score.
#[must_use]
pub fn middle_of_word(word: &str) -> Option<CvssTenths> {
    let middle = match word.to_ascii_lowercase().as_str() {
        "low" | "negligible" => 2.0,
        "medium" | "moderate" => 5.5,
        "high" | "important" => 8.0,
        "critical" => 9.5,
        _ => return None,
    };
    CvssTenths::from_score(middle).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_score_as_the_specifications_examples_do() {
        for (vector, tenths) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61),
            ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31),
            ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 78),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0),
        ] {
            assert_eq!(base_score(vector).map(CvssTenths::tenths), Some(tenths), "{vector}");
        }
        for vector in
            ["", "CVSS:4.0/AV:N/AC:L", "AV:N/AC:L/Au:N/C:P/I:P/A:P", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H"]
        {
            assert_eq!(base_score(vector), None, "{vector}");
        }
    }

    #[test]
    fn a_word_stands_for_the_middle_of_its_range_and_an_unknown_one_for_nothing() {
        assert_eq!(middle_of_word("HIGH").map(CvssTenths::tenths), Some(80));
        assert_eq!(middle_of_word("not yet assigned"), None);
    }
}
