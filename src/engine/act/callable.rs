//! Whether a call could be made as the settings and this machine are, without making it: what `hypo doctor` asks.

use super::policy;
use super::steps::run_command::CommandRules;
use super::steps::{ansible, awx, ssh};
use crate::engine::model::Call;
use crate::engine::settings::RunbookSettings;

/// Looks at the allow-lists, and whether the program or playbook is there. Nothing is started and no server is asked.
///
/// # Errors
/// Why it would be refused, and what to do.
pub fn check(call: &Call, settings: &RunbookSettings) -> Result<(), String> {
    if let Some(problem) = policy::program(call, settings) {
        return Err(problem);
    }
    let rules = CommandRules::new(settings);
    match call {
        Call::Command { argv } => rules.resolve(argv.first().map_or("", AsRef::as_ref)).map(drop),
        Call::Ssh { host, .. } => {
            ssh::check_host(host, &settings.ssh.hosts)?;
            rules.resolve("ssh").map(drop)
        }
        Call::Playbook(play) => {
            ansible::check_files(play, &settings.ansible)?;
            rules.resolve("ansible-playbook").map(drop)
        }
        Call::JobTemplate(play) => awx::check(play, &settings.awx),
        Call::Http(_) => Ok(()),
    }
}
