//! Secrets, from the environment or from files, never from the configuration itself.

use secrecy::SecretString;

use crate::engine::ingest::IngestError;
use crate::engine::settings::SecretSource;

/// Reads a secret; `None` where none is configured. An empty one is an error: it would be sent as if it were one.
///
/// # Errors
/// When the variable is not set, the file cannot be read, or either is empty.
pub fn secret(name: &str, origin: &SecretSource) -> Result<Option<SecretString>, IngestError> {
    let refuse = |origin: String, problem: String| IngestError::Secret { name: name.to_owned(), origin, problem };
    let (shown, text) = match (&origin.env, &origin.file) {
        (Some(variable), _) => {
            let shown = format!("environment variable {variable}");
            let text = std::env::var(variable)
                .map_err(|_| refuse(shown.clone(), "it is not set or not text; set it before the start".to_owned()))?;
            (shown, text)
        }
        (None, Some(path)) => {
            let shown = format!("file {}", path.display());
            let text = std::fs::read_to_string(path)
                .map_err(|problem| refuse(shown.clone(), format!("{problem}; check the path and who may read it")))?;
            (shown, text)
        }
        (None, None) => return Ok(None),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(refuse(shown, "its first line is empty; write the secret there".to_owned()));
    }
    Ok(Some(SecretString::from(line.to_owned())))
}
