//! ServiceNow: a change request for every act, through the change management API; found again by its correlation id.
//!
//! A change is closed as far as its model allows: each state that it offers next is taken in turn. Where one is not ours
//! to give (an approval, for instance), the change stays there with a work note that says what came of the act.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{self, NotDelivered};
use crate::engine::ingest::IngestError;
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, Told};
use crate::engine::model::{DeliveryAttempt, OutwardEvent, OutwardMessage};
use crate::engine::settings::{ServicenowChange, ServicenowSettings};

/// Changes, through the change management API.
const CHANGES: &str = "/api/sn_chg_rest/change";
/// The same as rows of a table, which can be searched.
const TABLE: &str = "/api/now/table/change_request";
/// Longest short description.
const TITLE_CHARS_MAX: usize = 160;
/// The state of a closed change.
const CLOSED: i64 = 3;
/// The state of a cancelled change: an act that was begun is never cancelled.
const CANCELLED: i64 = 4;
/// States are taken one by one, and there are fewer than this.
const STEPS_MAX: usize = 8;

/// A client of one instance.
#[derive(Debug)]
pub(super) struct Servicenow {
    http: HttpSender,
    new_change: String,
    fields: Map<String, Value>,
}

/// A change as ServiceNow names it.
#[derive(Debug, Clone)]
struct Found {
    sys_id: String,
    number: String,
}

#[derive(Deserialize)]
struct Answer {
    result: Value,
}

impl Servicenow {
    pub(super) fn new(settings: &ServicenowSettings) -> Result<Self, IngestError> {
        let http = HttpSender::new(ClientSettings {
            name: "outbound.servicenow",
            url: &settings.url,
            timeout_ms: settings.timeout.0,
            bearer: &settings.bearer,
            username: settings.username.as_deref(),
            password: &settings.password,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })?;
        let kind = match (settings.kind, &settings.template) {
            (ServicenowChange::Normal, _) => "normal".to_owned(),
            (ServicenowChange::Emergency, _) => "emergency".to_owned(),
            (ServicenowChange::Standard, Some(template)) if is_plain(template) => format!("standard/{template}"),
            (ServicenowChange::Standard, _) => {
                return Err(IngestError::Setting {
                    name: "outbound.servicenow".to_owned(),
                    key: "template",
                    problem: "a standard change needs the sys_id of its template; set it, or another `kind`".to_owned(),
                });
            }
        };
        let fields = settings.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        Ok(Self { http, new_change: format!("{CHANGES}/{kind}"), fields })
    }

    pub(super) fn address(&self) -> &Arc<str> {
        self.http.address()
    }

    /// Brings the change of the message's thread to where the message says it is, making it where there is none.
    pub(super) async fn deliver(&self, attempt: &DeliveryAttempt) -> Result<Arc<str>, NotDelivered> {
        let message = &attempt.delivery.message;
        let known = attempt.reference.as_deref().and_then(Found::from_reference);
        let found = match known {
            Some(known) => Some(known),
            None => self.find(&message.token()).await?,
        };
        let change = match found {
            Some(found) => found,
            None => self.create(message).await?,
        };
        let marker = answer::marker(&attempt.delivery.key);
        match message.event {
            OutwardEvent::ActUpdated => self.note(&change, message, &marker, attempt.may_have_arrived).await?,
            OutwardEvent::ActEnded => self.close(&change, message, &marker, attempt.may_have_arrived).await?,
            _ => {}
        }
        Ok(change.reference())
    }

    /// The change with this correlation id. A clause that ServiceNow does not know is dropped in silence, so what comes
    /// back is looked at.
    async fn find(&self, token: &str) -> Result<Option<Found>, NotDelivered> {
        let query = format!("correlation_id={token}");
        let query = [
            ("sysparm_query", query.as_str()),
            ("sysparm_fields", "sys_id,number,correlation_id"),
            ("sysparm_limit", "10"),
        ];
        let rows = self.ask(Method::GET, TABLE, &query, None).await?;
        let rows = rows.as_array().into_iter().flatten();
        Ok(rows.filter(|row| field(row, "correlation_id") == Some(token)).find_map(Found::read))
    }

    async fn create(&self, message: &OutwardMessage) -> Result<Found, NotDelivered> {
        let mut fields = self.fields.clone();
        let title: String = message.title.chars().take(TITLE_CHARS_MAX).collect();
        fields.insert("short_description".to_owned(), title.into());
        fields.insert("description".to_owned(), message.text.as_ref().into());
        fields.insert("correlation_id".to_owned(), message.token().into());
        fields.insert("correlation_display".to_owned(), "Hypocenter".into());
        if let Some(began_at) = message.began_at {
            let at = began_at.to_datetime().format("%Y-%m-%d %H:%M:%S").to_string();
            fields.insert("work_start".to_owned(), at.into());
        }
        let made = self.ask(Method::POST, &self.new_change, &[], Some(&Value::Object(fields))).await?;
        Found::read(&made).ok_or_else(|| NotDelivered::unreadable(self.address(), "a change without sys_id"))
    }

    async fn note(
        &self,
        change: &Found,
        message: &OutwardMessage,
        marker: &str,
        looks: bool,
    ) -> Result<(), NotDelivered> {
        if looks && self.has_note(change, marker).await? {
            return Ok(());
        }
        let note = format!("{}\n{}\n({marker})", message.title, message.text);
        self.patch(change, &json!({ "work_notes": note })).await
    }

    async fn has_note(&self, change: &Found, marker: &str) -> Result<bool, NotDelivered> {
        let query = [("sysparm_fields", "work_notes"), ("sysparm_display_value", "true")];
        let row = self.ask(Method::GET, &format!("{TABLE}/{}", change.sys_id), &query, None).await?;
        Ok(field(&row, "work_notes").is_some_and(|notes| notes.contains(marker)))
    }

    async fn close(
        &self,
        change: &Found,
        message: &OutwardMessage,
        marker: &str,
        looks: bool,
    ) -> Result<(), NotDelivered> {
        let row = self.ask(Method::GET, &format!("{CHANGES}/{}", change.sys_id), &[], None).await?;
        let mut state = field(&row, "state").and_then(|state| state.parse::<i64>().ok());
        for _ in 0..STEPS_MAX {
            let Some(now) = state.filter(|now| *now < CLOSED) else { break };
            let Some(next) = self.next_state(change, now).await? else { break };
            let fields = if next == CLOSED { closing(message, marker) } else { json!({ "state": next.to_string() }) };
            match self.patch(change, &fields).await {
                Ok(()) if next == CLOSED => return Ok(()),
                Ok(()) => state = Some(next),
                // Its model wants more than we have: a person goes on from here.
                Err(NotDelivered::Refused { .. }) => break,
                Err(failure) => return Err(failure),
            }
        }
        if looks && state == Some(CLOSED) {
            return Ok(());
        }
        self.note(change, message, marker, looks).await
    }

    /// The state to go to from `now`: closed where that is offered, else the nearest on the way there.
    async fn next_state(&self, change: &Found, now: i64) -> Result<Option<i64>, NotDelivered> {
        let offered = self.ask(Method::GET, &format!("{CHANGES}/{}/nextstates", change.sys_id), &[], None).await?;
        let states = offered.get("available_states").and_then(Value::as_array).into_iter().flatten();
        let states = states.filter_map(|state| state.as_i64().or_else(|| state.as_str()?.parse().ok()));
        let ahead: Vec<i64> = states.filter(|state| *state > now && *state != CANCELLED && *state <= CLOSED).collect();
        Ok(ahead.iter().find(|state| **state == CLOSED).or_else(|| ahead.iter().min()).copied())
    }

    async fn patch(&self, change: &Found, fields: &Value) -> Result<(), NotDelivered> {
        self.ask(Method::PATCH, &format!("{CHANGES}/{}", change.sys_id), &[], Some(fields)).await.map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, NotDelivered> {
        let told: Told = answer::judge(self.address(), self.http.send(method, path, query, body).await?)?;
        Ok(answer::read::<Answer>(self.address(), &told)?.result)
    }
}

fn closing(message: &OutwardMessage, marker: &str) -> Value {
    let code = if message.has_taken_effect == Some(true) { "successful" } else { "unsuccessful" };
    json!({
        "state": CLOSED.to_string(),
        "close_code": code,
        "close_notes": message.text.as_ref(),
        "work_notes": format!("{}\n({marker})", message.title),
    })
}

impl Found {
    fn read(row: &Value) -> Option<Self> {
        let sys_id = field(row, "sys_id").filter(|id| is_plain(id))?.to_owned();
        let number = field(row, "number").unwrap_or(&sys_id).to_owned();
        Some(Self { sys_id, number })
    }

    /// `CHG0030001/46e8219ba9fe1981013806b1b0a0e0a1`
    fn reference(&self) -> Arc<str> {
        Arc::from(format!("{}/{}", self.number, self.sys_id))
    }

    fn from_reference(reference: &str) -> Option<Self> {
        let (number, sys_id) = reference.split_once('/')?;
        is_plain(sys_id).then(|| Self { sys_id: sys_id.to_owned(), number: number.to_owned() })
    }
}

/// A field's value: plain in rows of a table, beside what is displayed in the change management API.
fn field<'v>(row: &'v Value, name: &str) -> Option<&'v str> {
    let value = row.get(name)?;
    value.as_str().or_else(|| value.get("value").and_then(Value::as_str)).filter(|text| !text.is_empty())
}

/// Letters and digits only: it can stand in a path.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
