//! Runbooks, and what their steps reach beyond this machine's programs: other machines, playbooks, job templates, endpoints.
//! Each of these is off until it is named here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{SecretSource, Span};
use crate::engine::clock::SECOND_MS;

/// Machines that steps reach by the system's `ssh`, which must be among `allowed_programs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SshSettings {
    /// Hosts that steps may go to; a `*` stands for any characters but a dot.
    pub hosts: Vec<String>,
    /// Programs that steps may start there, beside those of `allowed_programs`, by file name or absolute path.
    pub programs: Vec<String>,
    /// User there; the one who runs `hypo` where absent.
    pub user: Option<String>,
    /// Its private key; the agent's where absent.
    pub identity_file: Option<PathBuf>,
    /// Keys of those hosts; the user's own file where absent. A host without a key there is not reached.
    pub known_hosts: Option<PathBuf>,
    /// Port of their `sshd`.
    pub port: u16,
    /// Longest wait for a connection.
    pub connect_timeout: Span,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            programs: Vec::new(),
            user: None,
            identity_file: None,
            known_hosts: None,
            port: 22,
            connect_timeout: Span(10 * SECOND_MS),
        }
    }
}

/// Playbooks that steps run by `ansible-playbook`, which must be among `allowed_programs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnsibleSettings {
    /// Folder of the playbooks; none is run where absent.
    pub folder: Option<PathBuf>,
    /// The inventory: a file or a folder.
    pub inventory: Option<PathBuf>,
    /// Hosts worked on at once.
    pub forks: u16,
}

impl Default for AnsibleSettings {
    fn default() -> Self {
        Self { folder: None, inventory: None, forks: 5 }
    }
}

/// Job templates of an AWX or Automation Platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AwxSettings {
    /// Its address; none is asked where empty.
    pub url: String,
    /// Where its API is below that; `/api/controller/v2` since Automation Platform 2.5.
    pub api: String,
    /// Bearer token.
    pub token: SecretSource,
    /// Names of the templates that steps may launch.
    pub templates: Vec<String>,
    /// Between two looks at a job.
    pub poll: Span,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for AwxSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            api: "/api/v2".to_owned(),
            token: SecretSource::default(),
            templates: Vec::new(),
            poll: Span(2 * SECOND_MS),
            ca_file: None,
        }
    }
}

/// A server that steps may send requests to, by the name of its section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointSettings {
    /// Its address, with a path prefix where there is one.
    pub url: String,
    /// Secret it is shown.
    pub token: SecretSource,
    /// The header that carries it; as a bearer token in `Authorization` where absent.
    pub header: Option<String>,
    /// PEM file of a certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Runbooks and what may be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunbookSettings {
    /// Folders with runbooks of one's own; one with a shipped id replaces it.
    pub folders: Vec<PathBuf>,
    /// Programs that steps may start, by file name or absolute path.
    pub allowed_programs: Vec<String>,
    /// Environment variables passed on to them.
    pub environment: Vec<String>,
    /// True takes away every act: observe only.
    pub observe_only: bool,
    /// Machines reached by `ssh`.
    pub ssh: SshSettings,
    /// Playbooks.
    pub ansible: AnsibleSettings,
    /// Job templates.
    pub awx: AwxSettings,
    /// Servers that requests go to, by name.
    pub endpoints: BTreeMap<String, EndpointSettings>,
}

impl Default for RunbookSettings {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            allowed_programs: "kubectl systemctl psql df du ls cat journalctl ss ps free curl"
                .split(' ')
                .map(str::to_owned)
                .collect(),
            environment: ["PATH", "HOME", "LANG", "KUBECONFIG"].map(str::to_owned).to_vec(),
            observe_only: false,
            ssh: SshSettings::default(),
            ansible: AnsibleSettings::default(),
            awx: AwxSettings::default(),
            endpoints: BTreeMap::new(),
        }
    }
}
