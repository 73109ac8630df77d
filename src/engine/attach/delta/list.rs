//! What differs between two lists of shared things: runs of the old one that stay, and what is new, in the order of the new one.
//!
//! Nothing is known of the things but whether they are the same. So what is made of a delta is the new list by construction,
//! whatever was moved, doubled or taken out between; a match that is overlooked makes a delta longer and never wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::DeltaProblem;
use crate::engine::limits::PICTURE_ITEMS_MAX;

/// The next things of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Op<T> {
    /// So many of the old list, from this place on.
    Keep { from: usize, len: usize },
    /// One that the old list does not have.
    New(Arc<T>),
}

/// How a list is made from an older one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ListDelta<T> {
    /// How long the older one is.
    old_len: usize,
    ops: Vec<Op<T>>,
}

/// How a map of lists is made from an older one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MapDelta<K, T> {
    /// What the new one does not have, in order.
    gone: Vec<K>,
    /// What it has otherwise, in order; what is under no key of the older one is made from an empty list.
    changed: Vec<(K, ListDelta<T>)>,
}

fn is_same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl<T: PartialEq> ListDelta<T> {
    /// How `new` is made from `old`; `None` where they are the same.
    pub(super) fn between(old: &[Arc<T>], new: &[Arc<T>]) -> Option<Self> {
        let delta = Self::of(old, new);
        let is_whole = |from: usize, len: usize| from == 0 && len == old.len();
        match delta.ops[..] {
            [] if old.is_empty() => None,
            [Op::Keep { from, len }] if is_whole(from, len) => None,
            _ => Some(delta),
        }
    }

    fn of(old: &[Arc<T>], new: &[Arc<T>]) -> Self {
        let mut ops = Vec::new();
        // Things are shared between pictures, so that one that was moved is found by where it is in memory.
        let mut places: Option<FxHashMap<*const T, usize>> = None;
        let mut next = 0;
        for (at, thing) in new.iter().enumerate() {
            // Where those before it went on; one further, where one went; at its own place, where others came and went.
            let near = [next, next + 1, at].into_iter();
            let mut found = near.filter(|at| old.get(*at).is_some_and(|there| is_same(there, thing)));
            let place = found.next().or_else(|| {
                let places = places.get_or_insert_with(|| {
                    old.iter().enumerate().map(|(at, there)| (Arc::as_ptr(there), at)).collect()
                });
                places.get(&Arc::as_ptr(thing)).copied()
            });
            match (place, ops.last_mut()) {
                (Some(place), Some(Op::Keep { from, len })) if *from + *len == place => *len += 1,
                (Some(place), _) => ops.push(Op::Keep { from: place, len: 1 }),
                (None, _) => ops.push(Op::New(Arc::clone(thing))),
            }
            if let Some(place) = place {
                next = place + 1;
            }
        }
        Self { old_len: old.len(), ops }
    }
}

impl<T> ListDelta<T> {
    /// The new list; `name` is what problems call it.
    fn apply(self, old: &[Arc<T>], name: &'static str) -> Result<Vec<Arc<T>>, DeltaProblem> {
        if self.old_len != old.len() {
            return Err(DeltaProblem::OtherList { list: name, wanted: self.old_len, found: old.len() });
        }
        let of = |op: &Op<T>| if let Op::Keep { len, .. } = op { *len } else { 1 };
        let length = self.ops.iter().map(of).fold(0usize, usize::saturating_add);
        if length > PICTURE_ITEMS_MAX {
            return Err(DeltaProblem::TooMany { list: name, length });
        }
        let mut new = Vec::with_capacity(length);
        for op in self.ops {
            match op {
                Op::New(thing) => new.push(thing),
                Op::Keep { from, len } => {
                    let kept = from.checked_add(len).and_then(|end| old.get(from..end));
                    let beyond = || DeltaProblem::Beyond { list: name, from, len, found: old.len() };
                    new.extend_from_slice(kept.ok_or_else(beyond)?);
                }
            }
        }
        Ok(new)
    }
}

/// The list that `delta` makes of `old`; the same where it is `None`.
pub(super) fn applied<T>(
    delta: Option<ListDelta<T>>,
    old: &[Arc<T>],
    name: &'static str,
) -> Result<Vec<Arc<T>>, DeltaProblem> {
    delta.map_or_else(|| Ok(old.to_vec()), |delta| delta.apply(old, name))
}

impl<K: Ord + Copy, T: PartialEq> MapDelta<K, T> {
    /// How `new` is made from `old`; `None` where they are the same.
    pub(super) fn between(old: &BTreeMap<K, Vec<Arc<T>>>, new: &BTreeMap<K, Vec<Arc<T>>>) -> Option<Self> {
        let gone: Vec<K> = old.keys().filter(|key| !new.contains_key(key)).copied().collect();
        let change = |(key, list): (&K, &Vec<Arc<T>>)| match old.get(key) {
            Some(before) => ListDelta::between(before, list).map(|delta| (*key, delta)),
            None => Some((*key, ListDelta::of(&[], list))),
        };
        let changed: Vec<_> = new.iter().filter_map(change).collect();
        (!gone.is_empty() || !changed.is_empty()).then_some(Self { gone, changed })
    }
}

/// The map that `delta` makes of `old`; the same where it is `None`.
pub(super) fn applied_to_map<K: Ord + Copy, T>(
    delta: Option<MapDelta<K, T>>,
    old: &BTreeMap<K, Vec<Arc<T>>>,
    name: &'static str,
) -> Result<BTreeMap<K, Vec<Arc<T>>>, DeltaProblem> {
    let mut new = old.clone();
    let Some(delta) = delta else { return Ok(new) };
    let is_in_order = delta.gone.is_sorted_by(|one, next| one < next)
        && delta.changed.is_sorted_by(|(one, _), (next, _)| one < next)
        && delta.gone.iter().all(|key| new.remove(key).is_some());
    if !is_in_order {
        return Err(DeltaProblem::OtherKeys { list: name });
    }
    for (key, change) in delta.changed {
        let list = change.apply(old.get(&key).map_or(&[][..], Vec::as_slice), name)?;
        new.insert(key, list);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shared(texts: &[&str]) -> Vec<Arc<String>> {
        texts.iter().map(|text| Arc::new((*text).to_owned())).collect()
    }

    fn ops(old: &[Arc<String>], new: &[Arc<String>]) -> String {
        let told = |op: &Op<String>| match op {
            Op::Keep { from, len } => format!("{from}+{len}"),
            Op::New(text) => text.to_string(),
        };
        ListDelta::between(old, new)
            .map_or("same".to_owned(), |delta| delta.ops.iter().map(told).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn only_what_is_new_is_sent() {
        let old = shared(&["a", "b", "c", "d", "e"]);
        let pick = |order: &[usize]| order.iter().map(|at| Arc::clone(&old[*at])).collect::<Vec<_>>();
        let with = |at: usize, text: &str| {
            let mut new = old.clone();
            new[at] = Arc::new(text.to_owned());
            new
        };
        assert_eq!(ops(&old, &old), "same");
        assert_eq!(ops(&[], &[]), "same");
        // Equal, though nothing of it is shared.
        assert_eq!(ops(&old, &shared(&["a", "b", "c", "d", "e"])), "same");
        assert_eq!(ops(&old, &with(2, "C")), "0+2 C 3+2");
        assert_eq!(ops(&old, &[shared(&["x"]), old.clone()].concat()), "x 0+5");
        assert_eq!(ops(&old, &pick(&[0, 2, 3, 4])), "0+1 2+3");
        assert_eq!(ops(&old, &pick(&[4, 0, 1, 2, 3])), "4+1 0+4");
        assert_eq!(ops(&old, &pick(&[0, 0, 1])), "0+1 0+2");
        assert_eq!(ops(&old, &[]), "");
        // Several in a row that changed, among others that are equal and not shared.
        assert_eq!(ops(&old, &shared(&["a", "B", "C", "D", "e"])), "0+1 B C D 4+1");
        assert_eq!(ops(&shared(&["a", "b", "c"]), &shared(&["a", "c"])), "0+1 2+1");
    }

    #[test]
    fn a_delta_that_does_not_fit_is_refused() {
        let old = shared(&["a", "b"]);
        let of = |old_len, ops| applied(Some(ListDelta { old_len, ops }), &old, "alerts").unwrap_err().to_string();
        assert!(of(3, vec![]).contains("alerts"));
        assert!(of(2, vec![Op::Keep { from: 1, len: 2 }]).contains("1"));
        assert!(of(2, vec![Op::Keep { from: usize::MAX, len: 1 }]).contains("alerts"));
        assert!(of(2, vec![Op::Keep { from: 0, len: usize::MAX }, Op::Keep { from: 0, len: 2 }]).contains("at most"));
        let twice = std::iter::repeat_n(Op::Keep { from: 0, len: 2 }, PICTURE_ITEMS_MAX).collect();
        assert!(of(2, twice).contains("at most"));
    }

    #[test]
    fn a_map_keeps_empty_lists_and_refuses_keys_that_are_not_there() {
        let map = |entries: &[(u8, &[&str])]| -> BTreeMap<u8, Vec<Arc<String>>> {
            entries.iter().map(|(key, texts)| (*key, shared(texts))).collect()
        };
        let old = map(&[(1, &["a"]), (2, &[]), (3, &["b"])]);
        for new in [map(&[]), map(&[(1, &["a"]), (4, &[])]), map(&[(2, &["c"]), (3, &["b"])]), old.clone()] {
            let delta = MapDelta::between(&old, &new);
            assert_eq!(delta.is_none(), old == new);
            assert_eq!(applied_to_map(delta, &old, "proposals").unwrap(), new);
        }
        let empty = || ListDelta { old_len: 0, ops: Vec::new() };
        for (gone, changed) in
            [(vec![9], vec![]), (vec![3, 1], vec![]), (vec![1, 1], vec![]), (vec![], vec![(7, empty()), (7, empty())])]
        {
            assert!(applied_to_map(Some(MapDelta { gone, changed }), &old, "proposals").is_err());
        }
    }

    proptest! {
        #[test]
        fn any_list_comes_of_any_other(
            texts in prop::collection::vec("[a-c]{0,2}", 0..12),
            picks in prop::collection::vec(prop_oneof![(0usize..12).prop_map(Ok), "[a-d]{0,2}".prop_map(Err)], 0..20),
        ) {
            let old: Vec<Arc<String>> = texts.into_iter().map(Arc::new).collect();
            let of = |pick: Result<usize, String>| match pick {
                Ok(at) => old.get(at).map(Arc::clone),
                Err(text) => Some(Arc::new(text)),
            };
            let new: Vec<Arc<String>> = picks.into_iter().filter_map(of).collect();
            let delta = ListDelta::between(&old, &new);
            prop_assert_eq!(delta.is_none(), old == new);
            let bytes = postcard::to_stdvec(&delta).unwrap();
            let delta: Option<ListDelta<String>> = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(applied(delta, &old, "texts").unwrap(), new);
        }
    }
}
