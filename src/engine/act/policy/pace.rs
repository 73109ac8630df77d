//! How fast acts may follow one another by themselves: a target cools down after each act on it, and there are only so many
//! an hour over all incidents. Both are read off the runs, which are on disk, so a restart forgets neither.

use super::Gate;
use super::history::overlap;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::model::{Run, RunId, RunStep, StepSpec};

/// A target that is left alone for a while by what begins by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoolDown {
    /// Until when.
    pub until: Timestamp,
    /// Which run acted on it last.
    pub run: RunId,
}

/// The cool-down of what the step touches, by the last act on it of another run or another step; `None` where it is over. What a
/// rollout has just patched cools down like anything else that was acted on; a rollout itself does not wait for it.
#[must_use]
pub fn cool_down(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<CoolDown> {
    let others = gate.runs.values().filter(|other| other.id != run.id).map(AsRef::as_ref);
    let acts = others.chain([run]).flat_map(|other| other.steps.iter().map(move |step| (other.id, step)));
    let is_other = |of: RunId, step: &RunStep| of != run.id || step.bound.spec.name != spec.name;
    let on_it = acts.filter(|(of, step)| is_other(*of, step) && overlap(&step.bound.spec.touches, &spec.touches));
    let last = on_it.flat_map(|(of, step)| step.acts_done().map(move |begun| (begun.at, of))).max()?;
    let until = last.0 + gate.policy.cooldown.0;
    (gate.now < until).then_some(CoolDown { until, run: last.1 })
}

/// Acts that began by themselves within the last hour, for any incident. Those of rollouts are not among them: a person approved
/// their plan, whose batches and failures bound them.
#[must_use]
pub fn acts_by_itself<'a>(runs: impl Iterator<Item = &'a Run>, now: Timestamp) -> usize {
    let of_incidents = runs.filter(|run| run.incident().is_some());
    let begun = of_incidents.flat_map(|run| &run.steps).flat_map(RunStep::acts_begun);
    begun.filter(|begun| begun.by.as_ref() == ENGINE && now.since_ms(begun.at) < HOUR_MS).count()
}

/// Why an act must not follow by itself so soon, where that is so.
pub(super) fn too_soon(run: &Run, spec: &StepSpec, gate: &Gate<'_>) -> Option<String> {
    if let Some(CoolDown { until, run }) = cool_down(run, spec, gate) {
        return Some(format!("{} cools down until {} after {run}", spec.touches, until.hh_mm_ss()));
    }
    let begun = acts_by_itself(gate.runs.values().map(AsRef::as_ref), gate.now);
    let most = gate.policy.hourly_max;
    let is_used_up = u32::try_from(begun).is_ok_and(|begun| begun >= most);
    is_used_up.then(|| format!("{begun} of at most {most} acts by itself in the last hour, over all incidents"))
}
