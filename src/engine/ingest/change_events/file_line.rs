//! One line of a change file.
//!
//! The format is JSON Lines; every key is optional except that a line says at least `service` or `title`:
//!
//! ```json
//! {"at":"2026-11-21T14:31:45Z","kind":"deploy","service":"payment","title":"deploy abc123 to payment","version":"abc123","author":"kim","id":"dep-17","url":"https://ci.example/17"}
//! ```
//!
//! * `at`: when it began to take effect, RFC 3339 or an epoch in s, ms, µs or ns; the time of reading where absent
//! * `finished_at`: when it was complete, where that is known
//! * `kind`: `deploy`, `config`, `flag`, `migration`, `scale`, `network`, `release`, `other`, or words that contain one of them
//! * `service`, `title`, `version`, `author`, `url`: as they are shown
//! * `id`: the same id again updates the change; where absent, the same line again is the same change
//! * `files`, `diff`: what it changes; with them a change is judged by what it does, not only by when and where
//! * `has_taken_effect`: false for a change that failed or was withdrawn

use serde_json::Value;

use super::{
    EventProblem, TakenChange, content, instant, json, kind_of, short_version, text, title_of, with_sane_time,
};
use crate::engine::clock::Timestamp;
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{ChangeNotice, ServiceName, SourceName};

const EXPECTED: &str = "a JSON object with at least `service` or `title`, such as {\"at\":\"2026-11-21T14:31:45Z\",\
     \"kind\":\"deploy\",\"service\":\"payment\",\"version\":\"abc123\"}";

/// Reads one line.
///
/// # Errors
/// When it is no JSON object, or says neither which service nor what.
pub fn parse(line: &[u8], source: &SourceName, now: Timestamp) -> Result<TakenChange, EventProblem> {
    let value = json(line, EXPECTED)?;
    let other_shape = |problem: &str| EventProblem::OtherShape { expected: EXPECTED, problem: problem.to_owned() };
    if !value.is_object() {
        return Err(other_shape("the line holds another JSON value"));
    }
    let service = text(&value, &["service"]).map(ServiceName::from);
    let own_title = text(&value, &["title"]);
    if service.is_none() && own_title.is_none() {
        return Err(other_shape("both are missing"));
    }
    let kind = text(&value, &["kind"]).as_deref().or(own_title.as_deref()).and_then(kind_of).unwrap_or_default();
    let version = text(&value, &["version"]);
    let notice = ChangeNotice {
        source: source.clone(),
        external_id: text(&value, &["id"]).unwrap_or_else(|| line_id(line)),
        kind,
        title: own_title.unwrap_or_else(|| title_of(kind, version.as_deref().map(short_version), service.as_ref())),
        service,
        version,
        author: text(&value, &["author"]),
        url: text(&value, &["url"]),
        at: instant(&value, &["at"]).unwrap_or(now),
        finished_at: instant(&value, &["finished_at"]),
        has_taken_effect: value.get("has_taken_effect").and_then(Value::as_bool).unwrap_or(true),
        content: content(&value),
    };
    Ok(with_sane_time(notice, now))
}

/// An identity for a line without one.
fn line_id(line: &[u8]) -> std::sync::Arc<str> {
    let mut hash = Fnv1a::new();
    hash.part(&String::from_utf8_lossy(line));
    format!("line-{:016x}", hash.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{ChangeKind, DropReason};

    fn read(line: &str) -> Result<TakenChange, EventProblem> {
        parse(line.as_bytes(), &"changes".into(), Timestamp(1_795_271_600_000))
    }

    #[test]
    fn a_full_line_and_a_short_one() {
        let full = r#"{"at":"2026-11-21T14:31:45Z","kind":"deploy","service":"payment","title":"t\u001b","version":"abc","author":"kim","id":"d1","url":"u"}"#;
        let notice = read(full).unwrap().notice;
        assert_eq!((&*notice.title, &*notice.external_id, notice.kind), ("t␛", "d1", ChangeKind::Deploy));
        assert_eq!((notice.at, notice.has_taken_effect), (Timestamp(1_795_271_505_000), true));

        let short = r#"{"service":"payment","kind":"feature-flag"}"#;
        let notice = read(short).unwrap().notice;
        assert_eq!((&*notice.title, notice.kind), ("feature flag on payment", ChangeKind::Flag));
        assert_eq!(notice.at, Timestamp(1_795_271_600_000));
        assert_eq!(read(short).unwrap().notice.external_id, notice.external_id);
    }

    #[test]
    fn what_a_change_changes_is_kept_line_by_line_and_bounded() {
        let told = r#"{"service":"x","title":"t","files":["a/b.go",{"filename":"c.yaml"},7],"diff":"-limit 50\n+limit \u001b5"}"#;
        let content = read(told).unwrap().notice.content.unwrap();
        assert_eq!(content.files.iter().map(|file| &**file).collect::<Vec<_>>(), ["a/b.go", "c.yaml"]);
        assert_eq!(&*content.diff, "-limit 50\n+limit ␛5\n");
        assert_eq!(read(r#"{"service":"x","files":[],"diff":""}"#).unwrap().notice.content, None);
        let long = format!(r#"{{"service":"x","diff":"{}"}}"#, "+0123456789\\n".repeat(10_000));
        let kept = read(&long).unwrap().notice.content.unwrap().diff.len();
        assert!(kept > 1_000 && kept <= crate::engine::limits::CHANGE_DIFF_BYTES_MAX, "{kept}");
    }

    #[test]
    fn what_is_no_change_is_refused_with_what_was_expected() {
        for line in ["", "[]", "null", "{}", r#"{"kind":"deploy"}"#, r#"{"service": 7 "#, &"[".repeat(100_000)] {
            assert!(read(line).unwrap_err().to_string().contains("`service` or `title`"), "{line:.20}");
        }
    }

    #[test]
    fn a_time_in_the_future_is_not_believed() {
        let taken = read(r#"{"service":"x","at":"2031-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!((taken.set_aside, taken.notice.at), (Some(DropReason::FutureStamp), Timestamp(1_795_271_600_000)));
    }
}
