//! The only code that names sled.
