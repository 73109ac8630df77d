//! Where things are, by the XDG conventions.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;

use super::{Overrides, SettingsError, usual_config_file};

/// The folder of ours within the XDG directories.
const FOLDER: &str = "hypocenter";

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
}
