//! What kind of failure an incident is, learnt from those whose cause was confirmed.
//!
//! Without enough history there is no guess, and the known patterns of root cause stand alone. With it, boosted trees over
//! what incidents look like say which kind this one resembles, how sure that is, what decided, and from how many incidents
//! it was learnt; how often such guesses are right is measured by leaving incidents out.

mod boosting;
mod features;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::boosting::Boosted;
use super::limits::CONFIRMED_INCIDENTS_MAX;
use super::model::{CauseKind, Incident, IncidentId, KindGuess};
use super::world::World;

/// Confirmed incidents, at least, before anything is guessed.
const INCIDENTS_MIN: usize = 12;
/// Incidents of a kind, at least, for the kind to be learnt.
const OF_KIND_MIN: usize = 3;
/// Parts into which history is cut to measure how often guesses are right.
const FOLDS: usize = 5;
/// Features named with a guess.
const REASONS_MAX: usize = 3;

/// An incident whose cause was confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Confirmed {
    kind: CauseKind,
    features: Vec<f32>,
}

/// The model and how good it is.
#[derive(Debug, Clone, PartialEq, Default)]
struct Fitted {
    kinds: Vec<CauseKind>,
    model: Boosted,
    right: usize,
    tried: usize,
}

/// What was learnt.
#[derive(Debug, Clone, Default)]
pub struct IncidentKinds {
    confirmed: BTreeMap<IncidentId, Confirmed>,
    fitted: Option<Fitted>,
    is_unkept: bool,
}

impl IncidentKinds {
    /// The cause of an incident was confirmed to be of this kind.
    pub fn learn(&mut self, world: &World, incident: &Incident, kind: CauseKind) {
        if kind == CauseKind::Unknown {
            return;
        }
        self.confirmed.insert(incident.id, Confirmed { kind, features: features::of(world, incident) });
        while self.confirmed.len() > CONFIRMED_INCIDENTS_MAX {
            self.confirmed.pop_first();
        }
        self.is_unkept = true;
        self.refit();
    }

    /// A cause that was taken for confirmed was not.
    pub fn unlearn(&mut self, incident: IncidentId) {
        if self.confirmed.remove(&incident).is_some() {
            self.is_unkept = true;
            self.refit();
        }
    }

    /// What kind an incident seems to be; `None` while too little is known.
    #[must_use]
    pub fn guess(&self, world: &World, incident: &Incident) -> Option<KindGuess> {
        let fitted = self.fitted.as_ref()?;
        let row = features::of(world, incident);
        let chances = fitted.model.probabilities(&row);
        let (class, chance) = chances.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
        let kind = *fitted.kinds.get(class)?;
        let told = fitted.model.contributions(&row, class);
        let speaks_for = told.into_iter().filter(|(_, sum)| *sum > 0.0).take(REASONS_MAX);
        Some(KindGuess {
            kind,
            chance,
            because: speaks_for.map(|(feature, _)| features::name(feature).into()).collect(),
            of_kind: count(self.confirmed.values().filter(|known| known.kind == kind).count()),
            learnt_from: count(self.confirmed.len()),
            right: count(fitted.right),
            tried: count(fitted.tried),
        })
    }

    /// What is to be kept, where anything changed since it was last asked for.
    pub fn to_keep(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.is_unkept) {
            return None;
        }
        // Numbers and names always have a form in JSON.
        serde_json::to_string(&self.confirmed).ok()
    }

    /// Takes back what was kept. What was written with other features is left out: it would be read as something else.
    ///
    /// # Errors
    /// When the text is not what [`Self::to_keep`] gave; learning then begins anew.
    pub fn restore(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.confirmed = serde_json::from_str(text)?;
        self.confirmed.retain(|_, known| known.features.len() == features::COUNT);
        self.refit();
        Ok(())
    }

    fn refit(&mut self) {
        self.fitted = fit(&self.confirmed.values().collect::<Vec<_>>());
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Fits what there is enough of and measures it on parts that were left out.
fn fit(history: &[&Confirmed]) -> Option<Fitted> {
    let mut of_kind: BTreeMap<CauseKind, usize> = BTreeMap::new();
    history.iter().for_each(|known| *of_kind.entry(known.kind).or_default() += 1);
    let kinds: Vec<CauseKind> =
        of_kind.into_iter().filter(|(_, many)| *many >= OF_KIND_MIN).map(|(kind, _)| kind).collect();
    let known: Vec<(&[f32], usize)> = history
        .iter()
        .filter_map(|known| Some((known.features.as_slice(), kinds.iter().position(|kind| *kind == known.kind)?)))
        .collect();
    if kinds.len() < 2 || known.len() < INCIDENTS_MIN {
        return None;
    }
    let (mut right, mut tried) = (0, 0);
    for fold in 0..FOLDS {
        let model =
            fit_to(known.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, it)| *it), kinds.len());
        for (row, label) in known.iter().skip(fold).step_by(FOLDS) {
            let chances = model.probabilities(row);
            let best = chances.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).map(|(class, _)| class);
            right += usize::from(best == Some(*label));
            tried += 1;
        }
    }
    let model = fit_to(known.iter().copied(), kinds.len());
    Some(Fitted { kinds, model, right, tried })
}

fn fit_to<'a>(known: impl Iterator<Item = (&'a [f32], usize)>, classes: usize) -> Boosted {
    let (rows, labels): (Vec<Vec<f32>>, Vec<usize>) = known.map(|(row, label)| (row.to_vec(), label)).unzip();
    Boosted::fit(&rows, &labels, classes)
}
