//! Jira Service Management: a request for every act, found again by a word in its description; comments while it goes on,
//! a transition when it is over.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{self, NotDelivered};
use crate::engine::ingest::IngestError;
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, Told};
use crate::engine::model::{DeliveryAttempt, OutwardEvent, OutwardMessage};
use crate::engine::settings::JiraSettings;

/// Requests.
const REQUESTS: &str = "/rest/servicedeskapi/request";
/// Search by JQL.
const SEARCH: &str = "/rest/api/3/search/jql";
/// Longest summary.
const TITLE_CHARS_MAX: usize = 255;

/// A client of one site.
#[derive(Debug)]
pub(super) struct Jira {
    http: HttpSender,
    service_desk: String,
    request_type: String,
    fields: Map<String, Value>,
    done: Vec<String>,
    failed: Vec<String>,
}

#[derive(Deserialize)]
struct Made {
    #[serde(rename = "issueKey")]
    issue_key: String,
}

#[derive(Deserialize)]
struct FoundIssues {
    #[serde(default)]
    issues: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    key: String,
    #[serde(default)]
    fields: Value,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

#[derive(Deserialize)]
struct Transition {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    body: String,
}

impl Jira {
    pub(super) fn new(settings: &JiraSettings) -> Result<Self, IngestError> {
        let missing = |key: &'static str| IngestError::Setting {
            name: "outbound.jira".to_owned(),
            key,
            problem: "it is needed to make requests; `GET /rest/servicedeskapi/servicedesk` of your site lists them"
                .to_owned(),
        };
        if settings.service_desk.is_empty() {
            return Err(missing("service_desk"));
        }
        if settings.request_type.is_empty() {
            return Err(missing("request_type"));
        }
        let http = HttpSender::new(ClientSettings {
            name: "outbound.jira",
            url: &settings.url,
            timeout_ms: settings.timeout.0,
            bearer: &settings.bearer,
            username: settings.username.as_deref(),
            password: &settings.password,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })?;
        Ok(Self {
            http,
            service_desk: settings.service_desk.clone(),
            request_type: settings.request_type.clone(),
            fields: settings.fields.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
            done: settings.done.clone(),
            failed: settings.failed.clone(),
        })
    }

    pub(super) fn address(&self) -> &Arc<str> {
        self.http.address()
    }

    /// Brings the request of the message's thread to where the message says it is, making it where there is none.
    pub(super) async fn deliver(&self, attempt: &DeliveryAttempt) -> Result<Arc<str>, NotDelivered> {
        let message = &attempt.delivery.message;
        let known = attempt.reference.as_deref().filter(|key| is_key(key)).map(str::to_owned);
        let found = match known {
            Some(known) => Some(known),
            None => self.find(&message.token()).await?,
        };
        let key = match found {
            Some(found) => found,
            None => self.create(message).await?,
        };
        let marker = answer::marker(&attempt.delivery.key);
        let is_told = match message.event {
            OutwardEvent::ActUpdated | OutwardEvent::ActEnded if attempt.may_have_arrived => {
                self.has_comment(&key, &marker).await?
            }
            _ => false,
        };
        match message.event {
            OutwardEvent::ActUpdated if !is_told => self.comment(&key, &comment(message, &marker)).await?,
            OutwardEvent::ActEnded if !is_told => self.end(&key, message, &marker).await?,
            _ => {}
        }
        Ok(Arc::from(key))
    }

    /// The request whose description has this word. A search is for words alike, so what comes back is looked at.
    async fn find(&self, token: &str) -> Result<Option<String>, NotDelivered> {
        let jql = format!("text ~ \"{token}\"");
        let query = [("jql", jql.as_str()), ("fields", "description"), ("maxResults", "10")];
        let found: FoundIssues = self.read(Method::GET, SEARCH, &query, None).await?;
        let mut issues = found.issues.into_iter();
        Ok(issues.find(|it| is_key(&it.key) && it.fields.to_string().contains(token)).map(|it| it.key))
    }

    async fn create(&self, message: &OutwardMessage) -> Result<String, NotDelivered> {
        let mut fields = self.fields.clone();
        let title: String = message.title.chars().take(TITLE_CHARS_MAX).collect();
        fields.insert("summary".to_owned(), title.into());
        fields.insert("description".to_owned(), format!("{}\n\n{}", message.text, message.token()).into());
        let body = json!({
            "serviceDeskId": self.service_desk,
            "requestTypeId": self.request_type,
            "requestFieldValues": fields,
        });
        let made: Made = self.read(Method::POST, REQUESTS, &[], Some(&body)).await?;
        let refuse = || NotDelivered::unreadable(self.address(), "a request with a key that is none");
        Some(made.issue_key).filter(|key| is_key(key)).ok_or_else(refuse)
    }

    async fn has_comment(&self, key: &str, marker: &str) -> Result<bool, NotDelivered> {
        let path = format!("{REQUESTS}/{key}/comment");
        let page: Page<Comment> = self.read(Method::GET, &path, &[("limit", "100")], None).await?;
        Ok(page.values.iter().any(|comment| comment.body.contains(marker)))
    }

    async fn comment(&self, key: &str, body: &str) -> Result<(), NotDelivered> {
        let path = format!("{REQUESTS}/{key}/comment");
        self.tell(Method::POST, &path, &[], Some(&json!({ "body": body, "public": false }))).await.map(drop)
    }

    /// Ends the request by the first transition that is both wanted and offered; where none is, a comment says so.
    async fn end(&self, key: &str, message: &OutwardMessage, marker: &str) -> Result<(), NotDelivered> {
        let path = format!("{REQUESTS}/{key}/transition");
        let offered: Page<Transition> = self.read(Method::GET, &path, &[("limit", "100")], None).await?;
        let wanted = if message.has_taken_effect == Some(true) { &self.done } else { &self.failed };
        let find = |name: &String| offered.values.iter().find(|it| it.name.eq_ignore_ascii_case(name));
        let text = comment(message, marker);
        let Some(transition) = wanted.iter().find_map(find) else {
            let left = format!("{text}\nLeft open: none of these transitions is offered: {}", wanted.join(", "));
            return self.comment(key, &left).await;
        };
        let body = json!({ "id": transition.id, "additionalComment": { "body": text } });
        self.tell(Method::POST, &path, &[], Some(&body)).await.map(drop)
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T, NotDelivered> {
        answer::read(self.address(), &self.tell(method, path, query, body).await?)
    }

    async fn tell(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Told, NotDelivered> {
        answer::judge(self.address(), self.http.send(method, path, query, body).await?)
    }
}

fn comment(message: &OutwardMessage, marker: &str) -> String {
    format!("{}\n{}\n({marker})", message.title, message.text)
}

/// `CHANGE-12`: letters, digits, `_` and `-`, so that it can stand in a path.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
