//! What a simulated target is: what it answers to which command, how its metrics go, which acts mend it. A seed chooses the
//! world and the figures in it.

/// How a world ends when it is walked as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Mended, and seen to be.
    Mended,
    /// Paused, escalated, refused or failed: a person looks.
    Stopped,
}

/// What the metrics do once the remedy was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They come back.
    Helps,
    /// Nothing changes.
    HelpsNothing,
    /// They come back and depart again before the time is over.
    Relapses,
    /// No figure comes in any more.
    GoesSilent,
    /// Errors and slow answers are gone because requests are gone; only where one of the two is what is verified.
    LosesTraffic,
}

/// An answer to the commands that hold `says` (or begin with what follows `^`).
#[derive(Debug)]
pub struct Answer {
    /// A part of the command.
    pub says: &'static str,
    /// It is given once this step has happened; at once where empty.
    pub after: &'static str,
    /// Lines; `{3-9}` is a number between, `{h}` five hexadecimal digits.
    pub lines: &'static [&'static str],
    /// Exit code.
    pub exit: i32,
}

/// A metric's value while it is broken and when it is mended; what is not a number is no data.
pub type Metric = (&'static str, f64, f64);

/// One way in which things may stand.
#[derive(Debug)]
pub struct World {
    /// In a few words.
    pub name: &'static str,
    /// Answers that differ from those of the kind.
    pub answers: &'static [Answer],
    /// Metrics that differ.
    pub metrics: &'static [Metric],
    /// What a person who knows answers to which question; the first choice where it is not said.
    pub choices: &'static [(&'static str, usize)],
    /// The acts that should happen, in order.
    pub trail: &'static [&'static str],
    /// The steps that mend it when all have happened; none for a world that is not mended here.
    pub heals: &'static [&'static str],
    /// How it should end.
    pub end: End,
}

/// A kind of incident with its runbook.
#[derive(Debug)]
pub struct Kind {
    /// In a few words.
    pub name: &'static str,
    /// The runbook's id.
    pub runbook: &'static str,
    /// The kind of cause that root cause names.
    pub cause: hypocenter::engine::model::CauseKind,
    /// The service that it names.
    pub service: &'static str,
    /// Labels of the alert that fires; none without an alert.
    pub labels: &'static [(&'static str, &'static str)],
    /// The metric that departs, where the runbook takes its parameter from it.
    pub departs: Option<&'static str>,
    /// Whether the service is this machine or a unit of it.
    pub is_machine: bool,
    /// True where no world of it is mended by its runbook.
    pub is_never_right: bool,
    /// True where all is well before the act as well, so that figures cannot tell whether it helped.
    pub is_precaution: bool,
    /// What is answered in every world of it.
    pub answers: &'static [Answer],
    /// Metrics in every world of it.
    pub metrics: &'static [Metric],
    /// The worlds.
    pub worlds: &'static [World],
}

/// An answer at any time, exit code 0.
pub const fn says(says: &'static str, lines: &'static [&'static str]) -> Answer {
    Answer { says, after: "", lines, exit: 0 }
}

/// An answer with another exit code.
pub const fn fails(says: &'static str, exit: i32, lines: &'static [&'static str]) -> Answer {
    Answer { says, after: "", lines, exit }
}

/// An answer once a step has happened.
pub const fn once(after: &'static str, says: &'static str, lines: &'static [&'static str]) -> Answer {
    Answer { says, after, lines, exit: 0 }
}

/// A world that the acts of `trail` mend.
pub const fn mended(name: &'static str, answers: &'static [Answer], trail: &'static [&'static str]) -> World {
    World { name, answers, metrics: &[], choices: &[], trail, heals: trail, end: End::Mended }
}

/// A world that only looks alike: nothing may be done.
pub const fn decoy(name: &'static str, answers: &'static [Answer]) -> World {
    World { name, answers, metrics: &[], choices: &[], trail: &[], heals: &[], end: End::Stopped }
}

impl World {
    /// With other metrics.
    pub const fn with(self, metrics: &'static [Metric]) -> Self {
        Self { metrics, ..self }
    }

    /// With other answers to questions.
    pub const fn asked(self, choices: &'static [(&'static str, usize)]) -> Self {
        Self { choices, ..self }
    }

    /// Stopped only after these acts.
    pub const fn after(self, trail: &'static [&'static str]) -> Self {
        Self { trail, ..self }
    }

    /// Mended by these steps alone.
    pub const fn by(self, heals: &'static [&'static str]) -> Self {
        Self { heals, ..self }
    }
}

/// Nothing said.
pub const KIND: Kind = Kind {
    name: "",
    runbook: "",
    cause: hypocenter::engine::model::CauseKind::Unknown,
    service: "payment",
    labels: &[],
    departs: None,
    is_machine: false,
    is_never_right: false,
    is_precaution: false,
    answers: &[],
    metrics: &[],
    worlds: &[],
};

/// Deterministic numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from(self.next() % span).unwrap()
    }

    /// Fills `{3-9}` and `{h}`; other braces stay.
    pub fn fill(&mut self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let inner = after.split_once('}');
            let range = inner.and_then(|(inner, _)| inner.split_once('-'));
            let range = range.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
            match (inner, range) {
                (Some((_, behind)), Some((low, high))) => {
                    filled.push_str(&self.between(low, high).to_string());
                    rest = behind;
                }
                (Some(("h", behind)), _) => {
                    filled.push_str(&format!("{:05x}", self.between(0, 0xf_ffff)));
                    rest = behind;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }
}

/// Which world a seed plays, and what becomes of its metrics: four in ten help, three in ten are decoys, the rest are
/// worlds in which the right remedy does not do what it should.
pub fn fate(kind: &Kind, seed: u64) -> (Fate, usize) {
    let of = |end: End| -> Vec<usize> {
        let all = kind.worlds.iter().enumerate().filter(|(_, world)| world.end == end);
        all.map(|(at, _)| at).collect()
    };
    let (good, bad) = (of(End::Mended), of(End::Stopped));
    let pick = |from: &[usize]| from[usize::try_from(seed / 10).unwrap() % from.len()];
    let is_decoy = seed % 10 >= 7 || good.is_empty();
    if is_decoy {
        let at = usize::try_from(seed / 10 * 3 + seed % 10).unwrap() % bad.len();
        return (Fate::Helps, bad[at]);
    }
    let is_of_requests = kind.metrics.iter().any(|(name, ..)| ["error_ratio", "latency_p95"].contains(name));
    let fate = match seed % 10 {
        4 if !kind.is_precaution => Fate::HelpsNothing,
        5 => Fate::GoesSilent,
        6 if !is_of_requests || seed % 20 == 6 && !kind.is_precaution => Fate::Relapses,
        6 => Fate::LosesTraffic,
        _ => Fate::Helps,
    };
    let at = if fate == Fate::Helps { good[usize::try_from(seed).unwrap() % good.len()] } else { pick(&good) };
    (fate, at)
}
