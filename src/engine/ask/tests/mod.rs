//! Tests of more than one part of how questions are understood.

mod estate;
