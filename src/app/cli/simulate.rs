//! `hypo simulate`: whole lives of the program on a clock of their own, with faults, held against what may never happen.

use super::{Exit, Failure, output};
use crate::app::arguments::SimulateArguments;
use crate::engine::simulate::{self, Faults, Plan};

/// Minutes in a run at most: a year of them is not what this is for.
const MINUTES_MAX: f64 = 600_000.0;

pub(super) fn run(arguments: &SimulateArguments) -> Result<Exit, Failure> {
    if let Some(count) = arguments.races {
        let raced = simulate::races(count, arguments.seed)?;
        output::line(&raced.to_string())?;
        return Ok(if raced.broken.is_some() { Exit::Found } else { Exit::Done });
    }
    let minutes = (arguments.hours * 60.0).ceil();
    if !(1.0..=MINUTES_MAX).contains(&minutes) {
        return Err(format!("--hours {} cannot be run; give 0.02 to 10000", arguments.hours).into());
    }
    let faults = Faults::of_words(&arguments.faults)?;
    for seed in (0..arguments.seeds.max(1)).map(|more| arguments.seed.wrapping_add(more)) {
        let plan = Plan {
            faults,
            from_point: arguments.from_step,
            crash_at: arguments.crash_at,
            fail_at: arguments.fail_at,
            is_left_alone: arguments.left_alone,
            last: arguments.last.max(50),
            ..Plan::new(seed, minutes as u32)
        };
        let outcome = simulate::run(&plan)?;
        for line in outcome.last.iter().take(arguments.last) {
            output::line(line)?;
        }
        for line in outcome.to_string().lines() {
            output::line(line)?;
        }
        if outcome.broken.is_some() {
            return Ok(Exit::Found);
        }
    }
    Ok(Exit::Done)
}
