//! Flags of `hypo ask`.

use chrono_tz::Tz;
use clap::Args;

use crate::engine::settings::zone;

/// `hypo ask`
#[derive(Debug, Args)]
pub struct AskArguments {
    /// The question; without one, a question a line from standard input, each with the one before in mind.
    pub question: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Ask in the demo's scenario `firewall-rule` at its height.
    #[arg(long)]
    pub demo: bool,
    /// Ask the language model under [ask.model] as well; what it says is marked, and held against the facts.
    #[arg(long)]
    pub model: bool,
    /// Time zone of what is asked and answered, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "NAME", value_parser = zone)]
    pub zone: Option<Tz>,
}
