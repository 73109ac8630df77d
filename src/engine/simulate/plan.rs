//! What a run is made of, and the command that runs it again.

use super::Faults;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Everything is drawn from it.
    pub seed: u64,
    /// How long, in minutes of its own clock.
    pub minutes: u32,
    /// What goes wrong.
    pub faults: Faults,
    /// Nothing goes wrong before this call of the outside world.
    pub from_point: u64,
    /// The program dies at this one, whatever is drawn.
    pub crash_at: Option<u64>,
    /// The disk fails at this write, whatever is drawn.
    pub fail_at: Option<u64>,
    /// True in a life in ASSIST whose people begin runs, look and settle, and approve nothing: what acts does so by itself.
    pub is_left_alone: bool,
    /// So many of the last events are kept.
    pub last: usize,
}

impl Plan {
    /// A run with every fault there is.
    #[must_use]
    pub fn new(seed: u64, minutes: u32) -> Self {
        let (from_point, crash_at, fail_at, is_left_alone) = (0, None, None, false);
        Self { seed, minutes, faults: Faults::ALL, from_point, crash_at, fail_at, is_left_alone, last: 50 }
    }

    /// The command that runs it again.
    #[must_use]
    pub fn command(&self) -> String {
        let Self { seed, minutes, faults, from_point, crash_at, fail_at, is_left_alone, last: _ } = self;
        let Faults { crash, disk, reports, clock, kill, replies, signals, starts } = *faults;
        let on = [crash, disk, reports, clock, kill, replies, signals, starts];
        let words: Vec<&str> =
            Faults::WORDS.into_iter().zip(on).filter(|(_, is_on)| *is_on).map(|(word, _)| word).collect();
        let words = if words.is_empty() { "none".to_owned() } else { words.join(",") };
        let crash = crash_at.map(|at| format!(" --crash-at {at}")).unwrap_or_default();
        let fail = fail_at.map(|at| format!(" --fail-at {at}")).unwrap_or_default();
        let alone = if *is_left_alone { " --left-alone" } else { "" };
        format!(
            "cargo run --release -- simulate --seed {seed} --hours {} --faults {words} --from-step {from_point}{crash}{fail}{alone}",
            f64::from(*minutes) / 60.0
        )
    }
}
