//! The end of a shift: incidents and wheels pass to whoever takes over, with a note in each timeline.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use super::wheels::is_there;
use crate::engine::model::{AuditKind, Incident, IncidentId, RunId};
use crate::engine::postmortem;
use crate::engine::request::Request;
use crate::nearest::suggestion;

impl Engine {
    /// Hands the asker's incidents, those without an owner, and the asker's wheels over.
    pub(super) fn hand_over(
        &mut self,
        by: &Arc<str>,
        (to, note): (&str, &str),
        turn: &mut Turn,
    ) -> Result<String, String> {
        let to = to.trim();
        if to.is_empty() {
            return Err("a handover needs a name; say who takes over".to_owned());
        }
        if to == by.as_ref() {
            return Err(format!("{to} is you; hand over to somebody else"));
        }
        let to = self.known_person(to)?;
        if to == *by {
            return Err(format!("{to} is you; hand over to somebody else"));
        }
        if self.present.iter().any(|here| here.name == to) && !is_there(&self.present, &to) {
            return Err(format!("{to} only looks on here, and cannot take over; hand over to somebody else"));
        }
        let passes = |incident: &&Arc<Incident>| {
            let is_whose = incident.owner.as_ref().is_none_or(|owner| owner == by);
            incident.state.is_live() && incident.merged_into.is_none() && is_whose
        };
        let incidents: Vec<IncidentId> = self.world.incidents.values().filter(passes).map(|it| it.id).collect();
        let picture = self.snapshot(turn.now);
        for id in &incidents {
            let stands = picture.incident(*id).map(|incident| postmortem::handover_line(&picture, incident));
            let note = match note.trim() {
                "" => format!("handover to {to}: {}", stands.unwrap_or_default()),
                note => format!("handover to {to}: {note}; {}", stands.unwrap_or_default()),
            };
            self.change_incident(*id, by, &Request::Note { incident: *id, text: note.into() }, turn)?;
            self.change_incident(*id, by, &Request::Own { incident: *id, owner: Arc::clone(&to) }, turn)?;
        }
        let runs = self.hand_wheels_over(by, &to, turn);
        self.note_with_wheels(by, (&to, note.trim()), (&runs, &incidents), turn)?;
        let names: Vec<String> = incidents
            .iter()
            .map(ToString::to_string)
            .chain(runs.iter().map(|run| format!("the wheel of {run}")))
            .collect();
        let what = if names.is_empty() { "nothing was open".to_owned() } else { names.join(", ") };
        let is_known = self.people_known().any(|known| *known == *to);
        let doubt = if is_known { "" } else { ", whom nobody has seen here so far" };
        let text = format!("handed over to {to}{doubt}: {what}");
        let logged = if note.trim().is_empty() { text.clone() } else { format!("{text}; {}", note.trim()) };
        self.record(turn, AuditKind::Operator, by, About::default(), &logged);
        self.has_changed = true;
        Ok(text)
    }

    /// What goes with a wheel is told where the run is, also where the incident itself stays somebody else's.
    fn note_with_wheels(
        &mut self,
        by: &Arc<str>,
        (to, note): (&str, &str),
        (runs, told): (&[RunId], &[IncidentId]),
        turn: &mut Turn,
    ) -> Result<(), String> {
        for run in runs.iter().filter(|_| !note.is_empty()) {
            let of_run = self.world.runs.get(run).and_then(|run| run.incident());
            let is_live =
                |id: &IncidentId| self.world.incidents.get(id).is_some_and(|incident| incident.state.is_live());
            if let Some(id) = of_run.filter(|id| !told.contains(id)).filter(is_live) {
                let text = format!("handover of {run} to {to}: {note}").into();
                self.change_incident(id, by, &Request::Note { incident: id, text }, turn)?;
            }
        }
        Ok(())
    }

    /// The person of this name, as they are called, who is here, was here lately or stands under `[people]`; case aside, for that is
    /// a slip of the hand. Nobody else is given anything, for what is a stranger's by a slip is nobody's; unless people come here whom
    /// nothing names before they do, and the name is like none that is known.
    ///
    /// # Errors
    /// Who may be meant, where nobody is called so.
    pub(super) fn known_person(&self, name: &str) -> Result<Arc<str>, String> {
        let slip = suggestion(name, self.people_known());
        let exact = self.people_known().find(|known| *known == name);
        let known = exact.or_else(|| self.people_known().find(|known| known.eq_ignore_ascii_case(name)));
        match known {
            Some(known) => Ok(Arc::from(known)),
            None if self.settings.people.is_open() && slip.is_empty() && !name.starts_with('@') => Ok(Arc::from(name)),
            None => Err(format!(
                "nobody called {name} was seen here so far or is named under [people]{slip}; nothing was done"
            )),
        }
    }

    fn people_known(&self) -> impl Iterator<Item = &str> {
        let seen = self.present.iter().map(|here| &here.name).chain(self.last_here.keys()).map(AsRef::as_ref);
        seen.chain(self.settings.people.named_to_act())
    }
}
