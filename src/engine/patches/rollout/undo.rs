//! What is yet to be taken back, in its order, and whether something is: asked of every member of every group, of whom there may
//! be thousands.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A target that is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Which.
    pub target: String,
    /// Why.
    pub why: String,
}

/// Targets that are to be taken back, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Undo>", into = "Vec<Undo>")]
pub struct Undos {
    order: Vec<Undo>,
    names: BTreeSet<String>,
}

impl Undos {
    /// In the order in which they are taken back.
    pub fn iter(&self) -> std::slice::Iter<'_, Undo> {
        self.order.iter()
    }

    /// The one that is next.
    #[must_use]
    pub fn first(&self) -> Option<&Undo> {
        self.order.first()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Whether a target is among them.
    #[must_use]
    pub fn has(&self, target: &str) -> bool {
        self.names.contains(target)
    }

    /// Its place from 0 and why it is taken back, where it is among them.
    #[must_use]
    pub fn of(&self, target: &str) -> Option<(usize, &Undo)> {
        if !self.has(target) {
            return None;
        }
        self.order.iter().enumerate().find(|(_, undo)| undo.target == target)
    }

    /// Puts one last; one that is there already stays where it is.
    pub fn push(&mut self, undo: Undo) {
        if self.names.insert(undo.target.clone()) {
            self.order.push(undo);
        }
    }

    /// Takes some out.
    pub fn remove(&mut self, targets: &BTreeSet<String>) {
        self.order.retain(|undo| !targets.contains(&undo.target));
        self.names.retain(|name| !targets.contains(name));
    }

    /// Puts them in another order: by the least number first.
    pub fn sort_by_key<K: Ord>(&mut self, number: impl FnMut(&Undo) -> K) {
        self.order.sort_by_key(number);
    }
}

impl From<Vec<Undo>> for Undos {
    fn from(all: Vec<Undo>) -> Self {
        let mut undos = Self::default();
        all.into_iter().for_each(|undo| undos.push(undo));
        undos
    }
}

impl From<Undos> for Vec<Undo> {
    fn from(undos: Undos) -> Self {
        undos.order
    }
}

impl<'a> IntoIterator for &'a Undos {
    type Item = &'a Undo;
    type IntoIter = std::slice::Iter<'a, Undo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_in_it_once_and_what_is_taken_out_is_gone() {
        let undo = |target: &str| Undo { target: target.to_owned(), why: "bad".to_owned() };
        let mut undos = Undos::from(["b", "a", "b", "c"].map(undo).to_vec());
        assert_eq!((undos.len(), undos.first(), undos.of("c").map(|(at, _)| at)), (3, Some(&undo("b")), Some(2)));
        undos.sort_by_key(|undo| undo.target.clone());
        assert_eq!(undos.of("c").map(|(at, _)| at), Some(2));
        undos.remove(&["a", "d"].map(str::to_owned).into());
        assert_eq!((undos.has("a"), undos.has("b"), undos.of("a")), (false, true, None));
        let written = serde_json::to_string(&undos).unwrap();
        assert_eq!(written, r#"[{"target":"b","why":"bad"},{"target":"c","why":"bad"}]"#);
        assert_eq!(serde_json::from_str::<Undos>(&written).unwrap(), undos);
    }
}
