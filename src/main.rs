//! Reads the command line, does what it says, and tells the shell how it went.

use std::process::ExitCode;

use clap::Parser;
use hypocenter::app::arguments::Arguments;
use hypocenter::app::cli;

fn main() -> ExitCode {
    ExitCode::from(cli::run(&Arguments::parse()).code())
}
