//! What differs between two pictures. A whole picture is what differs from [`Snapshot::empty`], so there is one way for both.
//!
//! A delta is made of the picture that a console was sent last and the newest one, however many lie between: a slow console skips
//! pictures and misses nothing. It says which picture it is made for, and is refused by any other.
//!
//! Numbers that are no numbers differ from themselves. What holds one is sent again with every picture, and arrives as it is.
//!
//! [`Snapshot::empty`]: crate::engine::snapshot::Snapshot::empty

mod list;
mod picture;

pub use picture::{Delta, diff};

use crate::engine::clock::Timestamp;
use crate::engine::limits::PICTURE_ITEMS_MAX;

/// Why a delta cannot be used. The console closes the connection then, and comes again for a whole picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeltaProblem {
    /// Its bytes are no delta.
    #[error("a picture of {bytes} bytes cannot be read: {problem}; it is asked for anew")]
    Unreadable {
        /// How many came.
        bytes: usize,
        /// What the decoder said.
        problem: String,
    },
    /// It cannot be written down.
    #[error("a picture cannot be sent: {problem}; the next one will be tried")]
    Unwritable {
        /// What the encoder said.
        problem: String,
    },
    /// It is made for another picture.
    #[error(
        "a change of picture {wanted} (of {wanted_at}) came while picture {found} (of {found_at}) is shown; it is asked for anew"
    )]
    OtherPicture {
        /// The revision of the one it is made for.
        wanted: u64,
        /// When that was taken.
        wanted_at: Timestamp,
        /// The revision of the one that is there.
        found: u64,
        /// When that was taken.
        found_at: Timestamp,
    },
    /// A list is not the one that it is made for.
    #[error("a change of {wanted} {list} came while there are {found}; the picture is asked for anew")]
    OtherList {
        /// Which.
        list: &'static str,
        /// How long it should be.
        wanted: usize,
        /// How long it is.
        found: usize,
    },
    /// It keeps what is not there.
    #[error("{len} {list} from {from} on should stay, of {found}; the picture is asked for anew")]
    Beyond {
        /// Of which list.
        list: &'static str,
        /// From where on.
        from: usize,
        /// How many.
        len: usize,
        /// How many there are.
        found: usize,
    },
    /// It would make a list that no engine has.
    #[error("a picture with {length} {list} came, where at most {PICTURE_ITEMS_MAX} are taken; it is asked for anew")]
    TooMany {
        /// Which list.
        list: &'static str,
        /// How long it would be.
        length: usize,
    },
    /// It takes out what is not there, or names something twice.
    #[error("a change of {list} does not fit what is shown; the picture is asked for anew")]
    OtherKeys {
        /// Of which map.
        list: &'static str,
    },
}
