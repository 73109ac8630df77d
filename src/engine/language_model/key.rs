//! The key of a model's server: from the environment, or from a file that its owner alone may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secrecy::SecretString;

use crate::engine::ingest::http_client::secret;
use crate::engine::settings::SecretSource;

/// What the setting is called in messages.
pub(super) const NAME: &str = "ask.model";

/// Reads the key; `None` where none is configured.
///
/// # Errors
/// When it cannot be read, is empty, or lies in a file that others may read or write; in words for people.
pub(super) fn key(origin: &SecretSource) -> Result<Option<SecretString>, String> {
    if let (None, Some(path)) = (&origin.env, &origin.file) {
        let shown = path.display();
        let known = fs::metadata(path)
            .map_err(|problem| format!("the key's file {shown} cannot be read: {problem}; check the path"))?;
        let mode = known.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "the key's file {shown} is open to others (mode {mode:04o}); `chmod 600 {shown}` closes it"
            ));
        }
    }
    secret(NAME, origin).map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "sk-ant-hunter2\n").unwrap();
        let origin = SecretSource { env: None, file: Some(file.clone()) };
        for (mode, is_fine) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false), (0o644, false)]
        {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            match key(&origin) {
                Ok(found) => {
                    assert!(is_fine, "{mode:o}");
                    assert_eq!(found.unwrap().expose_secret(), "sk-ant-hunter2");
                }
                Err(words) => {
                    assert!(!is_fine && words.contains(&format!("(mode {mode:04o}); `chmod 600")), "{mode:o}: {words}");
                    assert!(!words.contains("hunter2"));
                }
            }
        }
        assert!(key(&SecretSource::default()).unwrap().is_none());
        let gone = SecretSource { env: None, file: Some(folder.path().join("gone")) };
        assert!(key(&gone).unwrap_err().contains("cannot be read"));
        let unset = SecretSource { env: Some("HYPO_NO_SUCH_KEY".to_owned()), file: None };
        assert!(key(&unset).unwrap_err().contains("HYPO_NO_SUCH_KEY"));
    }
}
