//! The flags of `hypo simulate`.

use clap::Args;

/// `hypo simulate`
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// Everything is drawn from it: the same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How long, by its own clock.
    #[arg(long, default_value_t = 1.0)]
    pub hours: f64,
    /// How many runs, each with the next seed; the first that breaks a rule is the last.
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// What goes wrong: crash, disk, reports, clock, kill, replies, signals, starts, all or none.
    #[arg(long, default_value = "all", value_name = "LIST")]
    pub faults: String,
    /// Nothing goes wrong before this call of the outside world.
    #[arg(long, default_value_t = 0, value_name = "POINT")]
    pub from_step: u64,
    /// The program dies at this call, whatever is drawn.
    #[arg(long, value_name = "POINT")]
    pub crash_at: Option<u64>,
    /// The disk fails at this write, whatever is drawn.
    #[arg(long, value_name = "WRITE")]
    pub fail_at: Option<u64>,
    /// In ASSIST, and people approve nothing: whatever acts does so by itself.
    #[arg(long)]
    pub left_alone: bool,
    /// Instead of lives: so many times two to four people answer the same offer, drawn from the seed.
    #[arg(long, value_name = "COUNT")]
    pub races: Option<u64>,
    /// Print the last events of each run, so many of them.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub last: usize,
}
