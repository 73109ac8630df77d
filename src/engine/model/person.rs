//! Who asks the engine for something, and how much that person may ask for.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How much a person may ask for; each role may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks, asks questions, and stops everything.
    Viewer,
    /// Works on incidents and walks runbooks.
    Responder,
    /// Lets acts begin again, speaks to those outside, and decides on patches.
    Commander,
    /// Runs the engine itself.
    Admin,
}

impl Role {
    /// The role that is called so.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Responder, Self::Commander, Self::Admin].into_iter().find(|role| role.word() == word)
    }

    /// As the configuration and people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Commander => "commander",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A person who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name that timelines and the audit log show.
    pub name: Arc<str>,
    /// How much may be asked for.
    pub role: Role,
}

impl Person {
    /// One in whose own process the engine runs, who may ask for everything.
    #[must_use]
    pub fn admin(name: &str) -> Self {
        Self { name: Arc::from(name), role: Role::Admin }
    }
}
