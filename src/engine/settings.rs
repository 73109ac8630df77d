//! The engine's part of the configuration: which sources there are and how they are judged.
//!
//! Every key has a default, unknown keys are errors, and durations are written as `15s`, `5m`, `21d`.

use std::collections::BTreeMap;
use std::path::PathBuf;

mod ask;
mod executors;
mod outbound;
mod patches;
mod paths;
mod people;
mod policy;
mod rollout;
mod span;
mod store;

use serde::{Deserialize, Serialize};

use super::clock::{DAY_MS, MINUTE_MS, SECOND_MS};
pub use ask::{AskProblem, AskSettings, ModelApi, ModelPrice, ModelSettings};
pub use executors::{AnsibleSettings, AwxSettings, EndpointSettings, RunbookSettings, SshSettings};
pub use outbound::{
    JiraSettings, OutboundSettings, PagerdutySettings, ServicenowChange, ServicenowSettings, SlackSettings, UpdateDue,
};
pub use patches::{
    DeadlineRule, FeedSettings, FeedsSettings, InventorySettings, NvdSettings, OsvSettings, PatchSettings, RiskSettings,
};
pub use people::{AttachSettings, PeopleSettings};
pub use policy::{FreezeSettings, GateSettings, PolicyProblem, PolicySettings};
pub use rollout::{
    AllowSettings, ClassSettings, MethodSettings, PatchBy, PatchProblem, Portion, ProbeSettings, ProofSettings,
    RolloutSettings, ServerRole, WindowSettings, recurrence, zone,
};
pub use span::Span;
pub use store::{KeepAudit, StoreSettings};

/// Everything the engine is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// Metrics servers.
    pub prometheus: Vec<PrometheusSettings>,
    /// Alertmanagers to poll.
    pub alertmanager: Vec<AlertmanagerSettings>,
    /// The webhook receiver.
    pub receiver: ReceiverSettings,
    /// Log files to tail.
    pub log: Vec<LogSettings>,
    /// JSON Lines files of changes to tail.
    pub change_file: Vec<ChangeFileSettings>,
    /// Known dependencies.
    pub topology: TopologySettings,
    /// This machine.
    pub host: HostSettings,
    /// How series are judged.
    pub detection: DetectionSettings,
    /// Events that are part of normal.
    pub calendar: Vec<CalendarEvent>,
    /// How anomalies and alerts become incidents.
    pub correlation: CorrelationSettings,
    /// Runbooks and what they may start.
    pub runbooks: RunbookSettings,
    /// Who outside is told of it.
    pub outbound: OutboundSettings,
    /// How much may be done without a person, and when nothing may be done at all.
    pub policy: PolicySettings,
    /// What must be patched, and how soon.
    pub patches: PatchSettings,
    /// What questions may be handed to.
    pub ask: AskSettings,
    /// Who may ask for how much.
    pub people: PeopleSettings,
    /// Where consoles reach the engine.
    pub attach: AttachSettings,
    /// How long things are kept, and how much room they may take.
    pub store: StoreSettings,
}

/// Where a secret is read: never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretSource {
    /// Name of an environment variable.
    pub env: Option<String>,
    /// A file whose first line is the secret.
    pub file: Option<PathBuf>,
}

/// One server that speaks the Prometheus HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusSettings {
    /// Name on the screen, unique among sources.
    pub name: String,
    /// Base address, with a path prefix where there is one.
    pub url: String,
    /// Between two polls.
    pub interval: Span,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// History read on first start.
    pub backfill: Span,
    /// Resolution of that history.
    pub backfill_step: Span,
    /// Queries under way at once.
    pub concurrency: usize,
    /// Bearer token.
    pub bearer: SecretSource,
    /// User of basic authentication; its password comes from `password`.
    pub username: Option<String>,
    /// Password of basic authentication.
    pub password: SecretSource,
    /// Further headers, such as `X-Scope-OrgID`.
    pub headers: BTreeMap<String, String>,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Sets of ready-made queries: `red`, `use`, `service_graph`, `istio`.
    pub defaults: Vec<String>,
    /// Labels that name the service, first match wins.
    pub service_labels: Vec<String>,
    /// Labels that name the instance, first match wins.
    pub instance_labels: Vec<String>,
    /// Queries beside the ready-made ones.
    pub query: Vec<QuerySettings>,
}

impl Default for PrometheusSettings {
    fn default() -> Self {
        Self {
            name: "prometheus".to_owned(),
            url: "http://127.0.0.1:9090".to_owned(),
            interval: Span(15 * SECOND_MS),
            timeout: Span(10 * SECOND_MS),
            backfill: Span(21 * DAY_MS),
            backfill_step: Span(5 * MINUTE_MS),
            concurrency: 2,
            bearer: SecretSource::default(),
            username: None,
            password: SecretSource::default(),
            headers: BTreeMap::new(),
            ca_file: None,
            defaults: ["red", "use", "service_graph", "istio"].map(str::to_owned).to_vec(),
            service_labels: ["service", "service_name", "app", "destination_service_name", "job"]
                .map(str::to_owned)
                .to_vec(),
            instance_labels: ["pod", "instance"].map(str::to_owned).to_vec(),
            query: Vec::new(),
        }
    }
}

/// One query of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuerySettings {
    /// Metric name on the screen.
    pub metric: String,
    /// The PromQL expression; one series per label set of its answer.
    pub expr: String,
    /// Unit of its values.
    #[serde(default)]
    pub unit: super::model::Unit,
    /// Which golden signal it is.
    #[serde(default)]
    pub role: super::model::SeriesRole,
    /// Which direction is bad news.
    #[serde(default)]
    pub bad_when: super::model::BadWhen,
    /// True where values are far from symmetric.
    #[serde(default)]
    pub is_skewed: bool,
    /// The value at which the resource is exhausted.
    #[serde(default)]
    pub limit: Option<f64>,
    /// Service for all its series, in place of a label.
    #[serde(default)]
    pub service: Option<String>,
}

/// One Alertmanager to poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertmanagerSettings {
    /// Name on the screen, unique among sources.
    pub name: String,
    /// Base address.
    pub url: String,
    /// Between two polls.
    pub interval: Span,
    /// Longest wait for an answer.
    pub timeout: Span,
    /// Bearer token.
    pub bearer: SecretSource,
    /// User of basic authentication.
    pub username: Option<String>,
    /// Password of basic authentication.
    pub password: SecretSource,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Labels that name the service, first match wins.
    pub service_labels: Vec<String>,
}

impl Default for AlertmanagerSettings {
    fn default() -> Self {
        Self {
            name: "alertmanager".to_owned(),
            url: "http://127.0.0.1:9093".to_owned(),
            interval: Span(10 * SECOND_MS),
            timeout: Span(10 * SECOND_MS),
            bearer: SecretSource::default(),
            username: None,
            password: SecretSource::default(),
            ca_file: None,
            service_labels: ["service", "service_name", "app", "job"].map(str::to_owned).to_vec(),
        }
    }
}

/// The webhook receiver: Alertmanager at `/webhook/alertmanager`, CloudEvents at `/webhook/events`, GitHub at
/// `/webhook/github`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiverSettings {
    /// Address to bind; empty for no receiver. Anything but loopback is refused without `bearer`.
    pub listen: String,
    /// Token that Alertmanager and CloudEvents senders must show.
    pub bearer: SecretSource,
    /// Secret of GitHub's signature; without it GitHub's webhooks are refused.
    pub github_secret: SecretSource,
    /// Labels that name the service of an alert, first match wins.
    pub service_labels: Vec<String>,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            listen: String::new(),
            bearer: SecretSource::default(),
            github_secret: SecretSource::default(),
            service_labels: ["service", "service_name", "app", "job"].map(str::to_owned).to_vec(),
        }
    }
}

/// One tailed log file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The file.
    pub path: PathBuf,
    /// The service that writes it; where the lines are JSON and name one, theirs wins.
    pub service: String,
    /// Name on the screen; the file's name where absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// One tailed JSON Lines file of changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeFileSettings {
    /// The file.
    pub path: PathBuf,
    /// Name on the screen; the file's name where absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// Known dependencies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopologySettings {
    /// Pairs of caller and callee.
    pub edges: Vec<(String, String)>,
    /// Discovered edges are forgotten after this long without a call.
    pub forget_after: Option<Span>,
}

/// This machine as a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSettings {
    /// Whether it is watched.
    pub enabled: bool,
    /// Between two readings.
    pub interval: Span,
    /// Where the kernel's figures are; for tests.
    pub proc_root: PathBuf,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self { enabled: true, interval: Span(5 * SECOND_MS), proc_root: PathBuf::from("/proc") }
    }
}

/// How series are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionSettings {
    /// Sigmas from which a value is anomalous.
    pub anomaly_sigma: f64,
    /// Sigmas from which it is critical.
    pub critical_sigma: f64,
    /// Days of history below which static thresholds judge.
    pub history_days_min: f64,
    /// Samples outside the band before an anomaly begins; twice as many where all of them are short of `critical_sigma`.
    pub confirm_samples: u32,
    /// Samples inside the band before it ends.
    pub recover_samples: u32,
}

impl Default for DetectionSettings {
    fn default() -> Self {
        Self { anomaly_sigma: 2.8, critical_sigma: 4.0, history_days_min: 14.0, confirm_samples: 2, recover_samples: 4 }
    }
}

/// An event that is part of normal: while it runs, the series it names are judged by what it usually does to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarEvent {
    /// Its name, shown as the reason.
    pub name: String,
    /// Services it touches; all where empty.
    #[serde(default)]
    pub services: Vec<String>,
    /// Metrics it touches; all where empty.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Start of the day's run in UTC, `HH:MM`.
    pub start: String,
    /// How long it runs.
    pub lasts: Span,
    /// Days of the week, `mon` to `sun`; every day where empty.
    #[serde(default)]
    pub days: Vec<String>,
    /// Only on this date (`YYYY-MM-DD`), for what happens once.
    #[serde(default)]
    pub date: Option<String>,
}

/// How anomalies and alerts become incidents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorrelationSettings {
    /// Symptoms within this time of each other can belong together; 5 to 10 minutes is sensible.
    pub window: Span,
    /// Calls between two services that can still belong together.
    pub hops_max: usize,
    /// Quiet time after which an incident counts as mitigated, and after twice of it as resolved.
    pub quiet_after: Span,
    /// A resolved incident that comes back within this time is reopened.
    pub reopen_within: Span,
    /// Below this confidence the cause is "unresolved".
    pub confidence_floor: f64,
    /// False keeps rules for what never matters in shadow for good: they count what they would hide and hide nothing.
    pub learned_suppression: bool,
}

impl Default for CorrelationSettings {
    fn default() -> Self {
        Self {
            window: Span(7 * MINUTE_MS),
            hops_max: 3,
            quiet_after: Span(3 * MINUTE_MS),
            reopen_within: Span(60 * MINUTE_MS),
            confidence_floor: 0.5,
            learned_suppression: true,
        }
    }
}
