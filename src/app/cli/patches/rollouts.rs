//! `hypo patches plan`, `rollouts`, `approve`, `pause`, `resume`, `stop` and `rollback`. A word from here is recorded in the store;
//! it is carried out by a hypo that runs.

use std::sync::Arc;

use serde::Serialize;

use super::exceptions;
use crate::app::arguments::{
    CommonArguments, PatchesApproveArguments, PatchesPlanArguments, PatchesRolloutArguments, PatchesRolloutsArguments,
};
use crate::app::cli::{Exit, Failure, console, list, output, settings};
use crate::engine::ingest::wall_clock;
use crate::engine::job::Record;
use crate::engine::model::{AuditEntry, AuditKind, RolloutId};
use crate::engine::patches::exceptions::InForce;
use crate::engine::patches::office::Office;
use crate::engine::patches::rollout::need::need_of;
use crate::engine::patches::rollout::{
    KeptRollout, Order, Plan, PlanRules, RolloutRequest, RolloutState, plan as make_plan,
};
use crate::engine::redact::redact;
use crate::engine::snapshot::{AutonomyMode, Snapshot};
use crate::engine::store::{Store, StoreError};
use crate::views::{rollout_words, target_words};

/// `hypo patches plan --json`
#[derive(Serialize)]
struct Planned<'a> {
    plan: &'a Plan,
    /// What an approval is for, line by line.
    lines: Vec<String>,
}

/// `hypo patches rollouts --json`
#[derive(Serialize)]
struct Listing<'a> {
    rollouts: Vec<&'a KeptRollout>,
}

/// `hypo patches approve --json` and the like: what was recorded. A hypo that runs carries it out.
#[derive(Serialize)]
struct Asked<'a> {
    told: Vec<String>,
    rollout: &'a KeptRollout,
}

/// The picture as the store holds it, or as the hypo that holds the store shows it; `None` where nothing was kept yet.
pub(super) fn picture(common: &CommonArguments) -> Result<Option<Arc<Snapshot>>, Failure> {
    if !settings(common)?.paths.state_dir.join("store").exists() {
        return Ok(None);
    }
    list::picture(common).map(Some)
}

/// Shows the plan that would be made now, and keeps nothing.
pub(super) fn plan(common: &CommonArguments, arguments: &PatchesPlanArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let (folder, patches, now) = (&loaded.paths.state_dir, &loaded.settings.engine.patches, wall_clock::now());
    let kept = exceptions::kept(common)?;
    let in_force = InForce::of(kept.iter().map(Arc::as_ref), now);
    let office = Office::load(folder)?;
    if office.fleet.assets().is_empty() {
        return Err(
            "the inventory is empty, so nobody is known to lack a patch; `hypo inventory scan` looks at this host"
                .into(),
        );
    }
    let matched = office.matched();
    let queue = office.queue(&matched, folder, &in_force, &patches.risk, now)?;
    let need = need_of(&arguments.package, &office.fleet, &matched, &queue, &in_force)?;
    let plan = make_plan(&need, &PlanRules::new(patches, &loaded.settings.engine.policy.databases)?, now);
    if arguments.json {
        output::json(&Planned { lines: plan.lines(), plan: &plan })?;
    } else {
        for line in plan.lines() {
            output::line(&line)?;
        }
        output::line(&format!(
            "plan {}; it is only shown. The pane Patches of a running hypo keeps it, to be approved",
            plan.digest
        ))?;
    }
    Ok(if plan.targets.is_empty() { Exit::Found } else { Exit::Done })
}

pub(super) fn list(common: &CommonArguments, arguments: &PatchesRolloutsArguments) -> Result<Exit, Failure> {
    let (picture, now) = (picture(common)?, wall_clock::now());
    let all = picture.iter().flat_map(|picture| &picture.rollouts).map(Arc::as_ref);
    let rollouts: Vec<&KeptRollout> =
        all.filter(|kept| arguments.rollout.is_none_or(|id| kept.rollout.id == id)).collect();
    if let (Some(id), true) = (arguments.rollout, rollouts.is_empty()) {
        return Err(unknown(id));
    }
    if arguments.json {
        output::json(&Listing { rollouts })?;
        return Ok(Exit::Done);
    }
    if rollouts.is_empty() {
        output::line("no patch was rolled out; `r` in the pane Patches plans one")?;
    }
    for kept in rollouts {
        let (rollout, (word, held)) = (&kept.rollout, rollout_words(kept, now));
        let fix = rollout.plan.fix_version.as_deref().unwrap_or("as each release has it");
        let tally = rollout.tally().into_iter().map(|(word, count)| format!("{count} {word}"));
        let tally: Vec<String> = tally.collect();
        output::line(&format!("{} {word}: {} to {fix}; {}", rollout.id, rollout.plan.source, tally.join(", ")))?;
        for text in held.into_iter().chain(kept.incident.map(|incident| format!("{incident} was opened for it"))) {
            output::line(&format!("  {text}"))?;
        }
        if arguments.rollout.is_some() {
            let begun = rollout.plan.order().filter(|_| rollout.state != RolloutState::Proposed);
            for name in begun.map(|target| &target.name) {
                if let Some((word, told)) = target_words(kept, name, now) {
                    output::line(&format!("  {name} {word}: {told}"))?;
                }
            }
            for line in rollout.plan.lines() {
                output::line(&format!("  {line}"))?;
            }
        }
        output::line(&format!("  plan {}", rollout.plan.digest))?;
    }
    Ok(Exit::Done)
}

pub(super) fn approve(common: &CommonArguments, arguments: &PatchesApproveArguments) -> Result<Exit, Failure> {
    let given = arguments.digest.trim().to_ascii_lowercase();
    if given.len() < DIGEST_MIN {
        return Err(format!("--digest {given} is too short; give at least {DIGEST_MIN} digits of the plan's").into());
    }
    ask(common, arguments.rollout, arguments.json, |kept| {
        let whole = &kept.rollout.plan.digest;
        let digest = if whole.starts_with(&given) { whole.clone() } else { given };
        RolloutRequest::Approve { by: String::new(), digest }
    })
}

/// Digits of a digest that name a plan.
const DIGEST_MIN: usize = 12;

pub(super) fn pause(common: &CommonArguments, arguments: &PatchesRolloutArguments) -> Result<Exit, Failure> {
    let reason = arguments.reason.clone();
    ask(common, arguments.rollout, arguments.json, |_| RolloutRequest::Pause { by: String::new(), reason })
}

pub(super) fn resume(common: &CommonArguments, arguments: &PatchesRolloutArguments) -> Result<Exit, Failure> {
    let reason = arguments.reason.clone();
    ask(common, arguments.rollout, arguments.json, |_| RolloutRequest::Resume { by: String::new(), reason })
}

pub(super) fn stop(common: &CommonArguments, arguments: &PatchesRolloutArguments) -> Result<Exit, Failure> {
    let reason = arguments.reason.clone();
    ask(common, arguments.rollout, arguments.json, |_| RolloutRequest::Stop { by: String::new(), reason })
}

pub(super) fn roll_back(common: &CommonArguments, arguments: &PatchesRolloutArguments) -> Result<Exit, Failure> {
    let reason = arguments.reason.clone();
    ask(common, arguments.rollout, arguments.json, |_| RolloutRequest::RollBack { by: String::new(), reason })
}

fn unknown(id: RolloutId) -> Failure {
    format!("{id} is not known here; `hypo patches rollouts` lists those that are").into()
}

/// Asks the rollout itself on the store, which nobody else may hold meanwhile. What it becomes is on disk, with its entry in the
/// audit log, before it is told; nothing is begun from here.
fn ask(
    common: &CommonArguments,
    id: RolloutId,
    is_json: bool,
    request: impl FnOnce(&KeptRollout) -> RolloutRequest,
) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let engine = &loaded.settings.engine;
    if engine.runbooks.observe_only || engine.policy.mode == AutonomyMode::Observe {
        return Err("this hypo only observes; `mode` under [policy] and --readonly decide".into());
    }
    let folder = &loaded.paths.state_dir;
    if !folder.join("store").exists() {
        return Err(unknown(id));
    }
    let store = Store::open(folder).map_err(|problem| match problem {
        StoreError::Held { holder, .. } => Failure::from(format!(
            "{} is held by {holder}: do it there, on the board of {id} in its pane Patches, or end that one first",
            folder.display()
        )),
        other => other.into(),
    })?;
    let stored = store.load()?;
    let (sequence, at) = (stored.next.audit, wall_clock::now());
    let mut kept = stored.rollouts.into_iter().find(|kept| kept.rollout.id == id).ok_or_else(|| unknown(id))?;
    let by = console::operator();
    let mut request = request(&kept).asked_by(&by);
    request.map_reason(|reason| redact(reason).into_owned());
    let (rollout, orders) = kept.rollout.on_request(&request, at)?;
    kept.rollout = rollout;
    let mut records = vec![Record::Rollout(Arc::new(kept.clone()))];
    let mut told = Vec::new();
    for order in orders {
        // Anything else has to be carried out, which is not done from here.
        let Order::Note { text } = order else {
            return Err(format!("{id} has to act on that at once; start hypo and do it in its pane Patches").into());
        };
        told.push(text);
    }
    for (sequence, text) in (sequence..).zip(&told) {
        records.push(Record::Audit(AuditEntry {
            sequence,
            at,
            kind: AuditKind::Operator,
            by: Arc::from(by.as_str()),
            incident: None,
            run: None,
            text: Arc::from(redact(text)),
        }));
    }
    store.write(&records, true)?;
    if is_json {
        output::json(&Asked { told, rollout: &kept })?;
        return Ok(Exit::Done);
    }
    for text in told {
        output::line(&text)?;
    }
    output::line("recorded; it is carried out by a hypo that runs, from its start on")?;
    Ok(Exit::Done)
}
