//! Arguments of what takes everything that is kept out, and back in.

use std::path::PathBuf;

use clap::Args;

/// `hypo export`
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Where to write; standard output when left out or `-`.
    pub file: Option<PathBuf>,
}

/// `hypo import`
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// What to read; `-` for standard input.
    pub file: PathBuf,
    /// Allow it into a store that holds something already; what has the same key is replaced.
    #[arg(long)]
    pub merge: bool,
}

/// `hypo backup`
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file, which is replaced where it is there, or a folder for one that is named by its time.
    pub to: PathBuf,
}

/// `hypo restore`
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The backup.
    pub file: PathBuf,
}
