//! What was learnt beside series and templates: kept as settings, one text each, and read back at the start.

use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::job::Record;
use crate::engine::model::Fingerprint;

/// How forecasts ended.
const FORECAST_RECORDS: &str = "forecast records";
/// What came before past incidents.
const FAILURE_SIGNATURES: &str = "failure signatures";
/// What confirmed incidents looked like.
const CONFIRMED_INCIDENTS: &str = "confirmed incidents";
/// What operators taught by merging and splitting.
const OPERATOR_GROUPINGS: &str = "operator groupings";
/// Habits that never mattered, and how their trials stand.
const HABITS: &str = "habits";
/// What operators said of named causes.
const CAUSE_VERDICTS: &str = "cause verdicts";

impl Engine {
    /// Takes back a setting that is something learnt; the others belong to the drivers. What cannot be read is told, and
    /// learnt anew.
    pub(super) fn restore_learned(&mut self, name: &str, text: &str) {
        let restored = match name {
            FORECAST_RECORDS => self.detection.restore_forecast_records(text),
            FAILURE_SIGNATURES => self.precursors.restore(text),
            CONFIRMED_INCIDENTS => self.kinds.restore(text),
            OPERATOR_GROUPINGS => self.correlator.restore_affinities(text),
            HABITS => self.correlator.restore_habits(text),
            CAUSE_VERDICTS => self.restore_verdicts(text),
            _ => Ok(()),
        };
        if let Err(problem) = restored {
            // What the store itself has to tell weighs more.
            let told = || Arc::from(format!("{name} were not read back and are learnt anew: {problem}"));
            self.store.problem.get_or_insert_with(told);
        }
    }

    /// Takes back the relations between the metrics of a service.
    pub(super) fn restore_relations(&mut self, of: Fingerprint, bytes: &[u8]) {
        if let Err(problem) = self.detection.restore_relations(of, bytes) {
            let told =
                || Arc::from(format!("relations between metrics were not read back and are learnt anew: {problem}"));
            self.store.problem.get_or_insert_with(told);
        }
    }

    fn restore_verdicts(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.world.verdicts = serde_json::from_str(text)?;
        Ok(())
    }

    /// Every verdict as a record.
    pub(super) fn verdicts_to_keep(&self) -> Record {
        // Numbers and flags always have a text.
        let value = serde_json::to_string(&self.world.verdicts).unwrap_or_default();
        Record::Setting { name: CAUSE_VERDICTS.to_owned(), value }
    }

    /// Has everything kept that was learnt since it was last kept.
    pub(super) fn keep_learned(&mut self, turn: &mut Turn) {
        let learnt = [
            (FORECAST_RECORDS, self.detection.forecast_records_to_keep()),
            (FAILURE_SIGNATURES, self.precursors.to_keep()),
            (CONFIRMED_INCIDENTS, self.kinds.to_keep()),
            (OPERATOR_GROUPINGS, self.correlator.affinities_to_keep()),
            (HABITS, self.correlator.habits_to_keep()),
        ];
        for (name, text) in learnt {
            if let Some(value) = text {
                turn.keep_later(Record::Setting { name: name.to_owned(), value });
            }
        }
    }
}
