//! `hypo config init`: a configuration file that documents every key.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::{Exit, Failure, output, own_paths};
use crate::app::arguments::{CommonArguments, ConfigCommand};
use crate::app::settings;

pub(super) fn run(common: &CommonArguments, command: &ConfigCommand) -> Result<Exit, Failure> {
    let ConfigCommand::Init { force } = command;
    // A file with a mistake in it must not be in the way of writing a good one.
    let path = own_paths(common)?.config_file;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|problem| format!("cannot make {}: {problem}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(*force).create_new(!force);
    let mut file = options.open(&path).map_err(|problem| {
        let remedy = if path.exists() { "; --force replaces it" } else { "" };
        format!("cannot write {}: {problem}{remedy}", path.display())
    })?;
    file.write_all(settings::default_config().as_bytes())?;
    output::line(&format!("wrote {}; every key in it is documented and set to its default", path.display()))?;
    Ok(Exit::Done)
}
