//! GitHub's webhooks `deployment`, `deployment_status`, `release` and `ping`, as JSON.
//!
//! A deployment and its statuses are one change: it starts with `in_progress` and ends with `success`, `failure` or `error`. One that
//! failed has taken effect only if it had begun.
//!
//! Source: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{EventProblem, TakenChange, instant, json, kind_of, short_version, text, with_sane_time};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize;
use crate::engine::model::{ChangeKind, ChangeNotice, ServiceName, SourceName};

/// Deployments under way that are remembered; the oldest make room.
const UNDER_WAY_MAX: usize = 1_024;
const EXPECTED: &str = "the JSON payload of GitHub's deployment, deployment_status, release or ping webhook \
     (content type application/json)";

/// What a delivery was.
#[derive(Debug, PartialEq)]
pub enum Delivery {
    /// A change.
    Change(Box<TakenChange>),
    /// GitHub greets after the webhook was made.
    Ping,
    /// Nothing that changes anything; the text says what it was.
    Ignored(String),
}

/// Remembers which deployments have begun, and when.
#[derive(Debug, Default)]
pub struct Deployments {
    began_at: BTreeMap<Arc<str>, Timestamp>,
}

impl Deployments {
    /// Reads the delivery of `event` (header `X-GitHub-Event`).
    ///
    /// # Errors
    /// When the body is not what GitHub sends for that event.
    pub fn parse(
        &mut self,
        event: &str,
        body: &[u8],
        source: &SourceName,
        now: Timestamp,
    ) -> Result<Delivery, EventProblem> {
        let payload = json(body, EXPECTED)?;
        let action = text(&payload, &["action"]).unwrap_or_default();
        let notice = match (event, &*action) {
            ("ping", _) => return Ok(Delivery::Ping),
            ("deployment", "created") => deployment(&payload, source, now)?,
            ("deployment_status", "created") => match self.status(&payload, source, now)? {
                Ok(notice) => notice,
                Err(state) => return Ok(Delivery::Ignored(format!("deployment_status {state}"))),
            },
            ("release", "published") => release(&payload, source, now)?,
            _ => {
                return Ok(Delivery::Ignored(normalize::sanitize(&format!("{event} {action}"), 128).trim().to_owned()));
            }
        };
        Ok(Delivery::Change(Box::new(with_sane_time(notice, now))))
    }

    /// The change as of a status; the inner error names a state that tells nothing.
    fn status(
        &mut self,
        payload: &Value,
        source: &SourceName,
        now: Timestamp,
    ) -> Result<Result<ChangeNotice, Arc<str>>, EventProblem> {
        let mut notice = deployment(payload, source, now)?;
        let state = required(payload, "deployment_status.state")?;
        let told_at = instant(payload, &["deployment_status.created_at"]).unwrap_or(now);
        let began_at = self.began_at.get(&notice.external_id).copied();
        notice.at = began_at.unwrap_or(notice.at);
        match &*state {
            "in_progress" => {
                notice.at = began_at.unwrap_or(told_at);
                self.remember(&notice);
            }
            "success" => notice.finished_at = Some(told_at),
            "failure" | "error" => {
                notice.finished_at = Some(told_at);
                notice.has_taken_effect = began_at.is_some();
            }
            _ => return Ok(Err(state)),
        }
        let link = text(payload, &["deployment_status.log_url", "deployment_status.target_url"]);
        notice.url = link.or(notice.url);
        Ok(Ok(notice))
    }

    fn remember(&mut self, notice: &ChangeNotice) {
        if self.began_at.len() >= UNDER_WAY_MAX {
            let oldest = self.began_at.iter().min_by_key(|(_, at)| **at).map(|(id, _)| Arc::clone(id));
            oldest.and_then(|id| self.began_at.remove(&id));
        }
        self.began_at.insert(Arc::clone(&notice.external_id), notice.at);
    }
}

fn required(payload: &Value, path: &'static str) -> Result<Arc<str>, EventProblem> {
    let problem = || EventProblem::OtherShape { expected: EXPECTED, problem: format!("`{path}` is missing") };
    text(payload, &[path]).ok_or_else(problem)
}

fn deployment(payload: &Value, source: &SourceName, now: Timestamp) -> Result<ChangeNotice, EventProblem> {
    let (repository, id) = (required(payload, "repository.full_name")?, required(payload, "deployment.id")?);
    let version = text(payload, &["deployment.sha", "deployment.ref"]);
    let service = service_of(payload, &repository);
    let environment = text(payload, &["deployment.environment"]);
    let task = text(payload, &["deployment.task"]);
    let title = format!(
        "deploy {} to {service}{}",
        version.as_deref().map_or("", short_version),
        environment.map_or_else(String::new, |environment| format!(" ({environment})"))
    );
    Ok(ChangeNotice {
        source: source.clone(),
        external_id: format!("github {repository} deployment {id}").into(),
        kind: task.as_deref().and_then(kind_of).unwrap_or(ChangeKind::Deploy),
        service: Some(service),
        title: normalize::sanitize(&title, super::TEXT_BYTES_MAX),
        version,
        author: text(payload, &["deployment.creator.login", "sender.login"]),
        url: text(payload, &["workflow_run.html_url", "repository.html_url"]),
        at: instant(payload, &["deployment.created_at"]).unwrap_or(now),
        finished_at: None,
        has_taken_effect: true,
        content: None,
    })
}

fn release(payload: &Value, source: &SourceName, now: Timestamp) -> Result<ChangeNotice, EventProblem> {
    let (repository, id) = (required(payload, "repository.full_name")?, required(payload, "release.id")?);
    let tag = required(payload, "release.tag_name")?;
    let at = instant(payload, &["release.published_at"]).unwrap_or(now);
    Ok(ChangeNotice {
        source: source.clone(),
        external_id: format!("github {repository} release {id}").into(),
        kind: ChangeKind::Release,
        service: Some(ServiceName::new(super::last_part(&repository))),
        title: normalize::sanitize(&format!("release {tag} of {repository}"), super::TEXT_BYTES_MAX),
        version: Some(tag),
        author: text(payload, &["release.author.login", "sender.login"]),
        url: text(payload, &["release.html_url"]),
        at,
        finished_at: Some(at),
        has_taken_effect: true,
        content: None,
    })
}

/// The service a deployment's own payload names (an object, or an object as text), else the repository's name.
fn service_of(payload: &Value, repository: &str) -> ServiceName {
    const NAMES: [&str; 3] = ["service", "app", "application"];
    let own = payload.get("deployment").and_then(|deployment| deployment.get("payload"));
    let named = match own {
        Some(Value::String(inner)) => serde_json::from_str::<Value>(inner).ok().and_then(|inner| text(&inner, &NAMES)),
        Some(object) => text(object, &NAMES),
        None => None,
    };
    named.map_or_else(|| ServiceName::new(super::last_part(repository)), ServiceName::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_280_000_000);

    fn status(state: &str, time: &str) -> String {
        format!(
            r#"{{"action":"created","deployment_status":{{"id":1,"state":"{state}","created_at":"2026-11-21T{time}Z","log_url":"https://l"}},
            "deployment":{{"id":42,"sha":"0123456789012345678901234567890123456789","environment":"production","task":"deploy",
            "payload":{{}},"creator":{{"login":"kim"}},"created_at":"2026-11-21T14:00:00Z"}},"repository":{{"full_name":"shop/payment"}}}}"#
        )
    }

    fn change(deployments: &mut Deployments, event: &str, body: &str) -> ChangeNotice {
        match deployments.parse(event, body.as_bytes(), &"webhook".into(), NOW).unwrap() {
            Delivery::Change(taken) => taken.notice,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_deployment_and_its_statuses_are_one_change() {
        let mut deployments = Deployments::default();
        let created = change(&mut deployments, "deployment", &status("unused", "14:00:00"));
        let started = change(&mut deployments, "deployment_status", &status("in_progress", "14:01:00"));
        let done = change(&mut deployments, "deployment_status", &status("success", "14:03:00"));
        assert_eq!(&*created.title, "deploy 0123456 to payment (production)");
        assert_eq!((&created.external_id, &started.external_id), (&done.external_id, &done.external_id));
        assert_eq!((started.at.hh_mm_ss().as_str(), started.finished_at), ("14:01:00", None));
        assert_eq!((done.at, done.finished_at.map(Timestamp::hh_mm_ss)), (started.at, Some("14:03:00".to_owned())));
        assert_eq!(done.url.as_deref(), Some("https://l"));
    }

    #[test]
    fn a_failed_deployment_took_effect_only_if_it_had_begun() {
        for (states, has_taken_effect) in [(&["failure"][..], false), (&["in_progress", "error"][..], true)] {
            let mut deployments = Deployments::default();
            let mut has_taken = None;
            for state in states {
                let notice = change(&mut deployments, "deployment_status", &status(state, "14:05:00"));
                has_taken = Some(notice.has_taken_effect);
            }
            assert_eq!(has_taken, Some(has_taken_effect), "{states:?}");
        }
    }

    #[test]
    fn a_release_counts_when_it_is_published() {
        let release = |action: &str| {
            format!(
                r#"{{"action":"{action}","release":{{"id":3,"tag_name":"v1.2","published_at":"2026-11-21T14:00:00Z","html_url":"h",
                "author":{{"login":"kim"}}}},"repository":{{"full_name":"shop/payment"}}}}"#
            )
        };
        let mut deployments = Deployments::default();
        let notice = change(&mut deployments, "release", &release("published"));
        assert_eq!((notice.kind, &*notice.title), (ChangeKind::Release, "release v1.2 of shop/payment"));
        let other = deployments.parse("release", release("edited").as_bytes(), &"webhook".into(), NOW).unwrap();
        assert_eq!(other, Delivery::Ignored("release edited".to_owned()));
    }

    #[test]
    fn pings_and_other_events_are_no_changes_and_foreign_shapes_are_refused() {
        let mut deployments = Deployments::default();
        let mut parse = |event: &str, body: &str| deployments.parse(event, body.as_bytes(), &"webhook".into(), NOW);
        assert_eq!(parse("ping", r#"{"zen":"x"}"#).unwrap(), Delivery::Ping);
        assert_eq!(parse("push", "{}").unwrap(), Delivery::Ignored("push".to_owned()));
        assert!(matches!(parse("deployment_status", &status("queued", "14:00:00")).unwrap(), Delivery::Ignored(_)));
        for body in ["", "payload=%7B%7D", r#"{"action":"created"}"#] {
            assert!(parse("deployment", body).unwrap_err().to_string().contains("application/json"), "{body}");
        }
    }

    #[test]
    fn only_so_many_deployments_are_remembered() {
        let mut deployments = Deployments::default();
        for id in 0..UNDER_WAY_MAX + 10 {
            let body = status("in_progress", "14:01:00").replace("\"id\":42", &format!("\"id\":{id}"));
            change(&mut deployments, "deployment_status", &body);
        }
        assert_eq!(deployments.began_at.len(), UNDER_WAY_MAX);
    }
}
