//! Who has what, the other way round: for one advisory that comes in, only those who have its package are looked at.

use rustc_hash::FxHashMap;

use super::fleet::Matched;
use super::place::Place;

/// Who has what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holders {
    /// Components by place and name, in every version.
    by_name: FxHashMap<(Place, String), Vec<u32>>,
    /// Lists by component.
    lists: Vec<Vec<u32>>,
    /// Assets by list.
    assets: Vec<Vec<u32>>,
}

impl Holders {
    /// From what was found.
    #[must_use]
    pub fn of(matched: &Matched<'_, '_>) -> Self {
        let mut by_name: FxHashMap<(Place, String), Vec<u32>> = FxHashMap::default();
        for (number, component) in (0u32..).zip(&matched.components) {
            let place = usize::try_from(component.place).ok().and_then(|at| matched.places.get(at));
            if let Some(place) = place {
                by_name.entry((place.clone(), component.name.clone())).or_default().push(number);
            }
        }
        let mut lists = vec![Vec::new(); matched.components.len()];
        for (number, list) in (0u32..).zip(&matched.lists) {
            for component in list {
                if let Some(of) = usize::try_from(*component).ok().and_then(|at| lists.get_mut(at)) {
                    of.push(number);
                }
            }
        }
        let mut assets = vec![Vec::new(); matched.lists.len()];
        for (number, asset) in (0u32..).zip(&matched.assets) {
            if let Some(of) = usize::try_from(asset.list).ok().and_then(|at| assets.get_mut(at)) {
                of.push(number);
            }
        }
        Self { by_name, lists, assets }
    }

    /// The versions of a package that some asset has.
    #[must_use]
    pub fn components(&self, place: &Place, name: &str) -> &[u32] {
        self.by_name.get(&(place.clone(), name.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// The assets that have a component.
    pub fn assets(&self, component: u32) -> impl Iterator<Item = u32> {
        let lists = usize::try_from(component).ok().and_then(|at| self.lists.get(at)).into_iter().flatten();
        let assets = lists.filter_map(|list| self.assets.get(usize::try_from(*list).ok()?));
        assets.flatten().copied()
    }
}
