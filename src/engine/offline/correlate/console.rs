//! A storm as the console meets it: every alert when it comes, through the whole engine, second by second; its groups are
//! the incidents that the engine made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::read::{Change, Platform, StormError, read_beside};
use super::{ALERTS_FILE, Groups};
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::ingest::alertmanager::notice;
use crate::engine::input::Input;
use crate::engine::job::{Job, Record};
use crate::engine::model::{
    AlertNotice, AlertState, ChangeKind, ChangeNotice, EdgeNotice, EdgeOrigin, Fingerprint, Incident, IncidentId,
    Signal,
};
use crate::engine::pipeline::Engine;
use crate::engine::runbooks::Library;
use crate::engine::settings::{AlertmanagerSettings, EngineSettings};

/// For so long after the last alert the engine may change its mind.
const SETTLES_MS: i64 = 30 * MINUTE_MS;

/// Groups the storm in `folder` as the console does, with the settings it comes with. Lines that are no alerts are in no
/// group and counted.
///
/// # Errors
/// When a file cannot be read.
pub fn as_console(folder: &Path) -> Result<Groups, StormError> {
    let path = folder.join(ALERTS_FILE);
    let alerts = fs::read_to_string(&path).map_err(|source| StormError::Read { path, source })?;
    let platform: Platform = read_beside(&folder.join("topology.json"))?.unwrap_or_default();
    let changes: Vec<Change> = read_beside(&folder.join("changes.json"))?.unwrap_or_default();
    let told = told(&alerts);
    let changes: Vec<ChangeNotice> = changes.iter().filter_map(change_notice).collect();
    let first = told.iter().map(|told| told.at).chain(changes.iter().map(|change| change.at)).min().unwrap_or_default();
    let started = Instant::now();
    let mut play = Play::new(alerts.lines().count(), first)?;
    play.see_platform(&platform);
    let mut changes = changes.into_iter().peekable();
    for Told { line, at, notice } in told {
        while let Some(change) = changes.next_if(|change| change.at <= at) {
            play.wait_until(change.at);
            play.hand(Signal::Change(change));
        }
        play.wait_until(at);
        play.tell(line, notice);
    }
    play.wait_until(Timestamp(play.now.0 + SETTLES_MS));
    Ok(play.finish(started))
}

/// A line and when it reaches the console.
struct Told {
    line: usize,
    at: Timestamp,
    notice: AlertNotice,
}

/// What the lines say, none before the one above it.
fn told(alerts: &str) -> Vec<Told> {
    let labels = AlertmanagerSettings::default().service_labels;
    let mut latest = Timestamp(i64::MIN);
    let lines = alerts.lines().enumerate().filter_map(|(line, text)| {
        let value: Value = serde_json::from_str(text).ok()?;
        let time = |key: &str| value.get(key)?.as_str().and_then(|text| Timestamp::parse_rfc3339(text).ok());
        let began = time("startsAt")?;
        let is_resolved = value.get("status").and_then(Value::as_str) == Some("resolved");
        let at = time("endsAt").filter(|ended| is_resolved && *ended > began).unwrap_or(began);
        let taken = notice::read(value, &"alerts".into(), &labels, at).ok()?;
        latest = latest.max(at);
        Some(Told { line, at: latest, notice: taken.notice })
    });
    lines.collect()
}

fn change_notice(change: &Change) -> Option<ChangeNotice> {
    let at = Timestamp::parse_rfc3339(&change.ts).ok()?;
    let kind = match change.kind.as_str() {
        "deploy" => ChangeKind::Deploy,
        "flag" => ChangeKind::Flag,
        "scale" => ChangeKind::Scale,
        _ => ChangeKind::Config,
    };
    Some(ChangeNotice {
        source: "changes".into(),
        external_id: format!("{} {}", change.title, change.ts).into(),
        kind,
        service: change.service.as_deref().map(Into::into),
        title: change.title.as_str().into(),
        version: None,
        author: None,
        url: None,
        at,
        finished_at: None,
        has_taken_effect: true,
        content: None,
    })
}

/// The engine at work, and what it has said of each alert so far.
struct Play {
    engine: Engine,
    now: Timestamp,
    /// The incident of each alert as it stands.
    incidents: BTreeMap<Fingerprint, IncidentId>,
    merged: BTreeMap<IncidentId, IncidentId>,
    causes: BTreeMap<IncidentId, String>,
    /// Lines of each alert since it last began to fire.
    open: BTreeMap<Fingerprint, Vec<usize>>,
    groups: Vec<Option<IncidentId>>,
    left_out: usize,
}

impl Play {
    fn new(lines: usize, now: Timestamp) -> Result<Self, StormError> {
        Ok(Self {
            engine: Engine::new(EngineSettings::default(), Library::shipped())?,
            now,
            incidents: BTreeMap::new(),
            merged: BTreeMap::new(),
            causes: BTreeMap::new(),
            open: BTreeMap::new(),
            groups: vec![None; lines],
            left_out: lines,
        })
    }

    fn see_platform(&mut self, platform: &Platform) {
        for edge in &platform.edges {
            self.hand(Signal::Edge(EdgeNotice {
                source: "topology".into(),
                caller: edge.caller.as_str().into(),
                callee: edge.callee.as_str().into(),
                origin: EdgeOrigin::Configured,
                seen_at: self.now,
            }));
        }
    }

    fn hand(&mut self, signal: Signal) {
        let jobs = self.engine.handle(Input::Signal(signal), self.now);
        self.look(jobs);
    }

    /// Lets every second until then pass.
    fn wait_until(&mut self, until: Timestamp) {
        while self.now.0 + SECOND_MS <= until.0 {
            self.now = Timestamp(self.now.0 + SECOND_MS);
            let jobs = self.engine.handle(Input::Tick, self.now);
            self.look(jobs);
        }
    }

    fn look(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let (Job::Persist(records) | Job::PersistLater(records)) = job else { continue };
            for record in records {
                match record {
                    Record::Alert(alert) => match alert.incident {
                        Some(id) => {
                            self.incidents.insert(alert.notice.fingerprint, id);
                        }
                        None => {
                            self.incidents.remove(&alert.notice.fingerprint);
                        }
                    },
                    Record::Incident(incident) => self.note(&incident),
                    _ => {}
                }
            }
        }
    }

    fn note(&mut self, incident: &Incident) {
        if let Some(into) = incident.merged_into {
            self.merged.insert(incident.id, into);
        }
        if let Some(first) = incident.ranking.hypotheses.first() {
            self.causes.insert(incident.id, first.service.to_string());
        }
    }

    fn tell(&mut self, line: usize, notice: AlertNotice) {
        let id = notice.fingerprint;
        // What it was a part of until now stays the answer for the lines of its last time.
        if notice.state == AlertState::Firing {
            self.settle(id);
        }
        self.open.entry(id).or_default().push(line);
        self.left_out -= 1;
        self.hand(Signal::Alert(notice));
    }

    fn settle(&mut self, id: Fingerprint) {
        let incident = self.incidents.get(&id).copied();
        for line in self.open.remove(&id).unwrap_or_default() {
            self.groups[line] = incident;
        }
    }

    fn finish(mut self, started: Instant) -> Groups {
        let open: Vec<Fingerprint> = self.open.keys().copied().collect();
        open.into_iter().for_each(|id| self.settle(id));
        let whole = |mut id: IncidentId| {
            while let Some(into) = self.merged.get(&id) {
                id = *into;
            }
            u32::try_from(id.0).unwrap_or(u32::MAX)
        };
        let groups: Vec<Option<u32>> = self.groups.iter().map(|id| id.map(whole)).collect();
        let roots = self.causes.iter().map(|(id, service)| (whole(*id), service.clone()));
        let aside = groups.iter().filter(|group| group.is_none()).count() - self.left_out;
        Groups {
            roots: roots.collect(),
            set_aside: [("in no incident", aside), ("no alert", self.left_out)].into(),
            over_count: 0,
            wall_ms: started.elapsed().as_secs_f64() * 1e3,
            groups,
        }
    }
}
