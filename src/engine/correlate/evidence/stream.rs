//! Following a stream that never ends: what is thought of each word now, what is settled, and what may be forgotten.

use super::casebook::{Casebook, FaceState, NOBODY, Verdict};

impl Casebook {
    /// What has been settled for good since this was last asked.
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    /// What is thought now of every word that is not settled: its token and its case, oldest first.
    pub fn standing(&self) -> impl Iterator<Item = (u32, Option<u32>)> {
        self.words.iter().map(|word| (word.token, Some(word.case).filter(|case| *case != NOBODY)))
    }

    /// Forgets changes and cases that were over before `before`, and faces that were not heard since: their numbers, which
    /// may be given to other faces from now on, are returned. What the window or a live case still needs is kept.
    pub fn forget(&mut self, before: i64) -> Vec<u32> {
        self.changes.retain(|(at, _)| *at >= before);
        self.over.retain(|_, (_, ended)| *ended >= before);
        let mut gone = Vec::new();
        for (face, state) in (0_u32..).zip(&mut self.states) {
            let is_needed = !state.words.is_empty() || !state.homes.is_empty() || state.last_at >= before;
            if state.is_free || is_needed {
                continue;
            }
            *state = FaceState { is_free: true, ..FaceState::default() };
            let what = self.faces[face as usize].what as usize;
            if let Some(known) = self.class_faces.get_mut(what) {
                *known -= 1.0;
            }
            gone.push(face);
        }
        self.free.extend(&gone);
        gone
    }

    /// How many faces are remembered.
    pub fn face_count(&self) -> usize {
        self.states.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::labels;

    const DAY_MS: i64 = 86_400_000;

    fn face(book: &mut Casebook, service: &str) -> u32 {
        let face = labels::read(book, "HighErrorRate", None, [("service", service)].into_iter());
        book.face(face)
    }

    #[test]
    fn a_word_is_standing_until_it_is_settled() {
        let mut book = Casebook::default();
        let web = face(&mut book, "web");
        book.hear(web, 1_000, 7);
        book.step(2_000);
        assert_eq!(book.standing().collect::<Vec<_>>(), [(7, None)]);
        assert!(book.take_verdicts().is_empty());
        book.step(DAY_MS);
        assert_eq!(book.standing().count(), 0);
        let settled: Vec<_> = book.take_verdicts().iter().map(|verdict| (verdict.token, verdict.case)).collect();
        assert_eq!(settled, [(7, None)]);
        assert!(book.take_verdicts().is_empty(), "told once");
    }

    #[test]
    fn days_of_new_names_stay_bounded() {
        let mut book = Casebook::default();
        for hour in 0..240_i64 {
            for nth in 0..40_i64 {
                let name = face(&mut book, &format!("service-{}", nth % 7));
                book.hear(name, hour * 3_600_000 + nth * 500, u32::try_from(hour * 40 + nth).unwrap());
            }
            book.step((hour + 1) * 3_600_000);
            book.take_verdicts();
            book.forget(hour * 3_600_000 - 2 * 3_600_000);
        }
        assert!(book.face_count() <= 200, "{}", book.face_count());
        assert!(book.cases.len() <= 4 && book.over.len() <= 12, "{} {}", book.cases.len(), book.over.len());
        assert_eq!(book.standing().count(), 0);
    }

    #[test]
    fn the_number_of_a_forgotten_face_is_given_again() {
        let mut book = Casebook::default();
        let old = face(&mut book, "web");
        book.hear(old, 0, 0);
        let new = face(&mut book, "shop");
        book.hear(new, DAY_MS, 1);
        book.step(DAY_MS);
        assert_eq!(book.forget(DAY_MS / 2), [old]);
        assert!(book.forget(DAY_MS / 2).is_empty(), "forgotten once");
        assert_eq!(face(&mut book, "cart"), old);
        assert_ne!(face(&mut book, "bank"), new, "what is in the window is kept");
    }
}
