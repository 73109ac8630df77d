//! Patches that people put off and risks that they accept: who may, for how long, and what is kept of it.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::job::Record;
use crate::engine::limits::ENDED_EXCEPTIONS_MAX;
use crate::engine::model::AuditKind;
use crate::engine::patches::exceptions::{ExceptionWish, PatchException, Withdrawal};
use crate::engine::patches::picture::PictureState;

impl Engine {
    pub(super) fn restore_exception(&mut self, exception: PatchException) {
        self.next_exception = self.next_exception.max(exception.number + 1);
        self.exceptions.insert(exception.number, Arc::new(exception));
    }

    /// Takes a patch out of the queue until a date.
    pub(super) fn except_patch(
        &mut self,
        wish: &ExceptionWish,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let subject = wish.subject.to_string();
        let found = &self.patches;
        // What nobody knows is taken for the worst.
        let may_be_exploited = found.state != PictureState::Ready
            || !found.is_kev_known
            || found.exploited.iter().any(|name| **name == *subject);
        let exception = wish.granted(self.next_exception, by, may_be_exploited, turn.now)?;
        self.next_exception += 1;
        let text = exception.to_string();
        self.keep_exception(exception, by, &text, turn);
        Ok(text)
    }

    /// Ends an exception before its time: what it took out comes back with the deadline that it had.
    pub(super) fn withdraw_exception(
        &mut self,
        number: u64,
        reason: &Arc<str>,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let known = self.exceptions.get(&number).ok_or_else(|| format!("EXC-{number} is not known here"))?;
        if !known.is_in_force(turn.now) {
            return Err(format!("EXC-{number} is over already"));
        }
        let reason: Arc<str> = Arc::from(if reason.trim().is_empty() { "no reason given" } else { reason.trim() });
        let text = format!("withdrew EXC-{number} ({} {}): {reason}", known.subject, known.reach);
        let withdrawn = Some(Withdrawal { at: turn.now, by: Arc::clone(by), reason });
        let exception = PatchException { withdrawn, ..known.as_ref().clone() };
        self.keep_exception(exception, by, &text, turn);
        Ok(text)
    }

    fn keep_exception(&mut self, exception: PatchException, by: &Arc<str>, text: &str, turn: &mut Turn) {
        self.record(turn, AuditKind::Operator, by, About::default(), text);
        turn.keep(Record::PatchException(exception.clone()));
        self.exceptions.insert(exception.number, Arc::new(exception));
    }

    /// Those in force and the newest of those over, the newest first.
    pub(super) fn exceptions_in_order(&self, now: crate::engine::clock::Timestamp) -> Vec<Arc<PatchException>> {
        let mut over = 0;
        let newest_first = self.exceptions.values().rev();
        let told = newest_first.filter(|exception| {
            over += usize::from(!exception.is_in_force(now));
            exception.is_in_force(now) || over <= ENDED_EXCEPTIONS_MAX
        });
        told.cloned().collect()
    }
}
