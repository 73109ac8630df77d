//! Reads the series back: by far the most there is, so a thread of its own reads ahead of whoever takes them.

use std::sync::mpsc::{self, SyncSender};
use std::thread;

use super::Store;
use super::readable::until_error;
use super::schema::{self, TreeName};
use crate::engine::detect::SeriesState;
use crate::engine::job::Record;

/// States handed over at a time, and how many such lots are read ahead.
const LOT: usize = 1_024;
const LOTS_AHEAD: usize = 16;

/// A series' state; `None` of one that cannot be read.
type Read = Option<Box<SeriesState>>;

impl Store {
    /// Every series' state, in order of fingerprint; `None` of one that cannot be read: its history begins anew.
    pub fn series(&self) -> Box<dyn Iterator<Item = Read>> {
        let (sender, receiver) = mpsc::sync_channel(LOTS_AHEAD);
        let tree = self.tree(TreeName::Series).clone();
        let reader = thread::Builder::new().name("hypo-series".to_owned()).spawn(move || read_ahead(tree, &sender));
        match reader {
            Ok(_) => Box::new(receiver.into_iter().flatten()),
            // No thread to be had: whoever takes them reads them.
            Err(_) => Box::new(until_error(self.tree(TreeName::Series).iter()).map(read)),
        }
    }
}

fn read(entry: sled::Result<(sled::IVec, sled::IVec)>) -> Read {
    let (key, value) = entry.ok()?;
    match schema::decode(TreeName::Series, &key, &value) {
        Ok(Record::Series(state)) => Some(state),
        _ => None,
    }
}

fn read_ahead(tree: sled::Tree, lots: &SyncSender<Vec<Read>>) {
    let mut entries = until_error(tree.iter());
    loop {
        let lot: Vec<Read> = entries.by_ref().take(LOT).map(read).collect();
        if lot.len() < LOT {
            // Whoever has the last of them may close the store.
            drop((entries, tree));
            // An error says that nobody takes them any longer, and so below.
            let _ = lots.send(lot);
            return;
        }
        if lots.send(lot).is_err() {
            return;
        }
    }
}
