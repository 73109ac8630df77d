//! Brings an older store to the present schema, tree by tree, so that it can be cut off anywhere and go on.

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::schema::{SCHEMA_KEY, SCHEMA_VERSION, TreeName, VALUE_VERSION};
use super::{Store, StoreError};

/// Marks a tree that has been brought to schema 1 already.
fn done_key(tree: TreeName) -> String {
    format!("schema 1 done {}", tree.word())
}

pub(super) fn migrate(store: &mut Store) -> Result<(), StoreError> {
    let meta = store.db.open_tree("meta").map_err(|error| store.problem(&error))?;
    let found = meta.get(SCHEMA_KEY).map_err(|error| store.problem(&error))?;
    let found = match found.as_deref() {
        None => None,
        Some(bytes) => Some(<[u8; 4]>::try_from(bytes).map(u32::from_be_bytes).map_err(|_| StoreError::Damaged {
            path: store.path().to_path_buf(),
            reason: "its schema version cannot be read".to_owned(),
        })?),
    };
    match found {
        Some(SCHEMA_VERSION) => return Ok(()),
        Some(newer) if newer > SCHEMA_VERSION => {
            return Err(StoreError::Newer { path: store.path().to_path_buf(), found: newer, known: SCHEMA_VERSION });
        }
        // Without a schema it is new, or its very first start was cut off: either way there is nothing to bring along.
        None => {}
        Some(older) => {
            for tree in TreeName::ALL {
                add_version_bytes(store, &meta, tree)?;
            }
            store.notices.push(format!("the store was brought from schema {older} to {SCHEMA_VERSION}").into());
        }
    }
    let finish = || -> Result<(), sled::Error> {
        let mut batch = sled::Batch::default();
        batch.insert(SCHEMA_KEY, &SCHEMA_VERSION.to_be_bytes());
        for tree in TreeName::ALL {
            batch.remove(done_key(tree).as_str());
        }
        meta.apply_batch(batch)?;
        store.db.flush()?;
        Ok(())
    };
    finish().map_err(|error| store.problem(&error))
}

/// Schema 0 to 1: every value gets its version byte, together with the mark that this tree is done.
fn add_version_bytes(store: &Store, meta: &sled::Tree, name: TreeName) -> Result<(), StoreError> {
    let tree = store.tree(name);
    let entries = tree.iter().collect::<Result<Vec<_>, _>>().map_err(|error| store.problem(&error))?;
    let done = done_key(name);
    let result = (tree, meta).transaction(|(tree, meta)| {
        if meta.insert(done.as_str(), &[1])?.is_some() {
            return Ok(());
        }
        for (key, old) in &entries {
            let mut new = Vec::with_capacity(old.len() + 1);
            new.push(VALUE_VERSION);
            new.extend_from_slice(old);
            tree.insert(key, new)?;
        }
        Ok::<(), ConflictableTransactionError<()>>(())
    });
    match result {
        Ok(()) | Err(TransactionError::Abort(())) => Ok(()),
        Err(TransactionError::Storage(error)) => Err(store.problem(&error)),
    }
}
