//! Asks rpm which packages this host has. It only looks, so no approval is needed; it is here because only here programs are
//! started, and by the rules for all of them: a trusted file, a bare environment, an end in time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{self, Program};
use super::run_command::trust;

/// Where rpm is.
const RPM: &str = "/usr/bin/rpm";
/// Longest wait for its answer.
const WAIT: Duration = Duration::from_secs(60);
/// Longest answer.
const ANSWER_BYTES_MAX: u64 = 67_108_864;

/// What `rpm -qa` prints by `format`; `None` where there is no rpm.
///
/// # Errors
/// When it may not be started, does not end in time or ends with an error.
pub async fn rpm(format: &str) -> Result<Option<String>, String> {
    if !Path::new(RPM).exists() {
        return Ok(None);
    }
    trust(Path::new(RPM))?;
    let arguments = ["-qa", "--qf", format].map(OsString::from).to_vec();
    let environment = vec![("LC_ALL".to_owned(), OsString::from("C.UTF-8"))];
    let program = Program { path: PathBuf::from(RPM), arguments, environment };
    let looked = process::look(&program, WAIT, ANSWER_BYTES_MAX).await?;
    if looked.code != Some(0) {
        let first = looked.stderr.lines().next().unwrap_or("it said nothing");
        return Err(format!("rpm ended with an error: {first:.200}"));
    }
    Ok(Some(String::from_utf8_lossy(&looked.stdout).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rpm_is_asked_where_there_is_one() {
        let answer = rpm(crate::engine::patches::inventory::rpm::FORMAT).await.unwrap();
        assert_eq!(answer.is_some(), Path::new(RPM).exists());
    }
}
