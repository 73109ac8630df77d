//! Reads back what was measured at other times, page by page: there may be a hundred and fifty thousand of them.

use super::Store;
use super::readable::until_error;
use super::schema::{self, TreeName};
use crate::engine::job::Record;
use crate::engine::model::PastPage;

impl Store {
    /// Every page, those of a metric together; `None` of one that cannot be read: it stays where it is.
    pub fn past_pages(&self) -> impl Iterator<Item = Option<PastPage>> {
        until_error(self.tree(TreeName::Past).iter()).map(|entry| {
            let (key, value) = entry.ok()?;
            match schema::decode(TreeName::Past, &key, &value) {
                Ok(Record::PastPage(page)) => Some(page),
                _ => None,
            }
        })
    }
}
