//! A scorer's state as bytes and back: numbers one after another, little-endian, always the same length.
//!
//! One walk over the fields serves both ways, so that they cannot disagree.

/// Writes what it is led over, or fills it from what was written.
#[derive(Debug)]
pub enum Pen<'a> {
    /// Appends.
    Write(&'a mut Vec<u8>),
    /// Takes from the front; what is missing stays as it is and is noted.
    Read {
        /// What is left.
        bytes: &'a [u8],
        /// False once a number was missing or was none.
        is_whole: bool,
    },
}

macro_rules! numbers {
    ($($name:ident $kind:ty, $is_number:expr;)*) => {$(
        /// A number.
        pub fn $name(&mut self, number: &mut $kind) {
            match self {
                Self::Write(bytes) => bytes.extend_from_slice(&number.to_le_bytes()),
                Self::Read { bytes, is_whole } => match bytes.split_first_chunk() {
                    Some((first, rest)) => {
                        *bytes = rest;
                        let read = <$kind>::from_le_bytes(*first);
                        let is_number: fn($kind) -> bool = $is_number;
                        if is_number(read) { *number = read } else { *is_whole = false }
                    }
                    None => *is_whole = false,
                },
            }
        }
    )*};
}

impl Pen<'_> {
    numbers! {
        f64 f64, |read| !read.is_nan();
        f32 f32, |read| !read.is_nan();
        u32 u32, |_| true;
        i32 i32, |_| true;
        i8 i8, |_| true;
    }

    /// A row of integers of `BYTES` each, in one go.
    pub fn row<T: Copy, const BYTES: usize>(
        &mut self,
        row: &mut [T],
        to_bytes: impl Fn(T) -> [u8; BYTES],
        from_bytes: impl Fn([u8; BYTES]) -> T,
    ) {
        match self {
            Self::Write(bytes) => row.iter().for_each(|number| bytes.extend_from_slice(&to_bytes(*number))),
            Self::Read { bytes, is_whole } => match bytes.split_at_checked(BYTES * row.len()) {
                Some((first, rest)) => {
                    *bytes = rest;
                    let (numbers, _) = first.as_chunks();
                    row.iter_mut().zip(numbers).for_each(|(number, read)| *number = from_bytes(*read));
                }
                None => *is_whole = false,
            },
        }
    }
}
