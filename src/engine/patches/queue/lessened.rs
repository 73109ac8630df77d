//! How urgent a patch is where an exception takes out a part of what it would mend: by the worst of the rest.

use rustc_hash::FxHashMap;

use super::standing::{Class, Standing, Threat, standing};
use crate::engine::patches::exceptions::Covered;
use crate::engine::settings::RiskSettings;

/// Such standings by component, class and what is taken out; assets of a class share them.
#[derive(Debug, Default)]
pub(super) struct Lessened(FxHashMap<(u32, usize, Vec<bool>), Option<u32>>);

impl Lessened {
    /// The number of the standing, made where there is none yet; `None` where nothing is left.
    pub(super) fn place(
        &mut self,
        standings: &mut Vec<Standing>,
        component: u32,
        threats: &[Threat],
        class: Class,
        covered: &Covered,
        settings: &RiskSettings,
    ) -> Option<u32> {
        let key = (component, class.number(), covered.is_out.clone());
        *self.0.entry(key).or_insert_with(|| {
            let left: Vec<usize> =
                covered.is_out.iter().enumerate().filter(|(_, is_out)| !**is_out).map(|(at, _)| at).collect();
            let rest: Vec<Threat> = left.iter().filter_map(|at| threats.get(*at)).cloned().collect();
            let own = standing(component, &rest, class, settings)?;
            let mut within_ms = vec![None; threats.len()];
            for (at, within) in left.iter().zip(&own.within_ms) {
                if let Some(place) = within_ms.get_mut(*at) {
                    *place = *within;
                }
            }
            let worst = left.get(own.worst).copied()?;
            let number = u32::try_from(standings.len()).ok()?;
            standings.push(Standing { worst, within_ms, ..own });
            Some(number)
        })
    }
}
