//! Where things are, by the XDG conventions.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use sha2::{Digest, Sha256};

use super::{Overrides, SettingsError, usual_config_file};

/// The folder of ours within the XDG directories.
const FOLDER: &str = "hypocenter";

/// What is read where a person has no configuration: that of the machine, with which everybody there comes to its one engine. Where it
/// leads to none, it is that engine's alone.
const OF_MACHINE: &str = "/etc/hypocenter/config.toml";

/// What consoles of a person leave behind, beside the store or in a folder of that person's own.
const LEFT_OFF: &str = "left-off";
/// Bytes of a digest by which the folders of several engines are told apart.
const DIGEST_BYTES: usize = 8;

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The configuration file; it may not exist.
    pub config_file: PathBuf,
    /// The folder that the file's relative paths begin in.
    pub config_dir: PathBuf,
    /// Where `keymaps` and `themes` of one's own are: beside the file, unless that is the machine's.
    pub look_dir: PathBuf,
    /// The store, the log.
    pub state_dir: PathBuf,
}

impl Paths {
    /// The XDG directories, unless told otherwise; the configuration of the machine where there is none of this person's. All are
    /// absolute: an engine in the background is in another folder.
    ///
    /// # Errors
    /// When there is no home directory and not both paths are given.
    pub fn find(overrides: &Overrides) -> Result<Self, SettingsError> {
        Self::find_beside(overrides, &own_dir, Some(Path::new(OF_MACHINE)))
    }

    /// The same of nobody but this person, whatever the machine has: what `hypo config init` writes.
    ///
    /// # Errors
    /// When there is no home directory and not both paths are given.
    pub fn find_own(overrides: &Overrides) -> Result<Self, SettingsError> {
        Self::find_beside(overrides, &own_dir, None)
    }

    fn find_beside(
        overrides: &Overrides,
        own_dir: &dyn Fn() -> Result<PathBuf, SettingsError>,
        of_machine: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let beside = |file: &Path| file.parent().map(PathBuf::from).unwrap_or_default();
        let (config_file, look_dir) = match &overrides.config {
            Some(file) => (file.clone(), beside(&absolute(file.clone()))),
            None => {
                let own = usual_config_file(&own_dir()?);
                let look_dir = beside(&absolute(own.clone()));
                let of_machine = of_machine.filter(|file| !own.exists() && leads_to_an_engine(file));
                (of_machine.map_or(own, PathBuf::from), look_dir)
            }
        };
        let state_dir = match &overrides.state_dir {
            Some(folder) => folder.clone(),
            None => {
                let xdg = Xdg::new().map_err(|_| SettingsError::NoHome)?;
                xdg.state_dir().unwrap_or_else(|| xdg.data_dir()).join(FOLDER)
            }
        };
        let (config_file, state_dir) = (absolute(config_file), absolute(state_dir));
        let config_dir = beside(&config_file);
        Ok(Self { config_file, config_dir, look_dir, state_dir })
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

/// Where this person's configuration is, or would be.
fn own_dir() -> Result<PathBuf, SettingsError> {
    Ok(Xdg::new().map_err(|_| SettingsError::NoHome)?.config_dir().join(FOLDER))
}

/// True for a configuration that this person may read and that names a socket. By another one everybody would have an engine of their own
/// that watches and acts as that of the machine does.
fn leads_to_an_engine(file: &Path) -> bool {
    let table = std::fs::read_to_string(file).ok().and_then(|text| text.parse::<toml::Table>().ok());
    table.is_some_and(|table| table.get("attach").is_some_and(|attach| attach.get("socket").is_some()))
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
        let paths = |state_dir: PathBuf| {
            let (config_dir, look_dir) = ("d".into(), "d".into());
            Paths { config_file: "c".into(), config_dir, look_dir, state_dir }
        };
        assert_eq!(paths(folder.path().into()).left_off(), Some(folder.path().join("left-off")));
        let nowhere = folder.path().join("not-made-yet");
        assert_eq!(paths(nowhere.clone()).left_off(), Some(nowhere.join("left-off")));
    }

    #[test]
    fn whoever_has_no_configuration_has_that_of_the_machine_and_a_look_of_ones_own() {
        let (home, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [own, of_machine] = [&home, &machine].map(|folder| folder.path().join("config.toml"));
        let find = |config: Option<&str>| {
            let (config, state_dir) = (config.map(PathBuf::from), Some("/state".into()));
            let overrides = Overrides { config, state_dir, ..Overrides::default() };
            let found = Paths::find_beside(&overrides, &|| Ok(home.path().to_path_buf()), Some(&of_machine)).unwrap();
            [found.config_file, found.config_dir, found.look_dir]
        };
        let folders = |file: &Path, folder: &Path, look: &Path| [file, folder, look].map(Path::to_path_buf);
        assert_eq!(find(None), folders(&own, home.path(), home.path()));
        for for_itself in ["", "[attach]\ngroup = \"sre\"\n", "[attach\n"] {
            std::fs::write(&of_machine, for_itself).unwrap();
            assert_eq!(find(None), folders(&own, home.path(), home.path()), "{for_itself}");
        }
        std::fs::write(&of_machine, "[attach]\nsocket = \"/run/hypocenter/socket\"\n").unwrap();
        assert_eq!(find(None), folders(&of_machine, machine.path(), home.path()));
        assert_eq!(find(Some("/m/c.toml")), folders(Path::new("/m/c.toml"), Path::new("/m"), Path::new("/m")));
        std::fs::write(&own, "").unwrap();
        assert_eq!(find(None), folders(&own, home.path(), home.path()));
    }
}
