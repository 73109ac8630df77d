//! What a run is for: an incident that is to be mended, or a machine whose patches a rollout installs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::ids::{IncidentId, RolloutId};

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunSubject {
    /// To mend what broke.
    Incident(IncidentId),
    /// To patch one machine.
    Rollout(RolloutTarget),
}

/// One machine of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RolloutTarget {
    /// Which rollout.
    pub rollout: RolloutId,
    /// The machine, by its name in the inventory.
    pub asset: Arc<str>,
}

impl RunSubject {
    /// The incident, where it is for one.
    #[must_use]
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::Incident(id) => Some(*id),
            Self::Rollout(_) => None,
        }
    }

    /// The machine of a rollout, where it is for one.
    #[must_use]
    pub fn rollout(&self) -> Option<&RolloutTarget> {
        match self {
            Self::Incident(_) => None,
            Self::Rollout(target) => Some(target),
        }
    }
}

impl From<IncidentId> for RunSubject {
    fn from(id: IncidentId) -> Self {
        Self::Incident(id)
    }
}

impl fmt::Display for RunSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(id) => write!(out, "{id}"),
            Self::Rollout(RolloutTarget { rollout, asset }) => write!(out, "{asset} of {rollout}"),
        }
    }
}

/// As it is written today.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Incident(IncidentId),
    Rollout(RolloutTarget),
}

/// As text may hold it: runs were for incidents only once, and their number stood there alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(IncidentId),
    Tagged(Tagged),
}

impl<'de> Deserialize<'de> for RunSubject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = if deserializer.is_human_readable() {
            Written::deserialize(deserializer)?
        } else {
            Written::Tagged(Tagged::deserialize(deserializer)?)
        };
        Ok(match written {
            Written::Number(id) | Written::Tagged(Tagged::Incident(id)) => Self::Incident(id),
            Written::Tagged(Tagged::Rollout(target)) => Self::Rollout(target),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_there_were_rollouts_is_still_read() {
        let target = RunSubject::Rollout(RolloutTarget { rollout: RolloutId(7), asset: "web-1".into() });
        for subject in [RunSubject::Incident(IncidentId(42)), target.clone()] {
            let text = serde_json::to_string(&subject).unwrap();
            assert_eq!(serde_json::from_str::<RunSubject>(&text).unwrap(), subject);
            let bytes = postcard::to_stdvec(&subject).unwrap();
            assert_eq!(postcard::from_bytes::<RunSubject>(&bytes).unwrap(), subject);
        }
        assert_eq!(serde_json::from_str::<RunSubject>("42").unwrap(), RunSubject::Incident(IncidentId(42)));
        assert_eq!(target.to_string(), "web-1 of RO-7");
    }
}
