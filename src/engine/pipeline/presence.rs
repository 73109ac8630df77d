//! Who is attached and what they look at, as the driver tells it; and when whoever is not was last here.

use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::job::Record;
use crate::engine::limits::PANE_NAME_CHARS_MAX;
use crate::engine::model::{Attendee, Present};

/// Under which name it is kept when people were last here.
const SETTING: &str = "last-here";
/// Whoever was not here for so long is a stranger again.
const FORGOTTEN_MS: i64 = 90 * DAY_MS;

impl Engine {
    pub(super) fn restore_last_here(&mut self, name: &str, value: &str) -> bool {
        if name != SETTING {
            return false;
        }
        match serde_json::from_str(value) {
            Ok(known) => self.last_here = known,
            Err(problem) => {
                let told = || Arc::from(format!("when people were last here could not be read back: {problem}"));
                self.store.problem.get_or_insert_with(told);
            }
        }
        true
    }

    /// Takes in who is attached now: all of them, in the order of their seats.
    pub(super) fn take_present(&mut self, here: &[Attendee], turn: &mut Turn) {
        let was_here = |name: &str| self.present.iter().any(|present| present.name.as_ref() == name);
        let seated = here.iter().map(|attendee| {
            let Attendee { seat, person, incident, pane } = attendee;
            let known = self.present.iter().find(|present| present.seat == *seat);
            // Who has another console open has been here all the time.
            let last_here = self.last_here.get(&person.name).filter(|_| !was_here(&person.name)).copied();
            Present {
                seat: *seat,
                name: Arc::clone(&person.name),
                role: person.role,
                since: known.map_or(turn.now, |known| known.since),
                last_here: known.map_or(last_here, |known| known.last_here),
                incident: *incident,
                pane: pane.chars().filter(|c| !c.is_control()).take(PANE_NAME_CHARS_MAX).collect::<String>().into(),
            }
        });
        let seated: Vec<Present> = seated.collect();
        if seated == self.present {
            return;
        }
        let before = std::mem::replace(&mut self.present, seated);
        let is_gone = |present: &&Present| !self.present.iter().any(|here| here.name == present.name);
        let gone: Vec<Arc<str>> = before.iter().filter(is_gone).map(|present| Arc::clone(&present.name)).collect();
        self.keep_last_here(&gone, turn);
        self.has_changed = true;
    }

    /// The engine ends, and everybody leaves with it.
    pub(super) fn part_from_all(&mut self, turn: &mut Turn) {
        let gone: Vec<Arc<str>> = self.present.iter().map(|present| Arc::clone(&present.name)).collect();
        self.keep_last_here(&gone, turn);
    }

    fn keep_last_here(&mut self, gone: &[Arc<str>], turn: &mut Turn) {
        if gone.is_empty() {
            return;
        }
        self.last_here.extend(gone.iter().map(|name| (Arc::clone(name), turn.now)));
        self.last_here.retain(|_, at: &mut Timestamp| turn.now.since_ms(*at) < FORGOTTEN_MS);
        // Plain data: it always has a text.
        let value = serde_json::to_string(&self.last_here).unwrap_or_default();
        turn.keep_later(Record::Setting { name: SETTING.to_owned(), value });
    }
}
