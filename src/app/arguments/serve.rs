//! `hypo serve`, `hypo stop` and `hypo attach`: an engine and the ways to it.

use clap::Args;

/// `hypo serve`
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Print a unit file for systemd instead, to be put at /etc/systemd/system/hypocenter.service.
    #[arg(long)]
    pub print_unit: bool,
    /// In a session of its own, for the console that started it.
    #[arg(long, hide = true, conflicts_with = "print_unit")]
    pub background: bool,
}

/// `hypo stop`
#[derive(Debug, Args)]
pub struct StopArguments {
    /// Do not wait for commands that run; what came of them is then to be found out at the next start.
    #[arg(long)]
    pub now: bool,
}

/// `hypo attach`
#[derive(Debug, Args)]
pub struct AttachArguments {
    /// The machine whose engine to attach to, as ssh takes it, such as user@host; this one when left out.
    pub host: Option<String>,
    /// The hypo on that machine, where it is not in the PATH of a shell there.
    #[arg(long, value_name = "PATH", default_value = "hypo", requires = "host")]
    pub remote_hypo: String,
    /// Copy between standard input, output and the socket: the other end of a line by ssh.
    #[arg(long, hide = true, conflicts_with = "host")]
    pub line: bool,
}
