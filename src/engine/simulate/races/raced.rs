//! What came of races, counted and told.

use std::fmt;

use crate::engine::simulate::invariants::Broken;

/// What came of races.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raced {
    /// What they were drawn from.
    pub seed: u64,
    /// How many were run.
    pub races: u64,
    /// Requests.
    pub requests: u64,
    /// Those that were done.
    pub done: u64,
    /// Those that rested on a picture that was no longer so.
    pub stale: u64,
    /// Races in which two people or more wanted the same step to be done.
    pub contested: u64,
    /// Times that the kill switch was pulled.
    pub kills: u64,
    /// Runs that were stopped.
    pub stops: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Calls that were made.
    pub calls: u64,
    /// What went wrong first, where something did; no race is run after it.
    pub broken: Option<Broken>,
}

impl fmt::Display for Raced {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, races, requests, done, stale, contested, kills, stops, retries, calls, broken } = self;
        write!(
            out,
            "{races} races from seed {seed}: {contested} with two yeses or more, {requests} requests ({done} done, {stale} from \
             older pictures), {kills} kills, {stops} stops, {retries} retries, {calls} calls: "
        )?;
        match broken {
            None => write!(out, "none made twice or unasked, and whoever came late was told who was first"),
            Some(Broken { rule, text }) => write!(out, "BROKEN {rule}: {text}"),
        }
    }
}
