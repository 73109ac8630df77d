//! What a rollout asks of the world, as the engine knows it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use crate::engine::act::policy::targets;
use crate::engine::clock::Timestamp;
use crate::engine::limits::VERIFY_FRESH_MS;
use crate::engine::model::{
    Anomaly, AnomalyKind, AnomalyState, Incident, IncidentId, Purpose, RolloutTarget, Run, RunId, RunStep, ServiceName,
    Severity, StepState,
};
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::exceptions::{PatchException, Reach, Subject};
use crate::engine::patches::rollout::{Compared, Facts, KeptRollout, MemberHealth, MetricSamples, Room, Target};

/// The world, as far as it concerns one rollout at one instant.
pub(super) struct WorldFacts<'a> {
    engine: &'a Engine,
    kept: &'a KeptRollout,
    now: Timestamp,
    /// Gathered when the first member is asked for, for all of them at once.
    members: OnceCell<Members<'a>>,
}

/// What is known of the members of services: each under its service and the machine, or `None` for the service as a whole.
#[derive(Default)]
struct Members<'a> {
    /// Metrics that speak of now.
    fresh: BTreeSet<(&'a str, Option<&'a str>)>,
    /// What departs in a harmful way. What is only foretold has harmed nobody.
    harm: BTreeMap<(&'a str, Option<&'a str>), Vec<&'a Anomaly>>,
    /// What runs for something else touch this moment.
    touched: BTreeMap<&'a str, RunId>,
}

impl<'a> WorldFacts<'a> {
    pub(super) fn new(engine: &'a Engine, kept: &'a KeptRollout, now: Timestamp) -> Self {
        Self { engine, kept, now, members: OnceCell::new() }
    }

    fn members(&self) -> &Members<'a> {
        self.members.get_or_init(|| self.gather())
    }

    fn gather(&self) -> Members<'a> {
        let (engine, plan) = (self.engine, &self.kept.rollout.plan);
        let of_targets = plan.targets.values().flat_map(|target| target.services.iter().chain([&target.name]));
        let of_groups = plan.groups.iter().flat_map(|group| group.service.iter().chain(&group.members));
        let wanted: BTreeSet<ServiceName> = of_targets.chain(of_groups).map(|name| ServiceName::new(name)).collect();
        let mut members = Members::default();
        for latest in engine.detection.latest_of(&wanted) {
            if latest.at + VERIFY_FRESH_MS >= self.now {
                let service = latest.service.as_str();
                members.fresh.extend(machines(latest.instance.map(AsRef::as_ref)).map(|machine| (service, machine)));
            }
        }
        let harmful = engine.world.anomalies.values().filter(|anomaly| {
            anomaly.is_harmful
                && anomaly.severity >= Severity::Warning
                && anomaly.kind != AnomalyKind::Forecast
                && anomaly.state == AnomalyState::Active
                && anomaly.suppressed.is_none()
        });
        for anomaly in harmful {
            for machine in machines(anomaly.instance.as_deref()) {
                members.harm.entry((anomaly.service.as_str(), machine)).or_default().push(anomaly);
            }
        }
        let own = |run: &Run| run.subject.rollout().is_some_and(|target| target.rollout == self.kept.rollout.id);
        let is_acting = |step: &&RunStep| {
            matches!(step.state, StepState::Running { purpose: Purpose::Run | Purpose::Undo, .. })
                && step.bound.spec.act().is_some()
        };
        for run in engine.world.runs.values().filter(|run| run.state.is_open() && !own(run)) {
            let steps = run.steps.iter().filter(is_acting);
            let touched = steps.flat_map(|step| targets(&step.bound.spec.touches));
            members.touched.extend(touched.map(|touched| (touched, run.id)));
        }
        members
    }

    /// The names under which an asset's metrics and incidents are known.
    fn names<'b>(&'b self, asset: &'b str) -> BTreeSet<&'b str> {
        let plan = &self.kept.rollout.plan;
        let target = plan.targets.get(asset);
        let services = target.into_iter().flat_map(|target| &target.services).map(String::as_str);
        // A member that is not patched itself is known by the services that it is counted for.
        let counted = plan.groups_of(asset).filter_map(|group| group.service.as_deref());
        services.chain(counted).chain([asset]).collect()
    }

    /// What departs in a harmful way on one of these now, and did not before the asset's patch was begun.
    fn harm(&self, names: &BTreeSet<&str>, asset: &str) -> Option<String> {
        let begun_at = self.kept.rollout.targets.get(asset).and_then(|record| record.begun_at);
        let harm = &self.members().harm;
        // What is told of another instance alone says nothing of this one.
        let here = names.iter().flat_map(|name| [(*name, Some(asset)), (*name, None)]);
        let mut departing = here.filter_map(|key| harm.get(&key)).flatten();
        let anomaly = departing.find(|anomaly| begun_at.is_none_or(|begun_at| anomaly.started_at >= begun_at))?;
        Some(format!("{} of {} departs", anomaly.metric, anomaly.service))
    }
}

/// The machines that an instance may be of: `web-1.shop:9100` is one of `web-1.shop:9100`, `web-1.shop` and `web-1`.
pub(super) fn machines(instance: Option<&str>) -> impl Iterator<Item = Option<&str>> {
    let ends = instance.into_iter().flat_map(|text| {
        let cuts = text.char_indices().filter(|(_, c)| matches!(c, ':' | '.')).map(|(at, _)| at);
        cuts.chain([text.len()]).map(move |at| text.get(..at))
    });
    instance.is_none().then_some(None).into_iter().chain(ends)
}

/// True where an instance, `web-1:9100`, is one of this asset.
pub(super) fn is_of(instance: &str, asset: &str) -> bool {
    instance == asset || instance.strip_prefix(asset).is_some_and(|rest| rest.starts_with([':', '.']))
}

impl Facts for WorldFacts<'_> {
    fn kill_switch(&self) -> Option<String> {
        self.engine.safety.kill.as_ref().map(|kill| format!("{}: {}", kill.by, kill.reason))
    }

    fn room(&self, target: &Target) -> Room {
        self.engine.rollouts.calendar.room(&target.place(), self.now)
    }

    fn incident(&self, target: &Target, known: &BTreeSet<IncidentId>) -> Option<IncidentId> {
        let names: BTreeSet<&str> = target.services.iter().map(String::as_str).chain([target.name.as_str()]).collect();
        let is_on = |incident: &&Arc<Incident>| {
            incident.state.is_live()
                && self.kept.incident != Some(incident.id)
                && !known.contains(&incident.id)
                && incident.services.keys().any(|service| names.contains(service.as_str()))
        };
        let live = self.engine.world.incidents.values().filter(is_on);
        live.max_by_key(|incident| (incident.severity, std::cmp::Reverse(incident.id))).map(|incident| incident.id)
    }

    fn member(&self, asset: &str) -> MemberHealth {
        let names = self.names(asset);
        if let Some(other) = self.busy_with(asset) {
            return MemberHealth::Acting(other);
        }
        if let Some(harm) = self.harm(&names, asset) {
            return MemberHealth::Unhealthy(harm);
        }
        let is_fresh = |key| self.members().fresh.contains(&key);
        let fresh = names.iter().any(|name| is_fresh((*name, Some(asset))) || is_fresh((*name, None)));
        if fresh { MemberHealth::Healthy } else { MemberHealth::Unknown }
    }

    fn exception(&self, target: &Target) -> Option<u64> {
        let plan = &self.kept.rollout.plan;
        let is_there = |exception: &&Arc<PatchException>| {
            exception.is_in_force(self.now)
                && match &exception.reach {
                    Reach::Everywhere => true,
                    Reach::Ring(ring) => **ring == *target.ring,
                    Reach::Asset(name) => **name == *target.name,
                }
        };
        let here: Vec<&Arc<PatchException>> = self.engine.exceptions.values().filter(is_there).collect();
        let of_package = |exception: &&&Arc<PatchException>| matches!(&exception.subject, Subject::Package(name) if **name == *plan.source);
        let of = |id: &AdvisoryId| {
            here.iter().find(|exception| matches!(&exception.subject, Subject::Advisory(of) if of == id))
        };
        // Where one of them is still to be mended, the patch is.
        let whole = here.iter().find(of_package);
        let all = || plan.advisories.iter().map(of).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().next());
        whole.or_else(all).map(|exception| exception.number)
    }

    fn tried_again(&self, target: &Target) -> Option<(String, Timestamp)> {
        let of = RolloutTarget { rollout: self.kept.rollout.id, asset: Arc::from(target.name.as_str()) };
        let put_off = self.engine.rollouts.put_off.get(&of).filter(|it| self.now < it.until)?;
        Some((put_off.why.clone(), put_off.until))
    }

    fn taken_by(&self, target: &Target) -> Option<String> {
        self.busy_with(&target.name)
    }

    fn health(&self, target: &Target, times: &Compared) -> Vec<MetricSamples> {
        self.engine.rollouts.samples.health(&target.name, times)
    }
}

impl WorldFacts<'_> {
    /// What else has the asset in hand: another rollout, a run.
    fn busy_with(&self, asset: &str) -> Option<String> {
        let others = self.engine.rollouts.kept.values().filter(|other| other.rollout.id != self.kept.rollout.id);
        let busy = others
            .into_iter()
            .find(|other| other.rollout.targets.get(asset).is_some_and(|record| record.state.is_under_way()));
        busy.map(|other| other.rollout.id.to_string()).or_else(|| self.acting_on(asset))
    }

    /// A run for something else that acts on the asset, or on what it carries, this moment.
    fn acting_on(&self, asset: &str) -> Option<String> {
        let touched = &self.members().touched;
        self.names(asset).into_iter().find_map(|name| touched.get(name)).map(RunId::to_string)
    }
}
