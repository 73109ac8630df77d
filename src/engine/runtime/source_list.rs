//! From the settings to the sources they name.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::engine::clock::Timestamp;
use crate::engine::ingest::alertmanager::AlertmanagerSource;
use crate::engine::ingest::alertmanager::bell::PollBell;
use crate::engine::ingest::change_file::ChangeFileSource;
use crate::engine::ingest::configured_topology::{self, ConfiguredTopology};
use crate::engine::ingest::host::HostSource;
use crate::engine::ingest::log_file::LogFileSource;
use crate::engine::ingest::prometheus::PrometheusSource;
use crate::engine::ingest::receiver::ReceiverSource;
use crate::engine::ingest::tail::TailPosition;
use crate::engine::ingest::{IngestError, Source};
use crate::engine::model::{SourceKind, SourceName};
use crate::engine::settings::{
    AlertmanagerSettings, ChangeFileSettings, EngineSettings, LogSettings, PrometheusSettings,
};

/// The name of the webhook receiver.
const WEBHOOK: &str = "webhook";

/// A source that can be made, and made again after a failure.
pub struct SourceSpec {
    /// Its name, unique among sources.
    pub name: SourceName,
    /// What it reads.
    pub kind: SourceKind,
    /// Where, for people.
    pub address: Arc<str>,
    /// Makes it.
    pub make: MakeSource,
}

/// What an earlier life of the program left a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resume {
    /// Everything before this instant has been read as history.
    pub backfilled_until: Option<Timestamp>,
    /// How far it has read, as it said itself: its file, or of which queries history is known.
    pub position: Option<Arc<str>>,
}

/// Makes a source; given what an earlier life left it.
pub type MakeSource = Box<dyn Fn(&Resume) -> Result<Box<dyn Source>, IngestError> + Send>;

/// Every source that the settings name, in the order of the settings. Sources of the same name get a number, because
/// series and cursors are kept by source.
#[must_use]
pub fn from_settings(settings: &EngineSettings) -> Vec<SourceSpec> {
    let mut list = List::default();
    for server in settings.prometheus.clone() {
        let (name, url) = (server.name.clone(), server.url.clone());
        list.add(&name, SourceKind::Prometheus, &url, move |name, resume| {
            let settings = PrometheusSettings { name, ..server.clone() };
            Ok(Box::new(PrometheusSource::new(settings, resume.backfilled_until, resume.position.as_deref())?))
        });
    }
    let bell = PollBell::default();
    for server in settings.alertmanager.clone() {
        let (name, url, bell) = (server.name.clone(), server.url.clone(), bell.clone());
        list.add(&name, SourceKind::Alertmanager, &url, move |name, _| {
            let settings = AlertmanagerSettings { name, ..server.clone() };
            Ok(Box::new(AlertmanagerSource::new(&settings)?.hearing(&bell)))
        });
    }
    if !settings.receiver.listen.trim().is_empty() {
        let receiver = settings.receiver.clone();
        let address = receiver.listen.clone();
        list.add(WEBHOOK, SourceKind::Webhook, &address, move |_, _| match ReceiverSource::new(&receiver)? {
            Some(source) => Ok(Box::new(source.ringing(&bell))),
            None => Err(IngestError::Setting {
                name: WEBHOOK.to_owned(),
                key: "receiver.listen",
                problem: "it names no address; write one such as 127.0.0.1:9911".to_owned(),
            }),
        });
    }
    add_files(settings, &mut list);
    if settings.host.enabled {
        let host = settings.host.clone();
        list.add("host", SourceKind::Host, "this machine", move |_, _| Ok(Box::new(HostSource::new(&host))));
    }
    if !settings.topology.edges.is_empty() {
        let topology = settings.topology.clone();
        list.add(configured_topology::NAME, SourceKind::Configuration, "[topology]", move |_, _| {
            Ok(Box::new(ConfiguredTopology::new(&topology)?))
        });
    }
    list.specs
}

fn add_files(settings: &EngineSettings, list: &mut List) {
    for file in settings.log.clone() {
        let name = file.name.clone().unwrap_or_else(|| file_name(&file.path));
        let path = file.path.display().to_string();
        let place = Place::default();
        list.add(&name, SourceKind::LogFile, &path, move |name, resume| {
            let settings = LogSettings { name: Some(name), ..file.clone() };
            let source = LogFileSource::new(&settings, place.last(resume))?;
            place.follow(source.positions());
            Ok(Box::new(source))
        });
    }
    for file in settings.change_file.clone() {
        let name = file.name.clone().unwrap_or_else(|| file_name(&file.path));
        let path = file.path.display().to_string();
        let place = Place::default();
        list.add(&name, SourceKind::ChangeFile, &path, move |name, resume| {
            let settings = ChangeFileSettings { name: Some(name), ..file.clone() };
            let source = ChangeFileSource::new(&settings, place.last(resume));
            place.follow(source.positions());
            Ok(Box::new(source))
        });
    }
}

/// Where a followed file has been read up to, over restarts of its source within one life of the program.
#[derive(Default)]
struct Place(Mutex<Option<watch::Receiver<Option<TailPosition>>>>);

impl Place {
    /// Where the source before this one came to; for the first one, what the earlier life left.
    fn last(&self, resume: &Resume) -> Option<TailPosition> {
        let positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = positions.as_ref().and_then(|positions| *positions.borrow());
        reached.or_else(|| resume.position.as_deref().and_then(TailPosition::from_text))
    }

    fn follow(&self, positions: watch::Receiver<Option<TailPosition>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(positions);
    }
}

#[derive(Default)]
struct List {
    specs: Vec<SourceSpec>,
}

impl List {
    fn add(
        &mut self,
        wanted: &str,
        kind: SourceKind,
        address: &str,
        make: impl Fn(String, &Resume) -> Result<Box<dyn Source>, IngestError> + Send + 'static,
    ) {
        let name = self.free_name(wanted);
        let given = name.clone();
        self.specs.push(SourceSpec {
            name: SourceName::new(&name),
            kind,
            address: Arc::from(address),
            make: Box::new(move |resume| make(given.clone(), resume)),
        });
    }

    fn free_name(&self, wanted: &str) -> String {
        let is_free = |name: &str| self.specs.iter().all(|spec| spec.name.as_str() != name);
        if is_free(wanted) {
            return wanted.to_owned();
        }
        let mut number = 2;
        loop {
            let name = format!("{wanted}-{number}");
            if is_free(&name) {
                return name;
            }
            number += 1;
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_configuration_this_machine_is_watched() {
        let specs = from_settings(&EngineSettings::default());
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["host"]);
    }

    #[test]
    fn sources_of_the_same_name_are_told_apart() {
        let settings =
            EngineSettings { prometheus: vec![PrometheusSettings::default(); 3], ..EngineSettings::default() };
        let names: Vec<String> = from_settings(&settings).iter().map(|spec| spec.name.to_string()).collect();
        assert_eq!(names, ["prometheus", "prometheus-2", "prometheus-3", "host"]);
    }
}
