//! CloudEvents 1.0 over HTTP, JSON: one event (structured mode), several (batched mode), or attributes in `ce-` headers and
//! the data as body (binary mode). Data in the shape of CDEvents is understood as well.
//!
//! Source: <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>, <https://cdevents.dev>.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::{
    EventProblem, TakenChange, content, instant, json, kind_of, last_part, short_version, text, title_of,
    with_sane_time,
};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize::is_deeper_than;
use crate::engine::limits::WEBHOOK_DEPTH_MAX;
use crate::engine::model::{ChangeKind, ChangeNotice, ServiceName, SourceName};

const EXPECTED: &str = "a CloudEvent as JSON (specversion, id, source, type, and data with service, version, author, title), \
     an array of them, or the data alone with the attributes in ce- headers";

/// What a body held.
#[derive(Debug, Default)]
pub struct Events {
    /// Events that are changes.
    pub changes: Vec<TakenChange>,
    /// Events that are none, such as a pipeline's steps.
    pub ignored_count: u64,
    /// Events of a batch that could not be read.
    pub problems: Vec<EventProblem>,
}

/// Reads a body; `header` gives a request header by its name in lower case.
///
/// # Errors
/// When the body is no CloudEvent at all. A batch with some that are not gives the others and the problems.
pub fn parse<'a>(
    body: &[u8],
    header: impl Fn(&str) -> Option<&'a str>,
    source: &SourceName,
    now: Timestamp,
) -> Result<Events, EventProblem> {
    let mut events = Events::default();
    if header("ce-specversion").is_some() {
        let event = binary(body, header)?;
        events.take(&event, source, now).map_or_else(Err, |()| Ok(events))
    } else {
        match json(body, EXPECTED)? {
            Value::Array(batch) => {
                for event in &batch {
                    if let Err(problem) = events.take(event, source, now) {
                        events.problems.push(problem);
                    }
                }
                Ok(events)
            }
            event => events.take(&event, source, now).map_or_else(Err, |()| Ok(events)),
        }
    }
}

/// The event as it would be in structured mode.
fn binary<'a>(body: &[u8], header: impl Fn(&str) -> Option<&'a str>) -> Result<Value, EventProblem> {
    let mut event = Map::new();
    for name in ["specversion", "id", "source", "type", "subject", "time"] {
        if let Some(value) = header(&format!("ce-{name}")) {
            event.insert(name.to_owned(), Value::String(percent_decoded(value)));
        }
    }
    // The data's type is the body's. An event whose data cannot be read is a change all the same.
    if !body.is_empty() && header("content-type").is_none_or(is_json_type) {
        event.insert("data".to_owned(), json(body, EXPECTED)?);
    }
    Ok(Value::Object(event))
}

/// Header values carry anything but printable ASCII as `%` and two hexadecimal digits.
fn percent_decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| byte == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Events {
    fn take(&mut self, event: &Value, source: &SourceName, now: Timestamp) -> Result<(), EventProblem> {
        match change(event, source, now)? {
            Some(taken) => self.changes.push(taken),
            None => self.ignored_count += 1,
        }
        Ok(())
    }
}

/// The change an event speaks of; `None` for events of a known vocabulary that are no changes.
fn change(event: &Value, source: &SourceName, now: Timestamp) -> Result<Option<TakenChange>, EventProblem> {
    let required = |name: &'static str| {
        let problem = || EventProblem::OtherShape { expected: EXPECTED, problem: format!("`{name}` is missing") };
        text(event, &[name]).ok_or_else(problem)
    };
    required("specversion")?;
    let (id, origin, kind_words) = (required("id")?, required("source")?, required("type")?);
    let data = &data_of(event)?;
    let is_cdevent = kind_words.starts_with("dev.cdevents.");
    let kind = if is_cdevent { cdevents_kind(&kind_words) } else { kind_in(&kind_words, data) };
    let Some(kind) = kind else { return Ok(None) };
    let service = service_of(event, data);
    let version = text(data, &["version", "revision", "sha", "commit", "tag"]).or_else(|| artifact_version(data));
    let title = text(data, &["title", "summary", "description", "message"])
        .unwrap_or_else(|| title_of(kind, version.as_deref().map(short_version), service.as_ref()));
    let told_at = instant(event, &["time"]).or_else(|| instant(data, &["context.timestamp"])).unwrap_or(now);
    let outcome = text(data, &["status", "state", "outcome", "result"]);
    let words = format!("{kind_words} {}", outcome.as_deref().unwrap_or_default()).to_ascii_lowercase();
    let has = |endings: &[&str]| endings.iter().any(|ending| words.contains(ending));
    let notice = ChangeNotice {
        source: source.clone(),
        external_id: text(data, &["change_id", "changeId"]).unwrap_or_else(|| Arc::from(format!("{origin} {id}"))),
        kind,
        service,
        title,
        version,
        author: text(data, &["author.name", "author", "user", "actor", "initiator", "triggered_by"]),
        url: text(data, &["url", "link", "html_url"]),
        at: instant(data, &["started_at", "startedAt", "at"]).unwrap_or(told_at),
        finished_at: instant(data, &["finished_at", "finishedAt"])
            .or_else(|| has(&["finished", "completed", "succeeded", "success", "deployed"]).then_some(told_at)),
        has_taken_effect: !has(&["fail", "error", "cancel", "abort", "reject", "withdrawn"]),
        content: content(data),
    };
    Ok(Some(with_sane_time(notice, now)))
}

/// The data, as JSON where it is JSON: an attribute's worth of text or bytes says nothing of a change that could be read.
fn data_of(event: &Value) -> Result<Cow<'_, Value>, EventProblem> {
    let Some(encoded) = event.get("data_base64") else {
        return Ok(event.get("data").map_or(Cow::Owned(Value::Null), Cow::Borrowed));
    };
    let refuse = |problem: String| EventProblem::OtherShape { expected: EXPECTED, problem };
    let encoded = encoded.as_str().ok_or_else(|| refuse("`data_base64` is no text".to_owned()))?;
    let bytes = BASE64.decode(encoded.trim()).map_err(|problem| refuse(format!("`data_base64` is none: {problem}")))?;
    if is_deeper_than(&bytes, WEBHOOK_DEPTH_MAX) {
        return Err(refuse(format!("`data_base64` is nested deeper than {WEBHOOK_DEPTH_MAX} levels")));
    }
    let is_json = event.get("datacontenttype").and_then(Value::as_str).is_none_or(is_json_type);
    if is_json { json(&bytes, EXPECTED).map(Cow::Owned) } else { Ok(Cow::Owned(Value::Null)) }
}

/// True for `application/json`, `text/json; charset=utf-8`, `application/vnd.example+json`.
pub fn is_json_type(media_type: &str) -> bool {
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media_type.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype == "json" || subtype.ends_with("+json")
}

/// The kind by `data.kind` or the type's words. An unknown type is a change of another kind: it was sent here on purpose.
fn kind_in(kind_words: &str, data: &Value) -> Option<ChangeKind> {
    let own = text(data, &["kind"]);
    Some(own.as_deref().and_then(kind_of).or_else(|| kind_of(kind_words)).unwrap_or_default())
}

/// CDEvents speak of much that changes nothing yet (builds, tests, pipelines).
fn cdevents_kind(kind_words: &str) -> Option<ChangeKind> {
    let mut parts = kind_words.split('.').skip(2);
    match (parts.next()?, parts.next()?) {
        ("service", "deployed" | "upgraded" | "rolledback" | "removed") => Some(ChangeKind::Deploy),
        ("environment", "created" | "modified" | "deleted") => Some(ChangeKind::Config),
        ("artifact", "published") => Some(ChangeKind::Release),
        _ => None,
    }
}

fn service_of(event: &Value, data: &Value) -> Option<ServiceName> {
    let named = text(data, &["service.name", "service", "app", "application", "component"]);
    let subject = || text(data, &["subject.id"]).or_else(|| text(event, &["subject"]));
    named.map(ServiceName::from).or_else(|| subject().map(|subject| ServiceName::new(last_part(&subject))))
}

/// The version in a package URL such as `pkg:oci/app@sha256:abc?tag=v2`.
fn artifact_version(data: &Value) -> Option<Arc<str>> {
    let artifact = text(data, &["subject.content.artifactId"])?;
    let (_, version) = artifact.split_once('@')?;
    Some(Arc::from(version.split('?').next()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_271_600_000);

    fn read(body: &str, headers: &[(&str, &'static str)]) -> Result<Events, EventProblem> {
        let header = |name: &str| headers.iter().find(|(have, _)| *have == name).map(|(_, value)| *value);
        parse(body.as_bytes(), header, &"webhook".into(), NOW)
    }

    #[test]
    fn structured_mode() {
        let body = r#"{"specversion":"1.0","id":"7","source":"/ci","type":"com.example.deployment.finished","time":"2026-11-21T14:31:45Z",
            "subject":"apps/ignored","data":{"service":"payment","version":"0123456789012345678901234567890123456789","author":"kim"}}"#;
        let notice = read(body, &[]).unwrap().changes.remove(0).notice;
        assert_eq!(
            (&*notice.title, &*notice.external_id, notice.kind),
            ("deploy 0123456 to payment", "/ci 7", ChangeKind::Deploy)
        );
        assert_eq!((notice.at, notice.finished_at), (Timestamp(1_795_271_505_000), Some(Timestamp(1_795_271_505_000))));
        assert!(notice.has_taken_effect);
        assert_eq!(notice.author.as_deref(), Some("kim"));
    }

    #[test]
    fn binary_mode() {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "8"),
            ("ce-source", "/fw"),
            ("ce-type", "firewall.rule.failed"),
            ("ce-subject", "prod/caf%C3%A9%"),
        ];
        let notice = read(r#"{"title":"rule v847"}"#, &headers).unwrap().changes.remove(0).notice;
        assert_eq!((notice.kind, notice.service), (ChangeKind::Network, Some("café%".into())));
        assert_eq!((notice.at, notice.has_taken_effect, &*notice.title), (NOW, false, "rule v847"));
        assert!(read("", &headers).is_ok(), "data is optional");
    }

    #[test]
    fn data_in_base64_is_read_like_any_other() {
        let event = |more: &str| format!(r#"{{"specversion":"1.0","id":"7","source":"/ci","type":"deploy"{more}}}"#);
        // {"service":"payment","version":"v2"}
        let encoded = "eyJzZXJ2aWNlIjoicGF5bWVudCIsInZlcnNpb24iOiJ2MiJ9";
        for kind in ["", r#","datacontenttype":"application/json""#, r#","datacontenttype":"text/json; charset=utf-8""#]
        {
            let body = event(&format!(r#","data_base64":"{encoded}"{kind}"#));
            let notice = read(&body, &[]).unwrap().changes.remove(0).notice;
            assert_eq!((notice.service, notice.version.as_deref()), (Some("payment".into()), Some("v2")), "{kind}");
        }
        let other =
            event(&format!(r#","subject":"cart","data_base64":"{encoded}","datacontenttype":"application/xml""#));
        let notice = read(&other, &[]).unwrap().changes.remove(0).notice;
        assert_eq!(
            (notice.service, notice.version),
            (Some("cart".into()), None),
            "what is no JSON is not read as such"
        );
        let deep = BASE64.encode("[".repeat(100));
        for (bad, said) in
            [("7".to_owned(), "no text"), ("\"e*\"".to_owned(), "data_base64"), (format!("\"{deep}\""), "deeper")]
        {
            let problem = read(&event(&format!(r#","data_base64":{bad}"#)), &[]).unwrap_err().to_string();
            assert!(problem.contains(said), "{problem}");
        }
    }

    #[test]
    fn binary_mode_takes_the_attributes_where_the_data_is_no_json() {
        let mut headers = vec![
            ("ce-specversion", "1.0"),
            ("ce-id", "8"),
            ("ce-source", "/fw"),
            ("ce-type", "deploy"),
            ("ce-subject", "cart"),
            ("content-type", "text/plain; charset=utf-8"),
        ];
        let notice = read("rolled out", &headers).unwrap().changes.remove(0).notice;
        assert_eq!((notice.kind, notice.service), (ChangeKind::Deploy, Some("cart".into())));
        headers.pop();
        headers.push(("content-type", "application/vnd.shop+json"));
        let notice = read(r#"{"version":"v2"}"#, &headers).unwrap().changes.remove(0).notice;
        assert_eq!(notice.version.as_deref(), Some("v2"));
        assert!(read("rolled out", &headers).is_err(), "it says that it is JSON");
    }

    #[test]
    fn a_batch_gives_what_is_good() {
        let body =
            r#"[{"specversion":"1.0","id":"1","source":"s","type":"flag.on","data":{"app":"cart"}},{"id":"2"},7]"#;
        let events = read(body, &[]).unwrap();
        assert_eq!((events.changes.len(), events.problems.len()), (1, 2));
        assert_eq!(events.changes[0].notice.kind, ChangeKind::Flag);
    }

    #[test]
    fn cdevents() {
        let event = |kind: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"dev.cdevents.{kind}.0.2.0","data":
                {{"subject":{{"id":"prod/payment","content":{{"artifactId":"pkg:oci/payment@sha256:ab?tag=v2"}}}}}}}}"#
            )
        };
        let notice = read(&event("service.deployed"), &[]).unwrap().changes.remove(0).notice;
        assert_eq!(
            (notice.kind, notice.service, notice.version.as_deref()),
            (ChangeKind::Deploy, Some("payment".into()), Some("sha256:ab"))
        );
        assert_eq!(read(&event("build.finished"), &[]).unwrap().ignored_count, 1);
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_was_expected() {
        for body in ["", "{}", "7", r#"{"specversion":"1.0","id":"1","source":"s"}"#, "{\"a\":"] {
            assert!(read(body, &[]).unwrap_err().to_string().contains("a CloudEvent as JSON"), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "[\\[{]?(\"(id|type|source|data|specversion)\":)?.{0,60}", value in "[%0-9a-zé]{0,12}") {
            let _refused = read(&body, &[]);
            percent_decoded(&value);
        }
    }
}
