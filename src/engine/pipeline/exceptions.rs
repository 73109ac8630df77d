//! Patches that people put off and risks that they accept: who may, for how long, and what is kept of it.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::clock::Timestamp;
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
    pub(super) fn exceptions_in_order(&self, now: Timestamp) -> Vec<Arc<PatchException>> {
        let mut over = 0;
        let newest_first = self.exceptions.values().rev();
        let told = newest_first.filter(|exception| {
            over += usize::from(!exception.is_in_force(now));
            exception.is_in_force(now) || over <= ENDED_EXCEPTIONS_MAX
        });
        told.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::DAY_MS;
    use crate::engine::input::{Input, RequestId};
    use crate::engine::job::Job;
    use crate::engine::model::Person;
    use crate::engine::patches::exceptions::{ExceptionKind, Reach, Subject};
    use crate::engine::patches::picture::PatchPicture;
    use crate::engine::request::{Reply, Request};
    use crate::engine::runbooks::Library;
    use crate::engine::settings::EngineSettings;

    fn engine() -> Engine {
        Engine::new(EngineSettings::default(), Library::shipped()).unwrap()
    }

    fn wish(days: u32) -> Request {
        Request::ExceptPatch(Box::new(ExceptionWish {
            kind: ExceptionKind::Accepted,
            subject: Subject::Package("curl".into()),
            reach: Reach::Everywhere,
            until: format!("{days}d").into(),
            owner: "data".into(),
            reason: "behind a wall".into(),
            is_exploited_typed: false,
        }))
    }

    /// The records that are on disk before the answer, and the answer.
    fn ask(engine: &mut Engine, request: Request, now: Timestamp) -> (Vec<Record>, Result<String, String>) {
        let mut kept = Vec::new();
        for job in engine.handle(Input::Request { id: RequestId(1), by: Person::admin("mira"), request }, now) {
            match job {
                Job::Persist(records) => kept.extend(records),
                Job::Reply { reply: Reply::Done { text }, .. } => return (kept, Ok(text.to_string())),
                Job::Reply { reply: Reply::Refused { reason }, .. } => return (kept, Err(reason.to_string())),
                _ => {}
            }
        }
        panic!("no answer");
    }

    #[test]
    fn an_exception_is_kept_and_in_the_audit_log_before_it_is_done_and_outlives_a_restart() {
        let (mut first, now) = (engine(), Timestamp(DAY_MS));
        let (kept, said) = ask(&mut first, wish(31), now);
        assert!(
            kept.is_empty() && said.unwrap_err().contains("30 days at most"),
            "nobody knows whether it is exploited"
        );
        let known = PatchPicture { state: PictureState::Ready, is_kev_known: true, ..PatchPicture::default() };
        first.handle(Input::Patches(Arc::new(known.clone())), now);
        let (kept, said) = ask(&mut first, wish(31), now);
        assert!(said.unwrap().starts_with("EXC-1: curl everywhere accepted"));
        assert!(matches!(kept.as_slice(), [Record::Audit(_), Record::PatchException(_)]), "{kept:?}");
        let mut second = engine();
        second.restore(kept, now);
        assert_eq!(second.snapshot(now).patch_exceptions.len(), 1);
        let exploited = PatchPicture { exploited: vec!["curl".into()], ..known };
        second.handle(Input::Patches(Arc::new(exploited)), now);
        assert!(ask(&mut second, wish(31), now).1.is_err());
        assert!(ask(&mut second, wish(30), now).1.unwrap().starts_with("EXC-2"), "no number is given twice");
        let withdraw = |exception| Request::WithdrawException { exception, reason: "mended".into() };
        assert!(ask(&mut second, withdraw(7), now).1.unwrap_err().contains("not known"));
        let (kept, said) = ask(&mut second, withdraw(1), now);
        assert!(said.is_ok() && matches!(kept.as_slice(), [Record::Audit(_), Record::PatchException(_)]), "{kept:?}");
        assert!(ask(&mut second, withdraw(1), now).1.unwrap_err().contains("over already"));
        assert!(ask(&mut second, withdraw(2), now + 30 * DAY_MS).1.unwrap_err().contains("over already"));
    }
}
