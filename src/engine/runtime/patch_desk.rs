//! The thread that finds what must be patched: it reads feeds and inventory whenever they change, and hands the queue to
//! the engine as an input. What it read is let go of again; only the picture stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, watch};

use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::limits::{PATCH_AGAIN_MS, PATCH_LOOK_MS, PATCH_PAUSE_MS_MIN, PATCH_WORK_SHARE};
use crate::engine::model::IncidentId;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::causes;
use crate::engine::patches::exceptions::PatchException;
use crate::engine::patches::inventory::file;
use crate::engine::patches::keeping::Keeping;
use crate::engine::patches::office::OfficeError;
use crate::engine::patches::picture::{PatchPicture, PictureState};
use crate::engine::patches::shelf::Shelf;
use crate::engine::settings::PatchSettings;
use crate::engine::snapshot::Snapshot;

/// What a file looked like from outside: enough to see that it changed.
type Mark = (PathBuf, Option<(SystemTime, u64)>);

/// What was read, seen from outside: it differs once something of it has changed.
#[derive(PartialEq)]
enum Marks {
    /// Files.
    Files(Vec<Mark>),
    /// The number of changes in memory.
    Revision(u64),
}

/// Finds what must be patched by what is kept, for as long as somebody listens. Where nothing is kept nothing comes.
pub(super) fn watch(
    keeping: Option<Keeping>,
    settings: PatchSettings,
    snapshots: watch::Receiver<Arc<Snapshot>>,
) -> mpsc::Receiver<Arc<PatchPicture>> {
    let (pictures, receiver) = mpsc::channel(1);
    if let Some(keeping) = keeping {
        let desk = Desk { keeping, settings, snapshots, last: PatchPicture::default() };
        // Not waited for at the end: it changes nothing but the ledger, which is replaced as a whole or not at all.
        let spawned = thread::Builder::new().name("hypo-patches".to_owned()).spawn(move || desk.work(&pictures));
        if let Err(problem) = spawned {
            tracing::error!("what must be patched is not looked for: {problem}");
        }
    }
    receiver
}

struct Desk {
    keeping: Keeping,
    settings: PatchSettings,
    /// For the exceptions that people make, and the incidents.
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What was found last.
    last: PatchPicture,
}

/// What people and incidents say beside the files.
#[derive(PartialEq)]
struct Said {
    exceptions: Vec<Arc<PatchException>>,
    /// What live incidents are about.
    causes: BTreeMap<AdvisoryId, IncidentId>,
}

impl Desk {
    fn work(mut self, pictures: &mpsc::Sender<Arc<PatchPicture>>) {
        self.last.state = PictureState::Loading;
        // It errs once the engine is gone, and then nobody is left to look for.
        while pictures.blocking_send(Arc::new(self.last.clone())).is_ok() {
            let (marks, said, started) = (marks(&self.keeping), self.said(), Instant::now());
            let next_at = self.look(&said, wall_clock::now());
            if pictures.blocking_send(Arc::new(self.last.clone())).is_err() {
                return;
            }
            // What takes long is done less often, so that it never takes more than its share of a core.
            thread::sleep(Duration::from_millis(PATCH_PAUSE_MS_MIN).max(started.elapsed() * PATCH_WORK_SHARE));
            let is_same = || marks == self::marks(&self.keeping) && said == self.said();
            while is_same() && wall_clock::now() < next_at {
                if pictures.is_closed() {
                    return;
                }
                thread::sleep(Duration::from_millis(PATCH_LOOK_MS));
            }
        }
    }

    fn said(&self) -> Said {
        let snapshot = self.snapshots.borrow();
        let causes = causes::named_by(snapshot.incidents.iter().map(Arc::as_ref));
        Said { exceptions: snapshot.patch_exceptions.clone(), causes }
    }

    /// Finds it anew; says when to look again though no file changes.
    fn look(&mut self, said: &Said, now: Timestamp) -> Timestamp {
        match self.found(said, now) {
            Ok((picture, next_at)) => {
                self.last = picture;
                next_at
            }
            Err(problem) => {
                // What was found before is better than nothing, as long as it says what it is.
                self.last.problem = Some(Arc::from(problem.to_string()));
                now + PATCH_AGAIN_MS
            }
        }
    }

    fn found(&self, said: &Said, now: Timestamp) -> Result<(PatchPicture, Timestamp), OfficeError> {
        let (picture, next) = self.keeping.picture(&said.exceptions, &said.causes, &self.settings, now)?;
        let next_at = (now + PATCH_AGAIN_MS).min(next.unwrap_or(Timestamp(i64::MAX)));
        Ok((picture, next_at))
    }
}

/// The inventory and the feeds. What is only noted here, such as first matches, is not among them.
fn marks(keeping: &Keeping) -> Marks {
    match keeping {
        Keeping::Folder(folder) => Marks::Files(file_marks(folder)),
        Keeping::Memory(memory) => Marks::Revision(memory.revision()),
    }
}

fn file_marks(folder: &Path) -> Vec<Mark> {
    let shelf = Shelf::of(folder);
    let mut files = vec![folder.join("inventory"), folder.join(file::TRIES)];
    let feeds = std::fs::read_dir(shelf.folder()).into_iter().flatten().filter_map(Result::ok);
    let is_told = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "feed" || kind == "json");
    files.extend(feeds.map(|entry| entry.path()).filter(is_told));
    files.sort();
    let mark = |file: PathBuf| {
        let seen = std::fs::metadata(&file).ok();
        let seen = seen.and_then(|seen| seen.modified().ok().map(|modified| (modified, seen.len())));
        (file, seen)
    };
    files.into_iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::inventory::{AssetNews, Fleet, Package};

    fn keep_asset(folder: &Path, name: &str) {
        let mut fleet: Fleet = file::load(folder).unwrap();
        let packages = Some(vec![Package { name: "a".into(), version: "1".into(), ..Package::default() }]);
        fleet.take(name, AssetNews { packages, ..AssetNews::default() }, "x", Timestamp(1));
        file::keep(folder, &fleet).unwrap();
    }

    fn next(pictures: &mut mpsc::Receiver<Arc<PatchPicture>>) -> Arc<PatchPicture> {
        pictures.blocking_recv().unwrap()
    }

    #[test]
    fn files_that_change_are_read_again_and_damage_keeps_what_was_found() {
        let folder = tempfile::tempdir().unwrap();
        keep_asset(folder.path(), "one");
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty()));
        let mut pictures = watch(Some(Keeping::Folder(folder.path().to_owned())), PatchSettings::default(), receiver);
        assert_eq!(next(&mut pictures).state, PictureState::Loading);
        let first = next(&mut pictures);
        assert_eq!((first.state, first.asset_count, first.feeds.len()), (PictureState::Ready, 1, 5));
        assert_eq!(first.gaps[0].example.as_ref(), "one", "no feed was ever taken");
        drop(snapshots);
        keep_asset(folder.path(), "two");
        let until = |pictures: &mut mpsc::Receiver<_>, is_it: &dyn Fn(&PatchPicture) -> bool| loop {
            let picture = next(pictures);
            if is_it(&picture) {
                return picture;
            }
        };
        until(&mut pictures, &|picture| picture.asset_count == 2);
        std::fs::write(folder.path().join("inventory"), "cut").unwrap();
        let last = until(&mut pictures, &|picture| picture.problem.is_some());
        assert_eq!((last.state, last.asset_count), (PictureState::Ready, 2));
        assert!(last.problem.as_ref().unwrap().contains("is damaged"), "{:?}", last.problem);
    }

    #[test]
    fn where_nothing_is_kept_nothing_comes() {
        let (_snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty()));
        assert!(watch(None, PatchSettings::default(), receiver).blocking_recv().is_none());
    }
}
