//! `hypo doctor`: the configuration, the store and every source, tried for real; what is wrong and how to mend it.

mod engine;
mod patching;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use engine::EngineCheck;
use patching::PatchingCheck;

use super::{Exit, Failure, console, output, paths, settings, tokio_runtime};
use crate::app::arguments::{CommonArguments, DoctorArguments};
use crate::app::settings::Loaded;
use crate::engine::deliver::{self, DestinationCheck};
use crate::engine::language_model;
use crate::engine::model::{SourceKind, SourceReport, SourceState};
use crate::engine::runtime::{Runtime, RuntimeConfig};
use crate::engine::settings::{OutboundSettings, StoreSettings};
use crate::engine::snapshot::{FileProblem, Snapshot};
use crate::engine::store::{Store, StoreError, audit_file};

/// What was found.
#[derive(Serialize)]
struct Diagnosis {
    /// The configuration file.
    config: Check,
    /// The store.
    store: Check,
    /// Whether an engine is reached here, and stays.
    engine: Vec<EngineCheck>,
    /// Runbooks, keymaps and themes that cannot be read.
    files: Vec<FileProblem>,
    /// The sources.
    sources: Vec<SourceCheck>,
    /// Who outside is told; nothing is sent.
    destinations: Vec<DestinationFound>,
    /// Whether patches could be found and rolled out as everything is set.
    patching: Vec<PatchingCheck>,
    /// The language model that questions may be put to; nothing is sent.
    model: Check,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    is_fine: bool,
    text: String,
}

/// One source that was asked.
#[derive(Serialize)]
struct SourceCheck {
    name: String,
    kind: SourceKind,
    address: Arc<str>,
    #[serde(flatten)]
    check: Check,
}

/// The settings of one destination.
#[derive(Serialize)]
struct DestinationFound {
    name: &'static str,
    address: Arc<str>,
    #[serde(flatten)]
    check: Check,
}

pub(super) fn run(common: &CommonArguments, arguments: &DoctorArguments) -> Result<Exit, Failure> {
    let diagnosis = diagnose(common, arguments)?;
    let is_fine = diagnosis.config.is_fine
        && diagnosis.store.is_fine
        && diagnosis.engine.iter().all(|engine| engine.check.is_fine)
        && diagnosis.files.is_empty()
        && diagnosis.sources.iter().all(|source| source.check.is_fine)
        && diagnosis.destinations.iter().all(|destination| destination.check.is_fine)
        && diagnosis.patching.iter().all(|patching| patching.check.is_fine)
        && diagnosis.model.is_fine;
    if arguments.json {
        output::json(&diagnosis)?;
    } else {
        print(&diagnosis)?;
    }
    Ok(if is_fine { Exit::Done } else { Exit::Found })
}

fn diagnose(common: &CommonArguments, arguments: &DoctorArguments) -> Result<Diagnosis, Failure> {
    let paths = paths(common)?;
    let loaded = match settings(common) {
        Ok(loaded) => loaded,
        Err(problem) => {
            let config = Check { is_fine: false, text: problem.to_string() };
            return Ok(Diagnosis {
                config,
                store: check_store(&paths.state_dir, &StoreSettings::default()),
                engine: Vec::new(),
                files: Vec::new(),
                sources: Vec::new(),
                destinations: Vec::new(),
                patching: Vec::new(),
                model: Check { is_fine: true, text: "not looked at".to_owned() },
            });
        }
    };
    let path = &loaded.paths.config_file;
    let text = if path.exists() {
        format!("{} is in order", path.display())
    } else {
        format!("no {}: this machine is watched; `hypo config init` writes a commented one", path.display())
    };
    let store = check_store(&paths.state_dir, &loaded.settings.engine.store);
    let picture = try_sources(&loaded, arguments)?;
    let mut files = picture.file_problems.clone();
    files.extend(console::options(&loaded).file_problems);
    Ok(Diagnosis {
        config: Check { is_fine: true, text },
        store,
        engine: engine::check(&loaded)?,
        files,
        sources: picture.sources.iter().map(|report| check_source(report)).collect(),
        destinations: deliver::check(&loaded.settings.engine.outbound).into_iter().map(check_destination).collect(),
        patching: patching::check(&loaded)?,
        model: check_model(&loaded),
    })
}

fn check_store(path: &Path, settings: &StoreSettings) -> Check {
    if !path.exists() {
        return Check { is_fine: true, text: format!("{} will be made at the first start", path.display()) };
    }
    match Store::open(path) {
        Ok(store) => match store.notices().first() {
            Some(notice) => Check { is_fine: false, text: notice.to_string() },
            None => check_size(&store, settings),
        },
        // As it should be while a console is open.
        Err(StoreError::Held { holder, .. }) => check_log(path, format!("{} is in use by {holder}", path.display())),
        Err(problem) => Check { is_fine: false, text: problem.to_string() },
    }
}

fn check_size(store: &Store, settings: &StoreSettings) -> Check {
    let bytes = match store.size_bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Check { is_fine: false, text: problem.to_string() },
    };
    let path = store.path().display();
    let text = format!("{path} opens; {} of {} MiB", bytes >> 20, settings.size_max_mib);
    let log = check_log(store.path(), text);
    match store.is_large(settings) {
        Ok(true) if log.is_fine => {
            let text = format!("{}: what is over goes sooner; raise size_max_mib in [store]", log.text);
            Check { is_fine: false, text }
        }
        Ok(_) => log,
        Err(problem) => Check { is_fine: false, text: problem.to_string() },
    }
}

/// The whole audit log: an opening looks at its newest part only.
fn check_log(path: &Path, text: String) -> Check {
    match audit_file::check(path, &[]) {
        Ok(verdict) => match verdict.findings.first() {
            None => Check { is_fine: true, text },
            Some(finding) => {
                let text = format!("the audit log is not whole: {}; `hypo audit verify` shows all", finding.text);
                Check { is_fine: false, text }
            }
        },
        Err(problem) => Check { is_fine: false, text: format!("the audit log cannot be read: {problem}") },
    }
}

/// Runs every source until each has answered or failed, without a store.
fn try_sources(loaded: &Loaded, arguments: &DoctorArguments) -> Result<Arc<Snapshot>, Failure> {
    let tokio = tokio_runtime()?;
    let _entered = tokio.enter();
    let mut config = RuntimeConfig { state_dir: None, ..console::runtime_config(loaded, tokio.handle()) };
    // What it sees while it looks is told nobody.
    config.settings.outbound = OutboundSettings::default();
    let expected = config.sources.len();
    let mut runtime = Runtime::start(config)?;
    tokio.block_on(runtime.started())?;
    let mut snapshots = runtime.handle().snapshots();
    let wait = Duration::from_millis(arguments.wait.0.unsigned_abs());
    let has_answered = |snapshot: &Arc<Snapshot>| {
        snapshot.sources.len() >= expected
            && snapshot.sources.iter().all(|report| !matches!(report.state, SourceState::Starting))
    };
    let answered = tokio.block_on(async {
        tokio::time::timeout(wait, snapshots.wait_for(has_answered)).await.map(|all| all.map(|picture| picture.clone()))
    });
    // Without an answer from all within the time, what has answered so far is told.
    let picture = match answered {
        Ok(Ok(picture)) => picture,
        _ => runtime.handle().snapshots().borrow().clone(),
    };
    runtime.stop();
    Ok(picture)
}

fn check_source(report: &SourceReport) -> SourceCheck {
    let (is_fine, text) = match &report.state {
        SourceState::Starting => (false, "no answer yet; a longer --wait may show more".to_owned()),
        SourceState::Backfilling { done, total } => (true, format!("answers; history {done} of {total} chunks read")),
        SourceState::Healthy => (true, format!("answers; {} series", report.series_count)),
        SourceState::Degraded { reason } => (false, format!("answers in part: {reason}")),
        SourceState::Down { reason, .. } => (false, reason.to_string()),
    };
    SourceCheck {
        name: report.source.to_string(),
        kind: report.kind,
        address: Arc::clone(&report.address),
        check: Check { is_fine, text },
    }
}

fn check_destination(found: DestinationCheck) -> DestinationFound {
    let check = match found.problem {
        Some(problem) => Check { is_fine: false, text: problem },
        None => Check { is_fine: true, text: "is configured; nothing was sent".to_owned() },
    };
    DestinationFound { name: found.destination.word(), address: found.address, check }
}

fn check_model(loaded: &Loaded) -> Check {
    let settings = &loaded.settings.engine.ask.model;
    let Some(found) = language_model::check(settings) else {
        return Check { is_fine: true, text: "is off: questions are answered here alone".to_owned() };
    };
    match found.problem {
        Some(problem) => Check { is_fine: false, text: problem },
        None => {
            let key = if found.has_key { "its key is there" } else { "no key is configured, so none is sent" };
            let text = format!("{}  {}: {key}; nothing was sent", found.address, settings.reasoning.name);
            Check { is_fine: true, text }
        }
    }
}

fn print(diagnosis: &Diagnosis) -> std::io::Result<()> {
    let mark = |is_fine: bool| if is_fine { "ok     " } else { "WRONG  " };
    output::line(&format!("{}configuration  {}", mark(diagnosis.config.is_fine), diagnosis.config.text))?;
    output::line(&format!("{}store          {}", mark(diagnosis.store.is_fine), diagnosis.store.text))?;
    for EngineCheck { subject, check } in &diagnosis.engine {
        output::line(&format!("{}{subject:<14} {}", mark(check.is_fine), check.text))?;
    }
    for problem in &diagnosis.files {
        output::line(&format!("{}file           {}:{}: {}", mark(false), problem.file, problem.line, problem.text))?;
    }
    for source in &diagnosis.sources {
        let check = &source.check;
        output::line(&format!("{}{:<14} {}  {}", mark(check.is_fine), source.name, source.address, check.text))?;
    }
    for destination in &diagnosis.destinations {
        let DestinationFound { name, address, check } = destination;
        output::line(&format!("{}{name:<14} {address}  {}", mark(check.is_fine), check.text))?;
    }
    for PatchingCheck { subject, check } in &diagnosis.patching {
        output::line(&format!("{}patching       {subject}: {}", mark(check.is_fine), check.text))?;
    }
    let model = &diagnosis.model;
    output::line(&format!("{}model          {}", mark(model.is_fine), model.text))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::job::Record;
    use crate::engine::model::{AuditEntry, AuditKind};

    #[test]
    fn a_large_store_does_not_hide_a_log_that_is_not_whole() {
        let mode = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(mode).tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (kind, by, text) = (AuditKind::Intent, Arc::from("ana"), Arc::from("$ restart"));
        let entry = AuditEntry { sequence: 1, at: Timestamp(7), kind, by, incident: None, run: None, text };
        store.write(&[Record::Audit(entry), Record::Templates(vec![7; 2 << 20])], true).unwrap();
        let settings = StoreSettings { size_max_mib: 1, ..StoreSettings::default() };
        let check = check_size(&store, &settings);
        assert!(!check.is_fine && check.text.contains("raise size_max_mib"), "{}", check.text);
        let log = folder.path().join(audit_file::LOG_FILE);
        std::fs::write(&log, std::fs::read_to_string(&log).unwrap().replace("restart", "reboot")).unwrap();
        let check = check_size(&store, &settings);
        assert!(!check.is_fine && check.text.contains("the audit log is not whole"), "{}", check.text);
    }
}
