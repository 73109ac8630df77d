//! Reads a condition on an alert's labels: `alertname="DiskWillFill" and service=~".*-db"`.

use std::sync::Arc;

use super::super::bind;
use crate::engine::model::LabelMatcher;

/// Operators, the longer first.
const OPERATORS: [(&str, bool, bool); 4] =
    [("=~", true, true), ("!~", false, true), ("!=", false, false), ("=", true, false)];

/// Reads matchers joined by ` and `.
///
/// # Errors
/// What is wrong, and how it is written.
pub(super) fn read(text: &str) -> Result<Vec<LabelMatcher>, String> {
    let mut rest = text.trim();
    let mut matchers = Vec::new();
    loop {
        let (matcher, after) = read_one(rest)?;
        matchers.push(matcher);
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(matchers);
        }
        rest = rest
            .strip_prefix("and ")
            .ok_or_else(|| format!("`{rest}` follows a matcher; join matchers with ` and `"))?
            .trim_start();
    }
}

fn read_one(text: &str) -> Result<(LabelMatcher, &str), String> {
    let usage = "write label=\"value\", label!=\"value\", label=~\"pattern\" or label!~\"pattern\"";
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (label, rest) = text.split_at(end);
    if label.is_empty() {
        return Err(format!("`{text}` begins with no label's name; {usage}"));
    }
    let rest = rest.trim_start();
    let operator = OPERATORS.into_iter().find_map(|(word, is_equal, is_pattern)| {
        rest.strip_prefix(word).map(|after| (is_equal, is_pattern, after.trim_start()))
    });
    let Some((is_equal, is_pattern, rest)) = operator else {
        return Err(format!("`{label}` is followed by no operator; {usage}"));
    };
    let quoted = rest.strip_prefix('"').and_then(|inner| inner.split_once('"'));
    let Some((value, after)) = quoted else {
        return Err(format!("the value of `{label}` is not in quotes; {usage}"));
    };
    if is_pattern && let Err(error) = bind::whole_pattern(value) {
        return Err(format!("`{value}` is no regular expression: {}", bind::regex_reason(&error)));
    }
    let matcher = LabelMatcher { label: Arc::from(label), is_equal, is_pattern, value: Arc::from(value) };
    Ok((matcher, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_as_they_are_meant() {
        let read_one = |text: &str| read(text).unwrap();
        let both = read_one(r#"alertname="Disk and more" and service=~".*-db""#);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].value.as_ref(), "Disk and more");
        assert!(both[1].is_pattern && both[1].is_equal);
        assert!(!read_one(r#"env!="test""#)[0].is_equal);
        assert!(read_one(r#"env !~ "test.*""#)[0].is_pattern);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("", "no label"),
            ("=\"x\"", "no label"),
            ("service", "no operator"),
            ("service=x", "not in quotes"),
            ("service=~\"(\"", "regular expression"),
            ("a=\"1\" or b=\"2\"", "join matchers"),
            ("a=\"1\" and", "join matchers"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(says), "{text}: {problem}");
        }
    }
}
