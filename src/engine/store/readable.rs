//! A store that can be read: where sled opens and yet cannot give everything back, what it can give is taken over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::load::Stored;
use super::mend::{self, Mends};
use super::{Hold, Store, StoreError, open};

impl Store {
    /// Opens the store in the folder `path` and reads it, as [`Self::open_held`] and [`Self::load`] do. Where it opens and cannot be
    /// read to its end, it is set aside as it is, and what can be read of it is taken over.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_and_load(path: &Path) -> Result<(Self, Stored), StoreError> {
        Self::open_held_and_load(Arc::new(Hold::take(path)?))
    }

    /// The same by whoever has taken the right to it already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_held_and_load(hold: Arc<Hold>) -> Result<(Self, Stored), StoreError> {
        let path = hold.folder().to_path_buf();
        let mut store = open::open_as_it_is(Arc::clone(&hold), Mends::Yes)?;
        match store.load_guarded() {
            Err(StoreError::Damaged { .. }) => {}
            Ok(_) if hold.is_in_doubt() => match store.settled() {
                Ok(store) => {
                    let stored = store.load_guarded()?;
                    return Ok((store, stored));
                }
                // Something that is not read here cannot be written anew, so that all of it is taken over that can be.
                Err(StoreError::Damaged { .. }) => store = open::open_as_it_is(Arc::clone(&hold), Mends::Yes)?,
                Err(problem) => return Err(problem),
            },
            other => return other.map(|stored| (store, stored)),
        }
        let notice = mend::salvage(&path, store.db()?)?;
        drop(store);
        let mut store = Self::open_held(hold)?;
        store.notices.retain(|known| *known != notice);
        store.notices.insert(0, Arc::clone(&notice));
        // What could not be read may have been a step under way.
        store.loss.get_or_insert(notice);
        store.remember_loss()?;
        let stored = store.load_guarded()?;
        Ok((store, stored))
    }

    /// Reads it; where sled breaks off in a panic, that is damage like any other.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_guarded(&self) -> Result<Stored, StoreError> {
        let broken = |_| StoreError::Damaged {
            path: self.path().to_path_buf(),
            reason: "its pages do not fit together".to_owned(),
        };
        // Reading changes nothing that could be left half done.
        catch_unwind(AssertUnwindSafe(|| self.load())).map_err(broken)?
    }
}

/// The entries up to and with the first error: sled stays at a place that it cannot read, and tells of it for ever.
pub(super) fn until_error<T>(entries: impl Iterator<Item = sled::Result<T>>) -> impl Iterator<Item = sled::Result<T>> {
    let mut has_failed = false;
    entries.take_while(move |entry| !std::mem::replace(&mut has_failed, entry.is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_cannot_be_read_is_told_of_once() {
        let mut told = 0_u32;
        let endless = std::iter::from_fn(|| {
            told += 1;
            Some(if told < 3 { Ok(told) } else { Err(sled::Error::Unsupported("a page".to_owned())) })
        });
        let read: Vec<bool> = until_error(endless).map(|entry| entry.is_ok()).collect();
        assert_eq!(read, [true, true, false]);
    }
}
