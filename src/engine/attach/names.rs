//! What the system calls users and their groups. It may ask a directory on another machine, which may hang: so it is asked on a thread
//! of its own, for each user once at a time, and what it said before counts where it does not answer.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist, getuid};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::limits::{NAMES_ASKED_MAX, NAMES_FRESH_MS, NAMES_MAX, NAMES_MS_MAX};

/// What a user and all the groups that it is in are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The user.
    pub user: Arc<str>,
    /// The groups, as far as they have names.
    pub groups: Arc<[String]>,
    /// Why one of them could not be named; more roles may come with it.
    pub unknown_group: Option<Arc<str>>,
}

/// Asks the system for the names of a user; the kernel tells one of its groups.
pub type LookUp = Arc<dyn Fn(Uid, Gid) -> io::Result<Names> + Send + Sync>;

/// What is looked at: a user, and the group that the kernel tells.
type Key = (u32, u32);
/// What came of a look, once it is over.
type Told = Option<Result<Names, Arc<str>>>;

/// What the system said of users. Clones are the same book.
#[derive(Clone)]
pub(super) struct NameBook {
    look_up: LookUp,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    /// As it was last said, and when.
    known: BTreeMap<Key, (Names, Instant)>,
    /// Of whom it is asked now.
    asked: BTreeMap<Key, watch::Receiver<Told>>,
}

impl fmt::Debug for NameBook {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("NameBook").finish_non_exhaustive()
    }
}

impl NameBook {
    /// An empty one, filled by `look_up`, which may take its time.
    pub(super) fn new(look_up: LookUp) -> Self {
        Self { look_up, pages: Arc::default() }
    }

    /// What a user is called: as the system says within a limit, else as it said before.
    ///
    /// # Errors
    /// When it said nothing yet and fails, or takes too long. Whoever asks again later hears what came in the meantime.
    pub(super) async fn names(&self, uid: Uid, gid: Gid) -> Result<Names, Arc<str>> {
        let key = (uid.as_raw(), gid.as_raw());
        let told = match self.ask(key) {
            Asked::Known(names) => return Ok(names),
            Asked::Full => Err(Arc::from("it is asked about too many others")),
            Asked::Waits(mut told) => {
                let limit = Duration::from_millis(NAMES_MS_MAX);
                match timeout(limit, told.wait_for(Option::is_some)).await {
                    Ok(Ok(told)) => told.clone().unwrap_or_else(|| Err(Arc::from("it said nothing"))),
                    Ok(Err(_)) => Err(Arc::from("whoever asked it has ended")),
                    Err(_) => Err(Arc::from(format!("it has not answered within {NAMES_MS_MAX} ms"))),
                }
            }
        };
        told.or_else(|problem| {
            let before = self.pages().known.get(&key).map(|(names, _)| names.clone());
            if before.is_some() {
                tracing::warn!("the system does not say who uid {uid} is ({problem}); what it said before counts");
            }
            before.ok_or(problem)
        })
    }

    /// Has the system asked, where it is not being asked and what it said is no longer fresh.
    pub(super) fn ask(&self, key: Key) -> Asked {
        let mut pages = self.pages();
        // Our own name stays what it is for as long as we run.
        let is_fresh =
            |at: &Instant| at.elapsed() < Duration::from_millis(NAMES_FRESH_MS) || key.0 == getuid().as_raw();
        let is_whole = |names: &Names| names.unknown_group.is_none();
        if let Some((names, _)) = pages.known.get(&key).filter(|(names, at)| is_fresh(at) && is_whole(names)) {
            return Asked::Known(names.clone());
        }
        // Where the thread ended without a word it is asked anew.
        if let Some(told) = pages.asked.get(&key).filter(|told| told.has_changed().is_ok()) {
            return Asked::Waits(told.clone());
        }
        if pages.asked.len() >= NAMES_ASKED_MAX {
            return Asked::Full;
        }
        let (tell, told) = watch::channel(None);
        let book = self.clone();
        // Not a task: one that hangs would hold up the end of the program.
        let asking = thread::Builder::new().name("hypo-names".to_owned()).spawn(move || book.look(key, &tell));
        match asking {
            Ok(_detached) => {
                pages.asked.insert(key, told.clone());
                Asked::Waits(told)
            }
            Err(_) => Asked::Full,
        }
    }

    /// Asks the system, for as long as that takes.
    fn look(&self, key: Key, tell: &watch::Sender<Told>) {
        let said = (self.look_up)(Uid::from_raw(key.0), Gid::from_raw(key.1));
        let mut pages = self.pages();
        pages.asked.remove(&key);
        let said = said.map(|names| pages.keep(key, names));
        drop(pages);
        tell.send_replace(Some(said.map_err(|problem| Arc::from(problem.to_string()))));
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Keeps what was said, and gives what counts; where there is no room the oldest goes, but for our own.
    fn keep(&mut self, key: Key, names: Names) -> Names {
        // What was said in full before counts for more than half of it.
        if let Some((known, _)) = self.known.get(&key).filter(|_| names.unknown_group.is_some()) {
            return known.clone();
        }
        self.known.insert(key, (names.clone(), Instant::now()));
        while self.known.len() > NAMES_MAX {
            let others = self.known.iter().filter(|((uid, _), _)| *uid != getuid().as_raw());
            let Some(oldest) = others.min_by_key(|(_, (_, at))| *at).map(|(key, _)| *key) else { break };
            self.known.remove(&oldest);
        }
        names
    }
}

/// What is to be heard of a user.
pub(super) enum Asked {
    /// It is known.
    Known(Names),
    /// The system is asked.
    Waits(watch::Receiver<Told>),
    /// It cannot be asked now.
    Full,
}

/// Asks the system, and waits for it.
///
/// # Errors
/// When it fails, which is not that somebody has no name.
pub(super) fn of_the_system(uid: Uid, gid: Gid) -> io::Result<Names> {
    // Some sources say by an error that they do not know it.
    let user = match User::from_uid(uid) {
        Err(Errno::ENOENT | Errno::ESRCH) => None,
        found => found?,
    };
    let Some(user) = user else { return Ok(with_groups(Arc::from(format!("uid {uid}")), Ok(vec![gid]))) };
    // Who we are ourselves may do everything, whatever the groups.
    if uid == getuid() {
        return Ok(Names { user: Arc::from(user.name), groups: Arc::from([]), unknown_group: None });
    }
    let all = CString::new(user.name.as_str()).map_or(Ok(vec![gid]), |name| getgrouplist(&name, gid));
    Ok(with_groups(Arc::from(user.name), all))
}

/// With the names of groups, as far as they can be told: one that cannot takes nothing away from the others.
fn with_groups(user: Arc<str>, groups: nix::Result<Vec<Gid>>) -> Names {
    let (mut names, mut unknown_group) = (Vec::new(), None);
    let found = groups.map(|groups| groups.into_iter().map(Group::from_gid).collect::<Vec<_>>());
    for group in found.unwrap_or_else(|problem| vec![Err(problem)]) {
        match group {
            Ok(group) => names.extend(group.map(|group| group.name)),
            Err(problem) => unknown_group = Some(Arc::from(problem.to_string())),
        }
    }
    Names { user, groups: Arc::from(names), unknown_group }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// A user that is not us.
    const UID: u32 = 4_000_000_001;

    fn ana() -> Names {
        Names { user: Arc::from("ana"), groups: Arc::from(["sre".to_owned()]), unknown_group: None }
    }

    async fn named(book: &NameBook, uid: u32) -> Result<Names, Arc<str>> {
        book.names(Uid::from_raw(uid), Gid::from_raw(7)).await
    }

    /// All that was remembered is no longer fresh.
    fn let_grow_old(book: &NameBook) {
        let long_ago = Duration::from_millis(NAMES_FRESH_MS + 1);
        for (_, at) in book.pages().known.values_mut() {
            *at = at.checked_sub(long_ago).unwrap();
        }
    }

    #[tokio::test]
    async fn a_directory_that_fails_is_asked_again_and_takes_nobodys_name() {
        let (fails, asked) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(0)));
        let (failing, counted) = (Arc::clone(&fails), Arc::clone(&asked));
        let book = NameBook::new(Arc::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            match failing.load(Ordering::Relaxed) {
                0 => Ok(ana()),
                _ => Err(io::Error::from_raw_os_error(5)),
            }
        }));
        let problem = named(&book, UID).await.unwrap_err();
        assert!(problem.contains("os error 5"), "{problem}");
        fails.store(0, Ordering::Relaxed);
        assert_eq!(named(&book, UID).await, Ok(ana()));
        assert_eq!(named(&book, UID).await, Ok(ana()));
        assert_eq!(asked.load(Ordering::Relaxed), 2, "what is fresh is not asked for again");
        // Later it fails again: what it said before counts.
        fails.store(1, Ordering::Relaxed);
        let_grow_old(&book);
        assert_eq!(named(&book, UID).await, Ok(ana()));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    /// The clock moves by itself while nothing can be done, so the limit takes no time.
    #[tokio::test(start_paused = true)]
    async fn a_directory_that_hangs_is_waited_for_by_one_thread_and_heard_once_it_speaks() {
        let (speak, speaks) = mpsc::channel::<()>();
        let speaks = Mutex::new(speaks);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let book = NameBook::new(Arc::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let spoken = speaks.lock().unwrap().recv_timeout(Duration::from_secs(30));
            spoken.map(|()| ana()).map_err(io::Error::other)
        }));
        for _ in 0..3 {
            let problem = named(&book, UID).await.unwrap_err();
            assert!(problem.contains("has not answered within 3000 ms"), "{problem}");
        }
        for other in 1..NAMES_ASKED_MAX as u32 {
            named(&book, UID + other).await.unwrap_err();
        }
        let problem = named(&book, UID + 100).await.unwrap_err();
        assert!(problem.contains("too many others"), "{problem}");
        let begun = Instant::now();
        while asked.load(Ordering::Relaxed) < NAMES_ASKED_MAX && begun.elapsed() < Duration::from_secs(30) {
            thread::yield_now();
        }
        assert_eq!(asked.load(Ordering::Relaxed), NAMES_ASKED_MAX, "one thread for each of them");
        for _ in 0..NAMES_ASKED_MAX {
            speak.send(()).unwrap();
        }
        while !book.pages().asked.is_empty() && begun.elapsed() < Duration::from_secs(30) {
            thread::yield_now();
        }
        assert_eq!(named(&book, UID).await, Ok(ana()), "it answered in the meantime");
    }

    #[test]
    fn of_those_that_are_remembered_the_oldest_goes_and_never_oneself() {
        let mut pages = Pages::default();
        let own = (getuid().as_raw(), 7);
        pages.keep(own, ana());
        for uid in 0..=NAMES_MAX as u32 {
            pages.keep((UID + uid, 7), ana());
        }
        assert_eq!(pages.known.len(), NAMES_MAX);
        assert!(pages.known.contains_key(&own) && !pages.known.contains_key(&(UID, 7)));
        assert!(pages.known.contains_key(&(UID + NAMES_MAX as u32, 7)));
    }
}
