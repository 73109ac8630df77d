//! What the demo's patch queue is made from: its machines, what the feeds say of them, and a past in which that was found, so that
//! some deadlines are near and one has passed.

use std::sync::Arc;

use super::{advisories, machines};
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::patches::exceptions::InForce;
use crate::engine::patches::keeping::OfficeInMemory;
use crate::engine::patches::ledger::Ledger;
use crate::engine::patches::matching::fleet::matched;
use crate::engine::patches::office::Office;
use crate::engine::patches::queue::queue;
use crate::engine::settings::RiskSettings;

/// The office of a demo whose live part begins at `start`; machines were looked at an hour before.
pub(super) fn office(start: Timestamp) -> Arc<OfficeInMemory> {
    let fleet = machines::fleet(start - HOUR_MS);
    let mut found: Vec<Timestamp> = advisories::ADVISORIES.iter().map(|one| one.found_at(start)).collect();
    found.sort_unstable();
    let mut ledger = Ledger::default();
    for at in found {
        // As it was looked at then: the ledger notes what is new.
        let knowledge = advisories::knowledge(start, at);
        let found = matched(&fleet, &knowledge);
        drop(queue(&found, &knowledge, &mut ledger, &InForce::default(), &RiskSettings::default(), at));
    }
    let knowledge = advisories::knowledge(start, start);
    Arc::new(OfficeInMemory::new(Office { knowledge, fleet }, ledger, advisories::feeds(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::keeping::Keeping;
    use crate::engine::patches::picture::{self, Made, RiskBand};
    use crate::engine::patches::rollout::planning;
    use crate::engine::patches::rollout::rules::PlanRules;
    use crate::engine::settings::PatchSettings;

    const START: Timestamp = Timestamp(1_794_925_800_000);

    #[test]
    fn the_queue_has_every_band_one_patch_overdue_and_some_soon() {
        let keeping = Keeping::Memory(office(START));
        let office = keeping.office().unwrap();
        let (matched, none, settings) = (office.matched(), InForce::default(), RiskSettings::default());
        let queue = keeping.queue(&office, &matched, &none, &settings, START).unwrap();
        let feeds = keeping.feeds(START, HOUR_MS);
        let (fleet, knowledge) = (&office.fleet, &office.knowledge);
        let made = Made { fleet, knowledge, matched: &matched, queue: &queue, feeds: &feeds, settings: &settings };
        let picture = picture::made(&made, START);
        let tally = &picture.tally;
        let counts = [tally.critical, tally.high, tally.medium, tally.low, tally.unknown, tally.overdue];
        assert!(counts.iter().all(|count| *count > 0), "{tally:?}");
        let is_overdue = |patch: &&Arc<picture::Patch>| patch.clocks.due_at.is_some_and(|due| due < START);
        let overdue: Vec<&str> =
            picture.patches.iter().filter(is_overdue).map(|patch| patch.package.as_ref()).collect();
        assert_eq!(overdue, ["openssl"]);
        let within_a_day = picture
            .patches
            .iter()
            .filter(|patch| patch.clocks.due_at.is_some_and(|due| START < due && due < START + 24 * HOUR_MS));
        assert!(within_a_day.count() >= 2);
        assert_eq!(picture.patches[0].package.as_ref(), "openssl", "what is exploited goes first");
        assert!(picture.patches[0].is_known_exploited && picture.patches[0].band == Some(RiskBand::Critical));
        let unfixed: Vec<&str> =
            picture.patches.iter().filter(|patch| patch.fix.is_none()).map(|patch| patch.package.as_ref()).collect();
        assert_eq!(unfixed, ["zlib"]);
    }

    #[test]
    fn what_may_be_planned_goes_to_staging_first_and_says_who_is_left_out() {
        let keeping = Keeping::Memory(office(START));
        let settings = super::super::settings::settings(&super::super::scenarios::SCENARIOS[0], START);
        let rules = PlanRules::new(&settings.patches, &settings.policy.databases).unwrap();
        for source in ["openssl", "nginx", "postgresql-15", "curl", "openjdk-17", "sudo", "openssh", "libxml2"] {
            let need = keeping.need(source, &[], &PatchSettings::default(), START).unwrap();
            let plan = planning::plan(&need, &rules, START);
            assert_eq!(plan.stages[0].batches, [["stage-1"], ["stage-2"]], "{source}");
            assert!(plan.stages.len() >= 2, "{source}");
            let left_out: Vec<&str> = plan.left_out.iter().map(|one| one.name.as_str()).collect();
            let expected: &[&str] = if plan.targets.len() > 12 { &["build-1"] } else { &[] };
            assert_eq!(left_out, expected, "{source}: {:?}", plan.left_out);
        }
    }
}
