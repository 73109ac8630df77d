//! The thread that writes down what would be left behind, so that a slow disk never holds a key up. It always writes the newest.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::LeftOff;
use super::file::{Found, Shelf};
use crate::engine::clock::Timestamp;
use crate::engine::snapshot::FileProblem;

/// How long an ending waits for the disk.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Keeps what would be left behind; of a console that leaves nothing, nothing.
#[derive(Debug)]
pub struct Keeper {
    desk: Option<Arc<Desk>>,
    last: LeftOff,
}

/// What the console and the thread share.
#[derive(Debug, Default)]
struct Desk {
    order: Mutex<Order>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Order {
    /// What is to be written next.
    left: Option<(LeftOff, Timestamp)>,
    /// Why the last could not be written, not told yet.
    problem: Option<String>,
    /// True once nothing more comes.
    is_over: bool,
    /// True once all is written.
    is_done: bool,
}

impl Keeper {
    /// Begins to keep, in `folder` where there is one, and gives what was found there.
    #[must_use]
    pub fn begin(folder: Option<&Path>, now: Timestamp) -> (Self, Found) {
        let none = |found| (Self { desk: None, last: LeftOff::default() }, found);
        let Some(folder) = folder else { return none(Found::default()) };
        let begun = Shelf::open(folder, now).map_err(|problem| problem.to_string()).and_then(|(shelf, found)| {
            let desk = Arc::new(Desk::default());
            let at_desk = Arc::clone(&desk);
            let thread = thread::Builder::new().name("hypo-left-off".to_owned());
            let following = move || {
                at_desk.follow(&shelf);
                // Whoever starts once this has ended finds the file free.
                drop(shelf);
                at_desk.order().is_done = true;
                at_desk.bell.notify_all();
            };
            thread.spawn(following).map_err(|problem| untold(&problem))?;
            Ok((desk, found))
        });
        match begun {
            Ok((desk, found)) => (Self { desk: Some(desk), last: found.left.clone() }, found),
            Err(text) => {
                let problem = FileProblem { file: folder.display().to_string().into(), line: 0, text: text.into() };
                none(Found { problems: vec![problem], ..Found::default() })
            }
        }
    }

    /// True where anything is kept.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.desk.is_some()
    }

    /// What was kept last.
    #[must_use]
    pub fn last(&self) -> &LeftOff {
        &self.last
    }

    /// Keeps this where it is new. Gives why what came before could not be kept, once.
    pub fn keep(&mut self, left: LeftOff, now: Timestamp) -> Option<String> {
        let desk = self.desk.as_ref()?;
        let mut order = desk.order();
        if left != self.last {
            self.last = left.clone();
            order.left = Some((left, now));
            desk.bell.notify_all();
        }
        order.problem.take()
    }

    /// Keeps this as the last there is, and waits for it, but not for a disk that hangs.
    pub fn end(&mut self, left: LeftOff, now: Timestamp) {
        let Some(desk) = self.desk.take() else { return };
        let mut order = desk.order();
        (order.left, order.is_over) = (Some((left, now)), true);
        desk.bell.notify_all();
        let waited = desk.bell.wait_timeout_while(order, LAST_WAIT, |order| !order.is_done);
        let (order, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !order.is_done {
            tracing::warn!("the disk did not take what was left behind within {} s", LAST_WAIT.as_secs());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The thread, and its lock on the file, go with the console.
        if let Some(desk) = &self.desk {
            desk.order().is_over = true;
            desk.bell.notify_all();
        }
    }
}

impl Desk {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, shelf: &Shelf) {
        let mut texts = Vec::new();
        loop {
            let waiting = |order: &mut Order| order.left.is_none() && !order.is_over;
            let mut order = self.bell.wait_while(self.order(), waiting).unwrap_or_else(PoisonError::into_inner);
            let Some((left, at)) = order.left.take() else { return };
            drop(order);
            // Where a mark stands is not worth a flush.
            let is_flushed = left.texts != texts;
            match shelf.write(&left, at, is_flushed) {
                Ok(()) => texts = left.texts,
                Err(problem) => {
                    tracing::warn!("{}", untold(&problem));
                    self.order().problem = Some(untold(&problem));
                }
            }
        }
    }
}

fn untold(problem: &io::Error) -> String {
    format!("what you type is not kept for another start: {problem}; send it before you leave")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::IncidentId;
    use crate::views::ui_state::{Unsent, Written};

    fn left(text: &str) -> LeftOff {
        let lines = vec![text.to_owned()];
        let text = Unsent { incident: IncidentId(3), what: Written::Note, lines, at: Timestamp(5) };
        LeftOff { texts: vec![text], ..LeftOff::default() }
    }

    #[test]
    fn the_newest_is_there_for_the_next_and_none_is_written_where_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mut keeper, found) = Keeper::begin(Some(folder.path()), Timestamp(10));
        assert!(found.left.texts.is_empty() && found.problems.is_empty());
        for count in 0..50 {
            assert_eq!(keeper.keep(left(&format!("text {count}")), Timestamp(count)), None);
        }
        keeper.end(left("the last"), Timestamp(60));
        let (_keeper, found) = Keeper::begin(Some(folder.path()), Timestamp(70));
        assert_eq!(found.left.texts, left("the last").texts);
        let (mut none, _) = Keeper::begin(None, Timestamp(70));
        assert_eq!(none.keep(left("nowhere"), Timestamp(80)), None);
        assert!(!none.keeps());
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_told_and_the_console_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (keeper, found) = Keeper::begin(Some(&file), Timestamp(10));
        assert!(!keeper.keeps());
        assert!(found.problems[0].text.contains("not kept"), "{:?}", found.problems);
    }

    #[test]
    fn what_could_not_be_written_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("left-off");
        let (mut keeper, _) = Keeper::begin(Some(&path), Timestamp(10));
        std::fs::remove_dir_all(&path).unwrap();
        let (mut told, mut count) = (None, 0);
        while told.is_none() {
            count += 1;
            told = keeper.keep(left(&format!("text {count}")), Timestamp(count));
            thread::yield_now();
        }
        assert!(told.unwrap().contains("send it before you leave"));
    }
}
