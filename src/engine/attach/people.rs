//! Who is behind a connection, by what the kernel says of it; what a console says of itself counts for nothing.

use std::ffi::CString;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist, getuid};
use tokio::net::UnixStream;

use crate::engine::model::{Person, Role};
use crate::engine::settings::PeopleSettings;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Stranger {
    /// The kernel does not say who it is.
    #[error("the system does not say who is there: {0}")]
    Unknown(std::io::Error),
    /// No role.
    #[error("{name} has no role here; `[people]` of the engine's configuration says who has which")]
    NoRole {
        /// Who.
        name: String,
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

    /// The person, with no more than the role `cap` where one is wanted.
    ///
    /// # Errors
    /// When it is nobody who is let in.
    pub fn person(self, people: &PeopleSettings, cap: Option<Role>) -> Result<Person, Stranger> {
        let (name, groups) = names(self.uid, self.gid);
        let role = if self.uid == getuid() { Some(Role::Admin) } else { people.role_of(&name, &groups) };
        let role = role.ok_or_else(|| Stranger::NoRole { name: name.clone() })?;
        Ok(Person { name: Arc::from(name), role: cap.map_or(role, |cap| cap.min(role)) })
    }
}

/// The names of a user and of all the groups that it is in: the kernel tells one of them.
fn names(uid: Uid, gid: Gid) -> (String, Vec<String>) {
    let Ok(Some(user)) = User::from_uid(uid) else { return (format!("uid {uid}"), group_names(&[gid])) };
    let all = CString::new(user.name.as_str()).ok().and_then(|name| getgrouplist(&name, gid).ok());
    (user.name, group_names(&all.unwrap_or_else(|| vec![gid])))
}

fn group_names(groups: &[Gid]) -> Vec<String> {
    groups.iter().filter_map(|gid| Group::from_gid(*gid).ok().flatten()).map(|group| group.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user that no system has.
    fn stranger() -> Peer {
        Peer { uid: Uid::from_raw(4_000_000_001), gid: Gid::from_raw(4_000_000_001) }
    }

    #[test]
    fn whom_the_kernel_names_is_let_in_by_name_and_nobody_else() {
        let nobody = stranger().person(&PeopleSettings::default(), None);
        assert!(matches!(nobody, Err(Stranger::NoRole { name }) if name == "uid 4000000001"));
        let by_name = PeopleSettings { responder: vec!["uid 4000000001".to_owned()], ..PeopleSettings::default() };
        assert_eq!(stranger().person(&by_name, None).unwrap().role, Role::Responder);
        let own = Peer { uid: getuid(), gid: nix::unistd::getgid() };
        assert_eq!(own.person(&PeopleSettings::default(), None).unwrap().role, Role::Admin);
    }

    #[test]
    fn a_console_may_ask_for_less_than_its_person_may_and_not_for_more() {
        let people = PeopleSettings { others: Some(Role::Responder), ..PeopleSettings::default() };
        for (cap, role) in [(Role::Viewer, Role::Viewer), (Role::Admin, Role::Responder)] {
            assert_eq!(stranger().person(&people, Some(cap)).unwrap().role, role, "{cap}");
        }
    }
}
