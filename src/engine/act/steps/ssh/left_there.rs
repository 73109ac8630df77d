//! What an attempt may have left running on another machine, once nobody is connected to it any more: it is connected to
//! again, and what its folder there names is ended, with a request first.

use std::time::Duration;

use super::far_end::{self, END_GRACE_S};
use super::{CommandRules, SshSettings, look};

/// For what is asked of a machine beside the time until it is connected to.
const ANSWER: Duration = Duration::from_secs(10);

/// What became of an attempt on another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftThere {
    /// Nothing is there that could be known for its command: it never began, was ended and heard, or the machine was started anew.
    Nothing,
    /// It had ended by itself.
    Over,
    /// It ran, and was ended.
    Ended,
    /// It runs, and could not be ended: it is another user's by now, or hangs in the kernel.
    Runs,
}

/// Ends what still runs on `host` of an attempt, by its identity, with a request first.
///
/// # Errors
/// When the host may not be reached, is not, or does not answer in time.
pub async fn end(host: &str, attempt: &str, rules: &CommandRules, settings: &SshSettings) -> Result<LeftThere, String> {
    let Some(mark) = far_end::mark_of(attempt) else { return Ok(LeftThere::Nothing) };
    let connect = Duration::from_millis(u64::try_from(settings.connect_timeout.0).unwrap_or(0));
    let limit = connect + Duration::from_secs(END_GRACE_S) + ANSWER;
    let told = look(host, &far_end::end_script(&mark), rules, settings, limit).await?;
    let word = told.lines().find_map(|line| line.strip_prefix(&*mark)).map(str::trim);
    let left = match word {
        Some("nothing") => LeftThere::Nothing,
        Some("over") => LeftThere::Over,
        Some("ended") => LeftThere::Ended,
        Some("runs") => LeftThere::Runs,
        _ => return Err(format!("{host} did not say what runs there of an earlier attempt")),
    };
    match left {
        LeftThere::Nothing | LeftThere::Over => {
            tracing::info!(attempt, host, ?left, "nothing runs there of an attempt");
        }
        LeftThere::Ended => tracing::warn!(attempt, host, "ended what an attempt had left running there"),
        LeftThere::Runs => tracing::error!(attempt, host, "what an attempt has left running there does not end"),
    }
    Ok(left)
}
