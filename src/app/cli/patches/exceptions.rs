//! `hypo patches defer`, `accept`, `withdraw` and `exceptions`: what may wait, until when, and who answers for it.

use crate::engine::model::Person;
use std::sync::Arc;

use serde::Serialize;

use crate::app::arguments::{
    CommonArguments, PatchesExceptArguments, PatchesExceptionsArguments, PatchesWithdrawArguments,
};
use crate::app::cli::{Exit, Failure, console, list, output, settings};
use crate::engine::ingest::wall_clock;
use crate::engine::input::{Input, RequestId};
use crate::engine::job::{Job, Record};
use crate::engine::patches::exceptions::{
    EXPLOITED_WORD, ExceptionKind, ExceptionWish, InForce, PatchException, Reach,
};
use crate::engine::patches::office::Office;
use crate::engine::patches::picture::{Made, made};
use crate::engine::pipeline::Engine;
use crate::engine::request::{Reply, Request};
use crate::engine::runbooks::Library;
use crate::engine::store::{Store, StoreError};

/// `hypo patches exceptions --json`
#[derive(Serialize)]
struct Listing<'a> {
    exceptions: Vec<&'a PatchException>,
}

/// The exceptions as the store holds them, or as the hypo that holds the store shows them; none where nothing was kept yet.
pub(super) fn kept(common: &CommonArguments) -> Result<Vec<Arc<PatchException>>, Failure> {
    if !settings(common)?.paths.state_dir.join("store").exists() {
        return Ok(Vec::new());
    }
    Ok(list::picture(common)?.patch_exceptions.clone())
}

pub(super) fn list(common: &CommonArguments, arguments: &PatchesExceptionsArguments) -> Result<Exit, Failure> {
    let (kept, now) = (kept(common)?, wall_clock::now());
    let wanted = kept.iter().map(Arc::as_ref).filter(|exception| arguments.all || exception.is_in_force(now));
    let exceptions: Vec<&PatchException> = wanted.collect();
    if arguments.json {
        output::json(&Listing { exceptions })?;
        return Ok(Exit::Done);
    }
    for exception in &exceptions {
        let over = match &exception.withdrawn {
            Some(withdrawn) => format!("; withdrawn by {}: {}", withdrawn.by, withdrawn.reason),
            None if exception.is_in_force(now) => String::new(),
            None => "; over".to_owned(),
        };
        output::line(&format!("{exception}{over}"))?;
    }
    if exceptions.is_empty() {
        output::line("nothing is deferred or accepted")?;
    }
    Ok(Exit::Done)
}

pub(super) fn except(
    common: &CommonArguments,
    kind: ExceptionKind,
    arguments: &PatchesExceptArguments,
) -> Result<Exit, Failure> {
    if arguments.although.as_ref().is_some_and(|word| word != EXPLOITED_WORD) {
        return Err(format!("--although takes the word {EXPLOITED_WORD} and no other").into());
    }
    let reach = match (&arguments.asset, &arguments.ring) {
        (Some(name), _) => Reach::Asset(Arc::from(name.as_str())),
        (None, Some(name)) => Reach::Ring(Arc::from(name.as_str())),
        (None, None) => Reach::Everywhere,
    };
    let wish = ExceptionWish {
        kind,
        subject: arguments.subject.clone(),
        reach,
        until: Arc::from(arguments.until.as_str()),
        owner: Arc::from(arguments.owner.as_str()),
        reason: Arc::from(arguments.reason.as_str()),
        is_exploited_typed: arguments.although.is_some(),
    };
    ask(common, Request::ExceptPatch(Box::new(wish)))
}

pub(super) fn withdraw(common: &CommonArguments, arguments: &PatchesWithdrawArguments) -> Result<Exit, Failure> {
    let reason = Arc::from(arguments.reason.as_str());
    ask(common, Request::WithdrawException { exception: arguments.exception, reason })
}

/// Asks the engine's core on the store itself, which nobody else may hold meanwhile. What it wants kept is on disk before it is
/// told; what else the store holds is not touched.
fn ask(common: &CommonArguments, request: Request) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    if loaded.settings.console.read_only {
        return Err("nothing is changed with --readonly; leave it out, or `read_only` under [console]".into());
    }
    let folder = &loaded.paths.state_dir;
    let store = Store::open(folder).map_err(|problem| match problem {
        StoreError::Held { holder, .. } => Failure::from(format!(
            "{} is held by {holder}: do it there, in its pane Patches, or end that one first",
            folder.display()
        )),
        other => other.into(),
    })?;
    let stored = store.load()?;
    let (next, now) = (stored.next, wall_clock::now());
    let mut engine = Engine::new(loaded.settings.engine.clone(), Library::shipped())?;
    let exceptions: Vec<PatchException> = stored.exceptions.clone();
    // Nothing but exceptions is looked at, so nothing else can follow from it.
    engine.restore(exceptions.iter().cloned().map(Record::PatchException), now);
    engine.number_from(next);
    let office = Office::load(folder)?;
    let matched = office.matched();
    let risk = &loaded.settings.engine.patches.risk;
    let queue = office.queue(&matched, folder, &InForce::of(&exceptions, now), risk, now)?;
    let (fleet, knowledge) = (&office.fleet, &office.knowledge);
    let found = made(&Made { fleet, knowledge, matched: &matched, queue: &queue, feeds: &[], settings: risk }, now);
    engine.handle(Input::Patches(Arc::new(found)), now);
    let request = Input::Request { id: RequestId(1), by: Person::admin(&console::operator()), request };
    let mut answer = Err("the engine gave no answer; this is a bug worth reporting".to_owned());
    for job in engine.handle(request, now) {
        match job {
            Job::Persist(records) => store.write(&records, true)?,
            Job::Reply { reply: Reply::Done { text }, .. } => answer = Ok(text),
            Job::Reply { reply: Reply::Refused { reason }, .. } => answer = Err(reason.to_string()),
            _ => {}
        }
    }
    output::line(&answer?)?;
    Ok(Exit::Done)
}
