//! Looks that a machine must pass right before its packages change.

use serde::{Deserialize, Serialize};

use super::super::policy::readable;
use crate::engine::model::DATABASE_PROOFS;

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofSettings {
    /// The classes of servers, as a regular expression for the whole name.
    pub class: String,
    /// Program and arguments, run on the machine.
    pub look: Vec<String>,
    /// A regular expression for a line of what it says; empty where it is enough that it ends with 0.
    #[serde(default)]
    pub expect: String,
    /// What it proves of a server that may hold data: `role`, `replica_lag`, `backup_age`, `no_long_transaction`, `drain_plan`.
    #[serde(default)]
    pub proves: Vec<String>,
}

impl ProofSettings {
    pub(in crate::engine::settings) fn check(&self) -> Result<(), String> {
        readable("class", &self.class)?;
        readable("expect", &self.expect)?;
        if self.look.first().is_none_or(|program| program.is_empty() || program.starts_with('-')) {
            return Err("`look` under [[patches.proof]] names no program; write one and its arguments".to_owned());
        }
        let unknown = self.proves.iter().find(|proof| !DATABASE_PROOFS.contains(&proof.as_str()));
        match unknown {
            Some(proof) => Err(format!(
                "`proves` under [[patches.proof]] has `{proof}`; what can be proved is {}",
                DATABASE_PROOFS.join(", ")
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_names_a_program_and_proves_what_is_known() {
        let proof = |look: &[&str], expect: &str, proves: &[&str]| {
            let texts = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
            ProofSettings {
                class: "db".to_owned(),
                look: texts(look),
                expect: expect.to_owned(),
                proves: texts(proves),
            }
        };
        assert_eq!(proof(&["db-check", "lag"], "^ok", &["replica_lag"]).check(), Ok(()));
        assert_eq!(proof(&["db-check"], "", &[]).check(), Ok(()));
        for (wrong, says) in [
            (proof(&[], "", &[]), "names no program"),
            (proof(&["-c"], "", &[]), "names no program"),
            (proof(&["x"], "(", &[]), "`expect`"),
            (proof(&["x"], "", &["lag"]), "has `lag`; what can be proved is role"),
        ] {
            assert!(wrong.check().unwrap_err().contains(says), "{wrong:?}");
        }
    }
}
