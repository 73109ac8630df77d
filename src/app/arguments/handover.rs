//! What `hypo handover` takes.

use clap::Args;

/// `hypo handover`
#[derive(Debug, Args)]
pub struct HandoverArguments {
    /// Hand over to this person, by the name of the Unix user: incidents of yours, those without an owner, and the runs that
    /// you drive pass on, with a note in each timeline. Needs an engine that runs.
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// What the record does not say; goes into the notes.
    #[arg(long, value_name = "TEXT", requires = "to")]
    pub note: Option<String>,
}
