//! Which cases stand, and how firmly, for one who acts on them while words still come.

use super::case::Case;
use super::casebook::Casebook;
use super::face::Kind;
use super::places::Root;

/// A failure that shows what broke is told apart from so many first complaints on, another that has a place from so many,
/// and one that is only things beginning together from so many.
const OWN_MIN: f64 = 3.0;
const PLACED_MIN: f64 = 8.0;
const PLACELESS_MIN: f64 = 24.0;

impl Casebook {
    /// True for a case that is being heard of.
    pub fn is_live(&self, case: u32) -> bool {
        self.cases.iter().any(|one| one.id == case)
    }

    /// True for a case that was never given up, be it over.
    pub fn holds(&self, case: u32) -> bool {
        self.is_live(case) || self.over.contains_key(&case)
    }

    /// True for a live case that stands on its own: it explains enough, and something broke, or was changed, right where it
    /// is thought to have begun.
    pub fn stands_alone(&self, case: u32) -> bool {
        self.cases.iter().find(|one| one.id == case).is_some_and(|case| self.shows_what_broke(case))
    }

    fn shows_what_broke(&self, case: &Case) -> bool {
        let shows_cause = || {
            case.fresh.iter().any(|(face, _)| {
                let face = &self.faces[*face as usize];
                face.kind == Kind::Cause
                    && match case.view.root {
                        Root::Service(service) => face.service == Some(service),
                        Root::Node(node) => face.node == Some(node),
                        Root::Zone(_) | Root::Common(_) | Root::Burst => false,
                    }
            })
        };
        case.members() >= OWN_MIN && (case.view.bonus > 0.0 || shows_cause())
    }

    /// Live cases that explain enough for their incident to be told apart from others.
    pub fn firm_cases(&self) -> impl Iterator<Item = u32> {
        let many = |case: &Case| if case.view.root == Root::Burst { PLACELESS_MIN } else { PLACED_MIN };
        let is_firm = move |case: &&Case| case.members() >= many(case) || self.shows_what_broke(case);
        self.cases.iter().filter(is_firm).map(|case| case.id)
    }

    /// True where nothing is open: no word and no case.
    pub fn is_at_rest(&self) -> bool {
        self.words.is_empty() && self.cases.is_empty()
    }
}
