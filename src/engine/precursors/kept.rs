//! What is kept of signatures between two starts of the program: one text, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Precursors;
use super::sign::Background;
use super::signature::Signature;
use crate::engine::model::IncidentId;

/// The form in which it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptPrecursors {
    background: Background,
    signatures: BTreeMap<IncidentId, Signature>,
}

impl Precursors {
    /// What is to be kept, where anything changed since it was last asked for.
    pub fn to_keep(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.is_unkept) {
            return None;
        }
        let kept = KeptPrecursors { background: self.background.clone(), signatures: self.signatures.clone() };
        // Numbers and text always have a form in JSON.
        serde_json::to_string(&kept).ok()
    }

    /// Takes back what was kept.
    ///
    /// # Errors
    /// When the text is not what [`Self::to_keep`] gave; learning then begins anew.
    pub fn restore(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let KeptPrecursors { background, signatures } = serde_json::from_str(text)?;
        (self.background, self.signatures) = (background, signatures);
        Ok(())
    }
}

/// A map as a list of pairs, for keys that are no text.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
