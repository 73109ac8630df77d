//! Brings an older store to the present schema, tree by tree, so that it can be cut off anywhere and go on.

use std::ops::Bound;
use std::path::Path;

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::open::{io_problem, problem};
use super::schema::{SCHEMA_KEY, SCHEMA_VERSION, TreeName, VALUE_VERSION};
use super::set_aside::Room;
use super::{Store, StoreError, set_aside};

/// The tree of what is no record.
const META: &str = "meta";
/// The version of the hypo that wrote last.
const MADE_BY: &str = "made by";

/// Entries that are brought along at a time: a whole tree need not fit into memory.
const LOT: usize = 1_000;

/// Marks a tree that has been brought to schema 1 already.
fn done_key(tree: TreeName) -> String {
    format!("schema 1 done {}", tree.word())
}

/// Holds the last key of a tree that has been brought to schema 1 in part.
fn until_key(tree: TreeName) -> String {
    format!("schema 1 until {}", tree.word())
}

/// Refuses a store of a later program, which is left as it is.
pub(super) fn refuse_newer(path: &Path, db: &sled::Db) -> Result<(), StoreError> {
    // Opening the tree would make it.
    if !db.tree_names().iter().any(|name| name == META.as_bytes()) {
        return Ok(());
    }
    let failed = |error: sled::Error| problem(path, &error);
    let meta = db.open_tree(META).map_err(failed)?;
    match schema_of(path, &meta)? {
        Some(found) if found > SCHEMA_VERSION => {
            let by = meta.get(MADE_BY).map_err(failed)?;
            let by =
                by.map_or_else(|| "a later hypo".to_owned(), |by| format!("hypo {}", String::from_utf8_lossy(&by)));
            Err(StoreError::Newer { path: path.to_path_buf(), by, found, known: SCHEMA_VERSION })
        }
        _ => Ok(()),
    }
}

fn schema_of(path: &Path, meta: &sled::Tree) -> Result<Option<u32>, StoreError> {
    let found = meta.get(SCHEMA_KEY).map_err(|error| problem(path, &error))?;
    let number = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(u32::from_be_bytes);
    found.map(|bytes| number(&bytes)).transpose().map_err(|_| StoreError::Damaged {
        path: path.to_path_buf(),
        reason: "its schema version cannot be read".to_owned(),
    })
}

/// Brings an older store to the present schema, after a copy of it was set aside.
pub(super) fn migrate(store: &mut Store) -> Result<(), StoreError> {
    let meta = store.meta().clone();
    match schema_of(store.path(), &meta)? {
        Some(SCHEMA_VERSION) => return note_maker(store),
        // Without a schema it is new, or its very first start was cut off: either way there is nothing to bring along.
        None => {}
        Some(older) => {
            let copy = copy_before(store, older)?;
            for tree in TreeName::ALL {
                add_version_bytes(store, &meta, tree)?;
            }
            let notice = format!("the store was brought from schema {older} to {SCHEMA_VERSION}{copy}");
            store.notices.push(notice.into());
        }
    }
    let finish = || -> Result<(), sled::Error> {
        let mut batch = sled::Batch::default();
        batch.insert(SCHEMA_KEY, &SCHEMA_VERSION.to_be_bytes());
        batch.insert(MADE_BY, env!("CARGO_PKG_VERSION"));
        for tree in TreeName::ALL {
            batch.remove(done_key(tree).as_str());
            batch.remove(until_key(tree).as_str());
        }
        meta.apply_batch(batch)?;
        Ok(())
    };
    finish().map_err(|error| store.problem(&error))?;
    store.db()?.flush().map(drop).map_err(|error| store.problem(&error))
}

/// A copy of the store as it was, so that the hypo that made it can be gone back to. One that is cut off is made again; one
/// that was begun to be migrated is that of the first try.
fn copy_before(store: &Store, older: u32) -> Result<String, StoreError> {
    let is_there = |key: String| matches!(store.meta().contains_key(key), Ok(true));
    if TreeName::ALL.into_iter().any(|tree| is_there(done_key(tree)) || is_there(until_key(tree))) {
        return Ok(String::new());
    }
    store.db()?.flush().map_err(|error| store.problem(&error))?;
    let failed = |error: std::io::Error| io_problem(store.path(), &error);
    // Without it there is no way back, so its size is no reason against it.
    let Some(copy) = set_aside::copy(store.path(), &["store"], Room::All).map_err(failed)? else {
        let needed = set_aside::room_for_copy(store.path(), &["store"]).map_err(failed)?;
        return Err(StoreError::NoRoomForCopy { path: store.path().to_path_buf(), needed_mib: (needed >> 20) + 1 });
    };
    Ok(format!("; as schema {older} it is in {}", copy.display()))
}

/// The newest hypo that wrote here is named, for one that is too old to read it.
fn note_maker(store: &Store) -> Result<(), StoreError> {
    let version = env!("CARGO_PKG_VERSION");
    let known = store.meta().get(MADE_BY).map_err(|error| store.problem(&error))?;
    if known.as_deref() != Some(version.as_bytes()) {
        store.meta().insert(MADE_BY, version).map_err(|error| store.problem(&error))?;
    }
    Ok(())
}

/// Schema 0 to 1: every value gets its version byte, together with the mark up to which key that is done.
fn add_version_bytes(store: &Store, meta: &sled::Tree, name: TreeName) -> Result<(), StoreError> {
    let tree = store.tree(name);
    let (done, until) = (done_key(name), until_key(name));
    if meta.contains_key(done.as_str()).map_err(|error| store.problem(&error))? {
        return Ok(());
    }
    let mut after = meta.get(until.as_str()).map_err(|error| store.problem(&error))?;
    loop {
        let rest = match &after {
            Some(key) => tree.range((Bound::Excluded(key.clone()), Bound::Unbounded)),
            None => tree.iter(),
        };
        let lot = rest.take(LOT).collect::<Result<Vec<_>, _>>().map_err(|error| store.problem(&error))?;
        let result = (tree, meta).transaction(|(tree, meta)| {
            for (key, old) in &lot {
                let mut new = Vec::with_capacity(old.len() + 1);
                new.push(VALUE_VERSION);
                new.extend_from_slice(old);
                tree.insert(key, new)?;
            }
            match lot.last() {
                Some((key, _)) => meta.insert(until.as_str(), key)?,
                None => meta.insert(done.as_str(), &[1])?,
            };
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        match result {
            Ok(()) | Err(TransactionError::Abort(())) => {}
            Err(TransactionError::Storage(error)) => return Err(store.problem(&error)),
        }
        match lot.into_iter().next_back() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}
