//! Hand-written worlds for the tests of correlation and root cause. Times are in seconds.

use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{
    Alert, AlertNotice, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Band, Change, ChangeContent,
    ChangeId, ChangeKind, ChangeNotice, DetectionMethod, Direction, EdgeNotice, EdgeOrigin, Fingerprint, Incident,
    IncidentId, IncidentSeverity, Labels, SeriesRole, ServiceName, Severity, Unit,
};
use crate::engine::world::World;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000)
}

fn series_fnv(parts: &[&str]) -> Fingerprint {
    let mut hash = Fnv1a::new();
    parts.iter().for_each(|part| hash.part(part));
    Fingerprint(hash.0)
}

/// A firing alert.
pub(crate) fn alert_notice(name: &str, service: Option<&str>, severity: Severity, starts: i64) -> AlertNotice {
    AlertNotice {
        source: "alertmanager".into(),
        fingerprint: series_fnv(&[name, service.unwrap_or("")]),
        name: name.into(),
        service: service.map(Into::into),
        severity,
        state: AlertState::Firing,
        starts_at: at(starts),
        ends_at: None,
        muted_by: None,
        summary: "".into(),
        generator_url: "".into(),
        labels: Labels::default(),
    }
}

/// A change that took effect.
pub(crate) fn change_notice(kind: ChangeKind, service: Option<&str>, title: &str, when: i64) -> ChangeNotice {
    ChangeNotice {
        source: "changes".into(),
        external_id: title.into(),
        kind,
        service: service.map(Into::into),
        title: title.into(),
        version: Some("abc123".into()),
        author: None,
        url: None,
        at: at(when),
        finished_at: None,
        has_taken_effect: true,
        content: None,
    }
}

/// A critical, harmful, active anomaly; 10 sigma above.
pub(crate) fn anomaly(id: u64, service: &str, metric: &str, role: SeriesRole, starts: i64) -> Anomaly {
    Anomaly {
        id: AnomalyId(id),
        fingerprint: series_fnv(&[service, metric]),
        kind: AnomalyKind::Deviation,
        service: service.into(),
        instance: None,
        metric: metric.into(),
        unit: if role == SeriesRole::Latency { Unit::Seconds } else { Unit::Ratio },
        role,
        template: None,
        direction: Direction::Above,
        is_harmful: true,
        severity: Severity::Critical,
        state: AnomalyState::Active,
        value: 0.61,
        peak_value: 0.61,
        expected: Band { low: 0.0, centre: 0.002, high: 0.01 },
        deviation_sigma: 10.0,
        peak_sigma: 10.0,
        method: DetectionMethod::SeasonalZ,
        history_days: 21.0,
        started_at: at(starts),
        last_seen_at: at(starts + 30),
        ended_at: None,
        repeat_count: 3,
        incident: None,
        suppressed: None,
        recent: Vec::new(),
        forecast: None,
        at_onset: Vec::new(),
        promise: None,
        contradictions: Vec::new(),
    }
}

/// An open incident on one service, `at` in milliseconds.
pub(crate) fn incident(id: u64, service: &str, at: i64) -> Incident {
    let at = Timestamp(at);
    Incident {
        title: "a failure".into(),
        severity: IncidentSeverity::Sev2,
        services: [(ServiceName::new(service), at)].into(),
        ..Incident::opened(IncidentId(id), at, at)
    }
}

/// Builds a world.
#[derive(Default)]
pub(crate) struct Build {
    world: World,
}

impl Build {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn calls(mut self, caller: &str, callee: &str) -> Self {
        Arc::make_mut(&mut self.world.topology).observe(&EdgeNotice {
            source: "configuration".into(),
            caller: caller.into(),
            callee: callee.into(),
            origin: EdgeOrigin::Configured,
            seen_at: at(0),
        });
        self
    }

    /// `a > b > c` is a chain of calls.
    pub(crate) fn chain(self, text: &str) -> Self {
        let names: Vec<&str> = text.split(" > ").collect();
        names.windows(2).fold(self, |build, pair| build.calls(pair[0], pair[1]))
    }

    pub(crate) fn change(mut self, id: u64, kind: ChangeKind, service: Option<&str>, when: i64) -> Self {
        let title = format!("change {id} to {}", service.unwrap_or("the network"));
        let change = Change { id: ChangeId(id), notice: change_notice(kind, service, &title, when) };
        self.world.changes.insert(change.id, Arc::new(change));
        self
    }

    /// What a change that is known already changes.
    pub(crate) fn content(mut self, id: u64, files: &[&str], diff: &str) -> Self {
        let change = self.world.changes.get_mut(&ChangeId(id)).map(Arc::make_mut);
        let files = files.iter().map(|file| Arc::from(*file)).collect();
        change.unwrap().notice.content = Some(Arc::new(ChangeContent { files, diff: diff.into() }));
        self
    }

    pub(crate) fn anomaly(mut self, anomaly: Anomaly) -> Self {
        self.world.anomalies.insert(anomaly.id, Arc::new(anomaly));
        self
    }

    /// A critical anomaly of errors.
    pub(crate) fn errors(self, id: u64, service: &str, starts: i64) -> Self {
        self.anomaly(anomaly(id, service, "error_ratio", SeriesRole::Errors, starts))
    }

    /// A critical anomaly of latency.
    pub(crate) fn latency(self, id: u64, service: &str, starts: i64) -> Self {
        self.anomaly(anomaly(id, service, "latency_p95", SeriesRole::Latency, starts))
    }

    /// A critical anomaly of a resource.
    pub(crate) fn saturation(self, id: u64, service: &str, metric: &str, starts: i64) -> Self {
        let mut full = anomaly(id, service, metric, SeriesRole::Saturation, starts);
        full.peak_value = 0.98;
        self.anomaly(full)
    }

    /// A new log template.
    pub(crate) fn logs(self, id: u64, service: &str, text: &str, starts: i64) -> Self {
        let mut line = anomaly(id, service, "log template", SeriesRole::Other, starts);
        line.kind = AnomalyKind::NewTemplate;
        line.severity = Severity::Warning;
        line.template = Some((crate::engine::model::TemplateId(id), text.into()));
        line.fingerprint = series_fnv(&[service, text]);
        self.anomaly(line)
    }

    pub(crate) fn alert(mut self, notice: &AlertNotice) -> Self {
        let alert = Alert {
            notice: notice.clone(),
            told_by: [notice.source.clone()].into(),
            firing_by: [notice.source.clone()].into(),
            repeat_count: 1,
            first_seen_at: notice.starts_at,
            last_seen_at: notice.starts_at,
            incident: None,
            suppressed: None,
        };
        self.world.alerts.insert(notice.fingerprint, Arc::new(alert));
        self
    }

    pub(crate) fn world(self) -> World {
        self.world
    }
}
