//! A log file as a source: every line that is written to it becomes a [`LogLine`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use super::tail::{Tail, TailPosition, TakenLine, follow};
use super::{Health, IngestError, SignalSink, Source, StopSignal, log_line, normalize};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{LABEL_VALUE_BYTES_MAX, LOG_LINE_BYTES_MAX};
use crate::engine::model::{LogLine, ServiceName, Signal, SourceKind, SourceName};
use crate::engine::redact::LineRedactor;
use crate::engine::settings::LogSettings;

/// A followed log file.
#[derive(Debug)]
pub struct LogFileSource {
    name: SourceName,
    service: ServiceName,
    tail: Tail,
    health: Health,
    positions: watch::Sender<Option<TailPosition>>,
}

impl LogFileSource {
    /// Follows the file of `settings`, from `kept` where that is given.
    ///
    /// # Errors
    /// When the service is empty: every line has to be somebody's.
    pub fn new(settings: &LogSettings, kept: Option<TailPosition>) -> Result<Self, IngestError> {
        let address = settings.path.display().to_string();
        let file_name =
            settings.path.file_name().map_or_else(|| address.clone(), |name| name.to_string_lossy().into_owned());
        let name = settings.name.clone().unwrap_or(file_name);
        let service = normalize::sanitize(settings.service.trim(), LABEL_VALUE_BYTES_MAX);
        if service.is_empty() {
            let problem = "name the service that writes the file, such as service = \"checkout\"".to_owned();
            return Err(IngestError::Setting { name, key: "service", problem });
        }
        let name = SourceName::from(normalize::sanitize(&name, LABEL_VALUE_BYTES_MAX));
        Ok(Self {
            health: Health::new(name.clone(), SourceKind::LogFile, &address),
            tail: Tail::new(&settings.path, kept),
            service: service.into(),
            positions: watch::Sender::new(kept),
            name,
        })
    }

    /// How far the file has been read, for a restart that goes on from there.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<Option<TailPosition>> {
        self.positions.subscribe()
    }
}

impl Source for LogFileSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Self { name, service, tail, health, positions } = *self;
        let mut redactor = LineRedactor::default();
        let read_line = move |raw: &[u8], now| {
            let is_key = redactor.hides(&String::from_utf8_lossy(raw));
            take(if is_key { b"(a line of a private key)" } else { raw }, &name, &service, now)
        };
        Box::pin(follow(tail, health, sink, stop, positions, read_line))
    }
}

fn take(raw: &[u8], source: &SourceName, service: &ServiceName, now: Timestamp) -> TakenLine {
    let parsed = log_line::parse(raw, now);
    let message = match &parsed.program {
        // Which program spoke is part of what a person reads; it is one word of the template.
        Some(program) => normalize::sanitize(&format!("{program}: {}", parsed.message), LOG_LINE_BYTES_MAX),
        None => Arc::clone(&parsed.message),
    };
    let line = LogLine {
        source: source.clone(),
        service: parsed.service.unwrap_or_else(|| service.clone()),
        at: parsed.at,
        level: parsed.level,
        message,
    };
    TakenLine { signal: Some(Signal::Log(line)), set_aside: parsed.set_aside, problem: None }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::engine::model::{LogLevel, SourceState};

    #[tokio::test]
    async fn lines_arrive_and_a_missing_file_is_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let settings = LogSettings { path: path.clone(), service: "cart".to_owned(), name: None };
        let source = LogFileSource::new(&settings, None).unwrap();
        assert_eq!(source.name().as_str(), "app.log");
        let positions = source.positions();
        let (sink, mut signals) = SignalSink::bounded(8);
        let (switch, stop) = StopSignal::pair();
        let running = tokio::spawn(Box::new(source).run(sink, stop));

        let Some(Signal::Source(report)) = signals.recv().await else { panic!() };
        assert!(matches!(report.state, SourceState::Degraded { .. }), "{report:?}");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(
            b"Nov 21 14:31:45 web1 app[4]: refused\n{\"msg\":\"m\",\"level\":\"error\",\"service\":\"own\"}\n",
        )
        .unwrap();
        let mut lines = Vec::new();
        while lines.len() < 2 {
            if let Some(Signal::Log(line)) = signals.recv().await {
                lines.push(line);
            }
        }
        assert_eq!((lines[0].service.as_str(), &*lines[0].message), ("cart", "app: refused"));
        assert_eq!((lines[1].service.as_str(), lines[1].level), ("own", LogLevel::Error));
        loop {
            if let Some(Signal::Source(report)) = signals.recv().await
                && report.state == SourceState::Healthy
                && report.accepted_count == 2
            {
                break;
            }
        }
        assert_eq!(positions.borrow().unwrap().offset, std::fs::metadata(&path).unwrap().len());
        switch.stop();
        running.await.unwrap();
    }

    #[test]
    fn a_file_without_a_service_is_refused() {
        let settings = LogSettings { path: "/x.log".into(), service: " ".to_owned(), name: None };
        assert!(LogFileSource::new(&settings, None).unwrap_err().to_string().contains("name the service"));
    }
}
