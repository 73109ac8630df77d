//! What goes wrong: where the program dies, when the disk fails, what is late, lost or told twice. All of it is drawn from
//! one seed.

use rand::Rng;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::Plan;

/// Which sorts of faults there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// The program dies anywhere.
    pub crash: bool,
    /// Writes fail, until the program is started anew.
    pub disk: bool,
    /// Reports of steps come late, twice, out of order or never.
    pub reports: bool,
    /// The clock jumps.
    pub clock: bool,
    /// The kill file is written from outside, and an older one comes back with a power cut.
    pub kill: bool,
    /// Replies are lost on their way.
    pub replies: bool,
    /// What is measured comes late, twice, or out of order.
    pub signals: bool,
    /// A start takes long, while what was begun goes on.
    pub starts: bool,
}

impl Faults {
    /// All of them.
    pub const ALL: Self = Self {
        crash: true,
        disk: true,
        reports: true,
        clock: true,
        kill: true,
        replies: true,
        signals: true,
        starts: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        crash: false,
        disk: false,
        reports: false,
        clock: false,
        kill: false,
        replies: false,
        signals: false,
        starts: false,
    };
    /// As the command line calls them.
    pub const WORDS: [&str; 8] = ["crash", "disk", "reports", "clock", "kill", "replies", "signals", "starts"];

    /// Those that are named, such as `crash,disk`; `all` and `none` are words, too.
    ///
    /// # Errors
    /// The word that names none.
    pub fn of_words(words: &str) -> Result<Self, String> {
        let mut faults = Self::NONE;
        for word in words.split(',').map(str::trim) {
            match word {
                "all" => faults = Self::ALL,
                "none" => {}
                "crash" => faults.crash = true,
                "disk" => faults.disk = true,
                "reports" => faults.reports = true,
                "clock" => faults.clock = true,
                "kill" => faults.kill = true,
                "replies" => faults.replies = true,
                "signals" => faults.signals = true,
                "starts" => faults.starts = true,
                other => {
                    let known = Self::WORDS.join(", ");
                    return Err(format!("there is no fault `{other}`; there are {known}, all and none"));
                }
            }
        }
        Ok(faults)
    }
}

/// A stream of draws of its own for each part, so that a draw more in one does not move the others.
pub(super) fn draws(seed: u64, part: &str) -> Pcg64 {
    let salt = part
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Pcg64::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt)
}

/// What is drawn of faults as a run goes on.
#[derive(Debug)]
pub(super) struct Fate {
    pub on: Faults,
    pub draws: Pcg64,
    /// Calls of the outside world so far.
    pub points: u64,
    /// No fault before this one.
    from: u64,
    /// The program dies at this very call, and at no other.
    crash_at: Option<u64>,
    /// And at this one, drawn.
    next_crash: Option<u64>,
    /// Writes so far.
    writes: u64,
    /// The disk fails at this very write, whatever is drawn.
    fail_at: Option<u64>,
}

impl Fate {
    pub(super) fn new(plan: &Plan) -> Self {
        let Plan { seed, faults: on, from_point: from, crash_at, fail_at, .. } = *plan;
        Self { on, draws: draws(seed, "faults"), points: 0, from, crash_at, next_crash: None, writes: 0, fail_at }
    }

    /// Counts a write; true where it is the one that fails.
    pub(super) fn fails_here(&mut self) -> bool {
        self.writes += 1;
        self.fail_at == Some(self.writes)
    }

    /// Counts a call of the outside world; true where the program dies at it.
    pub(super) fn dies_here(&mut self) -> bool {
        self.points += 1;
        let drawn = self.next_crash.is_some_and(|at| self.points >= at);
        if drawn {
            self.next_crash = None;
        }
        drawn || self.crash_at == Some(self.points)
    }

    /// The program will die at one of the next calls.
    pub(super) fn doom(&mut self) {
        if self.on.crash && self.next_crash.is_none() && self.has_begun() {
            self.next_crash = Some(self.points + self.draws.random_range(1..12));
        }
    }

    /// True with this probability, where that sort of fault is on.
    pub(super) fn strikes(&mut self, is_on: impl Fn(&Faults) -> bool, probability: f64) -> bool {
        // Drawn in any case: faults that are off move nothing else.
        let drawn = self.draws.random_bool(probability);
        drawn && is_on(&self.on) && self.has_begun()
    }

    fn has_begun(&self) -> bool {
        self.points >= self.from
    }
}
