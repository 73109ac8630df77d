//! What is told outside, and whom: change records and notifications. Every destination is optional.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SecretSource, Span};
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::model::{Destination, IncidentSeverity, OutwardEvent};

/// What is told outside. Without a destination nothing is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// Between two status updates of a SEV1 or SEV2.
    pub update_every: Span,
    /// What is done when one is due and nobody has sent it.
    pub update_due: UpdateDue,
    /// Change requests in ServiceNow.
    pub servicenow: Option<ServicenowSettings>,
    /// Requests in Jira Service Management.
    pub jira: Option<JiraSettings>,
    /// A channel of Slack.
    pub slack: Option<SlackSettings>,
    /// Events of PagerDuty.
    pub pagerduty: Option<PagerdutySettings>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            update_every: Span(30 * MINUTE_MS),
            update_due: UpdateDue::Remind,
            servicenow: None,
            jira: None,
            slack: None,
            pagerduty: None,
        }
    }
}

/// What is done when a status update is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateDue {
    /// It is marked on the screen.
    Mark,
    /// Responders are reminded where notifications go, once each time.
    #[default]
    Remind,
    /// The draft from the record is sent by itself.
    Send,
}

impl OutboundSettings {
    /// Configured destinations, each with what it is told and the mildest severity of which it is told.
    pub fn routes(&self) -> impl Iterator<Item = (Destination, &[OutwardEvent], IncidentSeverity)> {
        let all = IncidentSeverity::Sev4;
        let acts = OutwardEvent::OF_ACTS.as_slice();
        let records = [
            self.servicenow.as_ref().map(|_| (Destination::Servicenow, acts, all)),
            self.jira.as_ref().map(|_| (Destination::Jira, acts, all)),
        ];
        let notices = [
            self.slack.as_ref().map(|it| (Destination::Slack, it.events.as_slice(), it.severity_min)),
            self.pagerduty.as_ref().map(|it| (Destination::Pagerduty, it.events.as_slice(), it.severity_min)),
        ];
        records.into_iter().chain(notices).flatten()
    }
}

/// Change requests in ServiceNow: one for each act, opened when it begins and closed when it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServicenowSettings {
    /// Address of the instance.
    pub url: String,
    /// User of basic authentication.
    pub username: Option<String>,
    /// Its password.
    pub password: SecretSource,
    /// Bearer token, in place of user and password.
    pub bearer: SecretSource,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Which kind of change is made.
    pub kind: ServicenowChange,
    /// The template's sys_id, for standard changes.
    pub template: Option<String>,
    /// Further fields of a new change, such as `assignment_group`.
    pub fields: BTreeMap<String, String>,
}

impl Default for ServicenowSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: None,
            password: SecretSource::default(),
            bearer: SecretSource::default(),
            timeout: Span(15 * SECOND_MS),
            ca_file: None,
            kind: ServicenowChange::Emergency,
            template: None,
            fields: BTreeMap::new(),
        }
    }
}

/// A kind of change in ServiceNow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServicenowChange {
    /// Assessed and authorised in full.
    Normal,
    /// Authorised quickly.
    #[default]
    Emergency,
    /// Authorised beforehand, by its template.
    Standard,
}

/// Requests in Jira Service Management: one for each act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JiraSettings {
    /// Address of the site.
    pub url: String,
    /// User of basic authentication: an e-mail address.
    pub username: Option<String>,
    /// Its API token.
    pub password: SecretSource,
    /// Bearer token, in place of user and API token.
    pub bearer: SecretSource,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Number of the service desk.
    pub service_desk: String,
    /// Number of the request type.
    pub request_type: String,
    /// Further fields of a new request, by the name that Jira gives them.
    pub fields: BTreeMap<String, String>,
    /// Transitions that end a request whose act took effect; the first that is offered is taken.
    pub done: Vec<String>,
    /// Transitions that end a request whose act took none.
    pub failed: Vec<String>,
}

impl Default for JiraSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: None,
            password: SecretSource::default(),
            bearer: SecretSource::default(),
            timeout: Span(15 * SECOND_MS),
            ca_file: None,
            service_desk: String::new(),
            request_type: String::new(),
            fields: BTreeMap::new(),
            done: ["Done", "Completed", "Close", "Closed", "Resolve"].map(str::to_owned).to_vec(),
            failed: ["Failed", "Cancel", "Canceled", "Close", "Closed"].map(str::to_owned).to_vec(),
        }
    }
}

/// A channel of Slack, by an incoming webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlackSettings {
    /// The webhook's address, which is a secret.
    pub webhook: SecretSource,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What it is told.
    pub events: Vec<OutwardEvent>,
    /// Incidents milder than this are not told.
    pub severity_min: IncidentSeverity,
}

impl Default for SlackSettings {
    fn default() -> Self {
        Self {
            webhook: SecretSource::default(),
            timeout: Span(15 * SECOND_MS),
            ca_file: None,
            events: vec![
                OutwardEvent::IncidentOpened,
                OutwardEvent::SeverityRaised,
                OutwardEvent::IncidentMitigated,
                OutwardEvent::IncidentResolved,
                OutwardEvent::IncidentReopened,
                OutwardEvent::StatusUpdate,
                OutwardEvent::UpdateDue,
                OutwardEvent::StepFailed,
                OutwardEvent::RunEscalated,
                OutwardEvent::AutonomousAct,
            ],
            severity_min: IncidentSeverity::Sev3,
        }
    }
}

/// Events of PagerDuty: an incident here is one alert there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagerdutySettings {
    /// Address of the events API; Europe has its own.
    pub url: String,
    /// The integration's key.
    pub routing_key: SecretSource,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What it is told.
    pub events: Vec<OutwardEvent>,
    /// Incidents milder than this are not told.
    pub severity_min: IncidentSeverity,
}

impl Default for PagerdutySettings {
    fn default() -> Self {
        Self {
            url: "https://events.pagerduty.com".to_owned(),
            routing_key: SecretSource::default(),
            timeout: Span(15 * SECOND_MS),
            ca_file: None,
            events: vec![
                OutwardEvent::IncidentOpened,
                OutwardEvent::SeverityRaised,
                OutwardEvent::IncidentAcknowledged,
                OutwardEvent::IncidentResolved,
                OutwardEvent::IncidentReopened,
                OutwardEvent::UpdateDue,
                OutwardEvent::RunEscalated,
            ],
            severity_min: IncidentSeverity::Sev2,
        }
    }
}
