//! Where things are, by the XDG conventions.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use sha2::{Digest, Sha256};

use super::{Overrides, SettingsError, usual_config_file};

/// The folder of ours within the XDG directories.
const FOLDER: &str = "hypocenter";

/// What consoles of a person leave behind, beside the store or in a folder of that person's own.
const LEFT_OFF: &str = "left-off";
/// Bytes of a digest by which the folders of several engines are told apart.
const DIGEST_BYTES: usize = 8;

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The configuration file; it may not exist.
    pub config_file: PathBuf,
    /// Beside it: `keymaps` and `themes` of one's own.
    pub config_dir: PathBuf,
    /// The store, the log.
    pub state_dir: PathBuf,
}

impl Paths {
    /// The XDG directories, unless told otherwise. All are absolute: an engine in the background is in another folder.
    ///
    /// # Errors
    /// When there is no home directory and not both paths are given.
    pub fn find(overrides: &Overrides) -> Result<Self, SettingsError> {
        let xdg = || Xdg::new().map_err(|_| SettingsError::NoHome);
        let config_file = match &overrides.config {
            Some(file) => file.clone(),
            None => usual_config_file(&xdg()?.config_dir().join(FOLDER)),
        };
        let state_dir = match &overrides.state_dir {
            Some(folder) => folder.clone(),
            None => {
                let xdg = xdg()?;
                xdg.state_dir().unwrap_or_else(|| xdg.data_dir()).join(FOLDER)
            }
        };
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let (config_file, state_dir) = (absolute(config_file), absolute(state_dir));
        let config_dir = config_file.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Self { config_file, config_dir, state_dir })
    }

    /// Where this person's consoles on this engine keep what they leave behind: beside the store, else, where that is somebody
    /// else's, under that person's own home. `None` where there is none.
    #[must_use]
    pub fn left_off(&self) -> Option<PathBuf> {
        let owner = std::fs::metadata(&self.state_dir).map(|facts| facts.uid());
        if owner.is_ok_and(|owner| owner != nix::unistd::getuid().as_raw()) {
            let whole = self.state_dir.canonicalize().unwrap_or_else(|_| self.state_dir.clone());
            return under_own_home(whole.as_os_str().as_encoded_bytes());
        }
        Some(self.state_dir.join(LEFT_OFF))
    }

    /// The same for consoles on the engine of another machine. `None` where there is no home.
    #[must_use]
    pub fn left_off_there(host: &str) -> Option<PathBuf> {
        under_own_home(format!("ssh {host}").as_bytes())
    }
}

/// Where what is left behind on an engine of somebody else, of this name, is kept.
fn under_own_home(name: &[u8]) -> Option<PathBuf> {
    let digest = Sha256::digest(name);
    let name: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let xdg = Xdg::new().ok()?;
    let own = xdg.state_dir().unwrap_or_else(|| xdg.data_dir());
    Some(own.join(FOLDER).join(LEFT_OFF).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_lies_beside_a_store_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let paths = |state_dir: PathBuf| Paths { config_file: "c".into(), config_dir: "d".into(), state_dir };
        assert_eq!(paths(folder.path().into()).left_off(), Some(folder.path().join("left-off")));
        let nowhere = folder.path().join("not-made-yet");
        assert_eq!(paths(nowhere.clone()).left_off(), Some(nowhere.join("left-off")));
    }
}
