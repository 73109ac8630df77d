//! `hypo eval`: a stage of the engine over labelled data, as a table of figures.

mod correlate;
mod detect;
mod logs;
mod rca;

use super::{Exit, Failure};
use crate::app::arguments::EvalCommand;

pub(super) fn run(command: &EvalCommand) -> Result<Exit, Failure> {
    match command {
        EvalCommand::Correlate(arguments) => correlate::run(arguments),
        EvalCommand::Detect(arguments) => detect::run(arguments),
        EvalCommand::Logs(arguments) => logs::run(arguments),
        EvalCommand::Rca(arguments) => rca::run(arguments),
    }
}
