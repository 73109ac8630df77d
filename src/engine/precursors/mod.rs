//! The hour before: which signs came 15 to 90 minutes before past incidents, and whether they are here again.
//!
//! A sign is an anomaly of any size, also one that was set aside. When an incident opens, the signs of the time before it
//! become its signature. When enough of a signature comes again that chance would bring it less than once in a month, an
//! early warning names the past incident; whether an incident followed is counted and told with the next warning.

mod kept;
mod sign;
mod signature;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use sign::Sign;

use sign::{Background, RecentSigns, SignKey};
use signature::Signature;

use super::clock::{MINUTE_MS, Timestamp};
use super::limits::FAILURE_SIGNATURES_MAX;
use super::model::{EarlyWarning, Incident, IncidentId, WarningRecord};
use super::world::World;

/// Signs nearer to an incident than this are its beginning, not its precursors.
const BEFORE_MS_MIN: i64 = 15 * MINUTE_MS;
/// Signs further away than this have nothing to do with it.
const BEFORE_MS_MAX: i64 = 90 * MINUTE_MS;
/// Signs that must come again at least.
const SIGNS_MIN: usize = 2;
/// Share of a signature's weight that must come again.
const SHARE_MIN: f64 = 0.6;
/// Chance is to bring a warning less than once in so many hours.
const QUIET_HOURS: f64 = 720.0;
/// A signature that warned so often in vain, and never rightly, warns no more.
const VAIN_MAX: u32 = 3;

/// A warning that has not turned out yet.
#[derive(Debug, Clone, PartialEq)]
struct Pending {
    since: Timestamp,
    matched: Vec<SignKey>,
    /// Turned out in vain, and its signs have not gone yet.
    is_spent: bool,
}

/// The stage.
#[derive(Debug, Clone, Default)]
pub struct Precursors {
    recent: RecentSigns,
    background: Background,
    signatures: BTreeMap<IncidentId, Signature>,
    pending: BTreeMap<IncidentId, Pending>,
    is_unkept: bool,
}

impl Precursors {
    /// Takes a sign in.
    pub fn note(&mut self, sign: &Sign) {
        if self.recent.take(sign) {
            self.background.count(sign);
        }
    }

    /// An incident opened: what came before it is its signature, and warnings of such a one were right.
    pub fn learn(&mut self, incident: &Incident) {
        let start = incident.started_at;
        self.note_right(incident);
        let first = incident.services.iter().min_by_key(|(_, onset)| **onset);
        let Some(service) = first.map(|(service, _)| service.clone()) else { return };
        let signs = self.recent.between(start - BEFORE_MS_MAX, start - BEFORE_MS_MIN);
        if signs.len() < SIGNS_MIN {
            return;
        }
        self.signatures.insert(incident.id, Signature::new(incident.title.clone(), service, start, signs));
        while self.signatures.len() > FAILURE_SIGNATURES_MAX {
            self.signatures.pop_first();
        }
        self.is_unkept = true;
    }

    /// Pending warnings of incidents on the services of `incident` were right.
    fn note_right(&mut self, incident: &Incident) {
        let is_meant = |id: &IncidentId, pending: &Pending| {
            let is_there = self.signatures.get(id).is_some_and(|known| incident.services.contains_key(&known.service));
            is_there && !pending.is_spent && incident.started_at >= pending.since
        };
        let right: Vec<IncidentId> =
            self.pending.iter().filter(|(id, pending)| is_meant(id, pending)).map(|(id, _)| *id).collect();
        for id in right {
            self.pending.remove(&id);
            if let Some(signature) = self.signatures.get_mut(&id) {
                signature.record.followed = signature.record.followed.saturating_add(1);
                self.is_unkept = true;
            }
        }
    }

    /// Compares the signs of the last 75 minutes with every signature; true where the warnings are others than before.
    pub fn look(&mut self, world: &World, now: Timestamp) -> bool {
        self.recent.forget_before(now - BEFORE_MS_MAX - BEFORE_MS_MIN);
        // What is usual is kept once an hour.
        self.is_unkept |= self.background.pass(now);
        self.refresh_titles(world);
        let before = self.pending.clone();
        self.settle(now);
        let window = self.recent.between(now - (BEFORE_MS_MAX - BEFORE_MS_MIN), now);
        let seen: BTreeSet<&SignKey> = window.iter().map(|sign| &sign.key).collect();
        let busy: BTreeSet<_> = world
            .incidents
            .values()
            .filter(|incident| incident.state.is_live())
            .flat_map(|incident| incident.services.keys())
            .collect();
        let needed = (QUIET_HOURS * self.signatures.len().max(1) as f64).ln();
        for (id, signature) in &self.signatures {
            let matched = signature.matched(&seen);
            let weight: f64 = matched.iter().map(|key| self.background.weight(key)).sum();
            let whole: f64 = signature.signs.keys().map(|key| self.background.weight(key)).sum();
            let is_here = matched.len() >= SIGNS_MIN && weight >= SHARE_MIN * whole && weight >= needed;
            match self.pending.get_mut(id) {
                Some(pending) if pending.is_spent && !is_here => {
                    self.pending.remove(id);
                }
                Some(pending) if !pending.is_spent && is_here => pending.matched = matched,
                Some(_) => {}
                None if is_here && !busy.contains(&signature.service) && signature.is_trusted() => {
                    let since = window.iter().filter(|sign| matched.contains(&sign.key)).map(|sign| sign.at).min();
                    let since = since.unwrap_or(now);
                    self.pending.insert(*id, Pending { since, matched, is_spent: false });
                }
                None => {}
            }
        }
        self.pending != before
    }

    /// Warnings after which nothing came in time were in vain.
    fn settle(&mut self, now: Timestamp) {
        for (id, pending) in &mut self.pending {
            if !pending.is_spent && now.since_ms(pending.since) > BEFORE_MS_MAX + BEFORE_MS_MIN {
                pending.is_spent = true;
                if let Some(signature) = self.signatures.get_mut(id) {
                    signature.record.quiet = signature.record.quiet.saturating_add(1);
                    self.is_unkept = true;
                }
            }
        }
        self.pending.retain(|id, _| self.signatures.contains_key(id));
    }

    /// An incident gets its final title, and its cause, long after it opened.
    fn refresh_titles(&mut self, world: &World) {
        for (id, signature) in &mut self.signatures {
            if let Some(incident) = world.incidents.get(id)
                && incident.title != signature.title
            {
                signature.title = incident.title.clone();
                self.is_unkept = true;
            }
        }
    }

    /// The warnings as they stand, oldest first.
    #[must_use]
    pub fn warnings(&self) -> Vec<EarlyWarning> {
        let mut warnings: Vec<EarlyWarning> = self
            .pending
            .iter()
            .filter(|(_, pending)| !pending.is_spent)
            .filter_map(|(id, pending)| {
                let signature = self.signatures.get(id)?;
                let mut keys: Vec<&SignKey> = pending.matched.iter().collect();
                keys.sort_by(|one, other| self.background.weight(other).total_cmp(&self.background.weight(one)));
                Some(EarlyWarning {
                    incident: *id,
                    title: signature.title.clone(),
                    service: signature.service.clone(),
                    since: pending.since,
                    lead_ms: signature.lead_ms(),
                    signs: keys.into_iter().map(|key| Arc::from(key.to_string())).collect(),
                    sign_count: signature.signs.len(),
                    record: signature.record,
                })
            })
            .collect();
        warnings.sort_by_key(|warning| (warning.since, warning.incident));
        warnings
    }
}

impl Signature {
    fn is_trusted(&self) -> bool {
        let WarningRecord { followed, quiet } = self.record;
        followed > 0 || quiet < VAIN_MAX
    }
}
