//! Who may ask the engine for how much, and where it is reached.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::model::Role;

/// Who has which role, by the names of Unix users; `@name` means everybody in that Unix group. Of several the highest counts.
/// Whoever the engine runs as may always ask for everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleSettings {
    /// Who looks and asks questions.
    pub viewer: Vec<String>,
    /// Who works on incidents and walks runbooks.
    pub responder: Vec<String>,
    /// Who lets acts begin again, speaks to those outside, and decides on patches.
    pub commander: Vec<String>,
    /// Who runs the engine.
    pub admin: Vec<String>,
    /// What everybody else is who reaches the socket; nobody else is let in where it is absent.
    pub others: Option<Role>,
}

impl PeopleSettings {
    /// Everybody who is named with a role by which something can be theirs; who is in a group only the system knows.
    pub fn named_to_act(&self) -> impl Iterator<Item = &str> {
        let names = [&self.responder, &self.commander, &self.admin].into_iter().flatten().map(String::as_str);
        names.filter(|name| !name.starts_with('@'))
    }

    /// True where people come whom no name here tells: members of a group, or whoever else there is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let mut names = [&self.responder, &self.commander, &self.admin].into_iter().flatten();
        self.others >= Some(Role::Responder) || names.any(|name| name.starts_with('@'))
    }

    /// The role of a user in these groups; `None` is not let in.
    #[must_use]
    pub fn role_of(&self, name: &str, groups: &[String]) -> Option<Role> {
        let is_named = |names: &[String]| {
            names.iter().any(|known| match known.strip_prefix('@') {
                Some(group) => groups.iter().any(|own| own == group),
                None => known == name,
            })
        };
        let by_role = [
            (Role::Admin, &self.admin),
            (Role::Commander, &self.commander),
            (Role::Responder, &self.responder),
            (Role::Viewer, &self.viewer),
        ];
        by_role.into_iter().find(|(_, names)| is_named(names)).map(|(role, _)| role).or(self.others)
    }
}

/// Where consoles reach the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttachSettings {
    /// The socket; beside the store where it is absent, where only the engine's own user gets at it.
    pub socket: Option<PathBuf>,
    /// The Unix group that may connect to it, where others than the engine's own user are to.
    pub group: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_counts_and_groups_are_marked() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let settings = PeopleSettings {
            viewer: names(&["ana", "@staff"]),
            commander: names(&["@sre", "bo"]),
            admin: names(&["ops"]),
            ..PeopleSettings::default()
        };
        let role = |name: &str, groups: &[&str]| settings.role_of(name, &names(groups));
        assert_eq!(role("ana", &["staff", "sre"]), Some(Role::Commander));
        assert_eq!(role("ana", &[]), Some(Role::Viewer));
        assert_eq!(role("bo", &[]), Some(Role::Commander));
        assert_eq!(role("ops", &["staff"]), Some(Role::Admin));
        // A user who is called as a group is none of the group, and the other way round.
        assert_eq!(role("sre", &[]), None);
        assert_eq!(role("eve", &["bo"]), None);
        let open = PeopleSettings { others: Some(Role::Viewer), ..settings };
        assert_eq!(open.role_of("eve", &[]), Some(Role::Viewer));
    }
}
