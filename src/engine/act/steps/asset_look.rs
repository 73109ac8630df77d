//! Looks at another host over `ssh`: which packages it has and what runs there. It only looks, by a fixed script, so no approval is
//! needed; which hosts may be reached, and that `ssh` may be started, the settings say as for any step.

use std::time::Duration;

use super::run_command::CommandRules;
use super::ssh;
use crate::engine::patches::inventory::{AssetNews, other_host};
use crate::engine::settings::RunbookSettings;

/// Longest wait for an answer: a host with many processes takes its time.
const WAIT: Duration = Duration::from_secs(120);

/// What is installed and runs on `host`, and how many entries could not be used.
///
/// # Errors
/// When it may not be reached, does not answer, or its answer is cut off or names no packages.
pub async fn look(host: &str, settings: &RunbookSettings) -> Result<(AssetNews, usize), String> {
    let mark = ssh::mark();
    let rules = CommandRules::new(settings);
    let answer = ssh::look(host, &other_host::script(&mark), &rules, &settings.ssh, WAIT).await?;
    other_host::read(&answer, &mark).map_err(|problem| format!("{host}: {problem}"))
}
