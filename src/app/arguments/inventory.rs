//! The command line of `hypo inventory`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::engine::patches::inventory::{Environment, Exposure, import};

/// `hypo inventory`
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Look at this host (dpkg or rpm, its kernel and processes) and at the configured folders.
    Scan {
        /// What this host is called in the inventory [default: its host name].
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Look at these hosts over ssh, in place of this one and those of the settings.
        #[arg(long, value_name = "HOST", num_args = 1.., conflicts_with = "name")]
        ssh: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take assets from files: CSV, JSON, Ansible's facts; a folder stands for the files in it.
    Import {
        /// The files and folders.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the assets.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one with its packages and what runs in spite of them.
    Show {
        /// Which.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say of an asset what no scan can know; a new name makes a new asset.
    Set(InventorySetArguments),
    /// Forget an asset.
    Remove {
        /// Which.
        name: String,
    },
}

/// `hypo inventory set`
#[derive(Debug, Args)]
pub struct InventorySetArguments {
    /// Which.
    pub name: String,
    /// What it serves: production, staging, development or unknown.
    #[arg(long, value_name = "WORD", value_parser = import::environment)]
    pub environment: Option<Environment>,
    /// Who can reach it: internet, internal or unknown.
    #[arg(long, value_name = "WORD", value_parser = import::exposure)]
    pub exposure: Option<Exposure>,
    /// What sort of server it is, such as web.
    #[arg(long, value_name = "WORD")]
    pub class: Option<String>,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// When in a rollout its turn is, such as canary.
    #[arg(long, value_name = "NAME")]
    pub ring: Option<String>,
    /// The services it carries, with commas between.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub services: Option<Vec<String>>,
}
