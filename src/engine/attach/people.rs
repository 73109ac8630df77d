//! Who is behind a connection, by what the kernel says of it; what a console says of itself counts for nothing.

use std::sync::{Arc, OnceLock};

use nix::unistd::{Gid, Uid, getuid};
use tokio::net::UnixStream;

use super::names::{LookUp, NameBook, of_the_system};
use crate::engine::model::{Person, Role};
use crate::engine::settings::PeopleSettings;

pub use super::names::Names;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Stranger {
    /// The kernel does not say who it is.
    #[error("the system does not say who is there: {0}")]
    Unknown(std::io::Error),
    /// Nobody says what the user is called.
    #[error("the system does not say who uid {uid} is: {problem}; try again once its directory of users answers")]
    NotTold {
        /// The user's number.
        uid: Uid,
        /// What went wrong.
        problem: Arc<str>,
    },
    /// No role.
    #[error("{name} has no role here; `[people]` of the engine's configuration says who has which")]
    NoRole {
        /// Who.
        name: Arc<str>,
    },
}

/// The user on the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    uid: Uid,
    gid: Gid,
}

impl Peer {
    /// Who is on the other end.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn of(stream: &UnixStream) -> Result<Self, Stranger> {
        let peer = stream.peer_cred().map_err(Stranger::Unknown)?;
        Ok(Self { uid: Uid::from_raw(peer.uid()), gid: Gid::from_raw(peer.gid()) })
    }

    /// Who runs this test.
    #[cfg(test)]
    pub(super) fn oneself() -> Self {
        Self { uid: getuid(), gid: nix::unistd::getgid() }
    }

    /// A user that no system has.
    #[cfg(test)]
    pub(super) fn stranger() -> Self {
        Self { uid: Uid::from_raw(4_000_000_001), gid: Gid::from_raw(4_000_000_001) }
    }

    /// True for the user that the engine runs as.
    #[must_use]
    pub fn is_own(self) -> bool {
        self.uid == getuid()
    }
}

/// Who may ask for how much, and what people are called.
#[derive(Debug)]
pub struct People {
    settings: PeopleSettings,
    names: NameBook,
    /// What we are called ourselves, as it was first said: one person has one name.
    own: OnceLock<Arc<str>>,
}

impl People {
    /// People by these settings, called as the system calls them.
    #[must_use]
    pub fn new(settings: PeopleSettings) -> Self {
        Self::called(settings, Arc::new(of_the_system))
    }

    /// The same, called as `look_up` says. It is asked on threads of its own, and may take its time.
    #[must_use]
    pub fn called(settings: PeopleSettings, look_up: LookUp) -> Self {
        let names = NameBook::new(look_up);
        // Ahead of the first console: it is ours as a rule, and need not wait then.
        let _ahead = names.ask((getuid().as_raw(), nix::unistd::getgid().as_raw()));
        Self { settings, names, own: OnceLock::new() }
    }

    /// Returns once the system has said what we are called.
    #[cfg(test)]
    pub(super) fn told_of_oneself(self) -> Self {
        use super::names::Asked;
        while !matches!(self.names.ask((getuid().as_raw(), nix::unistd::getgid().as_raw())), Asked::Known(_)) {
            std::thread::yield_now();
        }
        self
    }

    /// Who this is.
    ///
    /// # Errors
    /// When it is nobody who is let in.
    pub async fn person(&self, peer: Peer) -> Result<Person, Stranger> {
        let names = self.names.names(peer.uid, peer.gid).await;
        let (name, role) = match names {
            Ok(names) if peer.is_own() => (Arc::clone(self.own.get_or_init(|| names.user)), Some(Role::Admin)),
            Ok(names) => {
                let role = self.settings.role_of(&names.user, &names.groups);
                if let (None, Some(problem)) = (role, names.unknown_group) {
                    return Err(Stranger::NotTold { uid: peer.uid, problem });
                }
                (names.user, role)
            }
            // Whoever the engine belongs to can end it whatever is the matter with the directory.
            Err(_) if peer.is_own() => {
                let number = || Arc::from(format!("uid {}", peer.uid));
                (Arc::clone(self.own.get_or_init(number)), Some(Role::Admin))
            }
            Err(problem) => return Err(Stranger::NotTold { uid: peer.uid, problem }),
        };
        let role = role.ok_or_else(|| Stranger::NoRole { name: Arc::clone(&name) })?;
        Ok(Person { name, role })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::names::Names;
    use super::*;

    #[tokio::test]
    async fn whom_the_kernel_names_is_let_in_by_name_and_nobody_else() {
        let nobody = People::new(PeopleSettings::default()).person(Peer::stranger()).await;
        assert!(matches!(nobody, Err(Stranger::NoRole { name }) if name.as_ref() == "uid 4000000001"));
        let by_name = PeopleSettings { responder: vec!["uid 4000000001".to_owned()], ..PeopleSettings::default() };
        assert_eq!(People::new(by_name).person(Peer::stranger()).await.unwrap().role, Role::Responder);
        assert_eq!(People::new(PeopleSettings::default()).person(Peer::oneself()).await.unwrap().role, Role::Admin);
    }

    #[tokio::test]
    async fn one_person_has_one_name_whatever_the_directory_says_later() {
        let count = std::sync::atomic::AtomicU32::new(0);
        let look_up = move |_, _| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(Names { user: Arc::from("ana"), groups: Arc::from([]), unknown_group: None }),
        };
        let people = People::called(PeopleSettings::default(), Arc::new(look_up));
        let first = people.person(Peer::oneself()).await.unwrap().name;
        let people = people.told_of_oneself();
        assert_eq!(people.person(Peer::oneself()).await.unwrap().name, first);
    }

    #[tokio::test]
    async fn a_group_without_a_name_takes_no_role_away_that_the_name_gives() {
        let look_up = |_, _| {
            let (user, groups) = (Arc::from("bo"), Arc::from([]));
            Ok(Names { user, groups, unknown_group: Some(Arc::from("the directory is gone")) })
        };
        let by_name = PeopleSettings { responder: vec!["bo".to_owned()], ..PeopleSettings::default() };
        let person = People::called(by_name, Arc::new(look_up)).person(Peer::stranger()).await;
        assert_eq!(person.unwrap().role, Role::Responder);
        let by_group = PeopleSettings { responder: vec!["@sre".to_owned()], ..PeopleSettings::default() };
        let refused = People::called(by_group, Arc::new(look_up)).person(Peer::stranger()).await.unwrap_err();
        assert!(refused.to_string().contains("the directory is gone"), "{refused}");
    }

    #[tokio::test]
    async fn where_the_directory_fails_nobody_comes_in_under_a_number_but_oneself() {
        let settings = PeopleSettings { others: Some(Role::Responder), ..PeopleSettings::default() };
        let people = People::called(settings, Arc::new(|_, _| Err(io::Error::from_raw_os_error(5))));
        let problem = people.person(Peer::stranger()).await.unwrap_err().to_string();
        assert!(problem.contains("does not say who uid 4000000001 is") && problem.contains("os error 5"), "{problem}");
        assert_eq!(people.person(Peer::oneself()).await.unwrap().role, Role::Admin);
    }
}
