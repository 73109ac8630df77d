//! The command line of `hypo advisories`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::feeds::FeedKind;

/// `hypo advisories`
#[derive(Debug, Subcommand)]
pub enum AdvisoriesCommand {
    /// Renew the feeds from their servers; exit code 2 where one of them was not.
    Sync(AdvisoriesSyncArguments),
    /// Take feeds from files of their own shapes, packed with gzip or not: for sites without a network.
    Import(AdvisoriesImportArguments),
    /// Say of every feed how old it is, what it holds and what went wrong last; exit code 1 where one is not as it should be.
    Feeds {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List vulnerabilities, the newest numbers first.
    List(AdvisoriesListArguments),
    /// Tell all that is known of one.
    Show {
        /// Which, such as CVE-2024-3094.
        id: AdvisoryId,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `hypo advisories sync`
#[derive(Debug, Args)]
pub struct AdvisoriesSyncArguments {
    /// Only this feed; may be given several times.
    #[arg(long, value_name = "FEED")]
    pub feed: Vec<FeedName>,
    /// Take a feed that has less than half of what it had; why goes into the audit log.
    #[arg(long, value_name = "REASON")]
    pub allow_shrink: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo advisories import`
#[derive(Debug, Args)]
pub struct AdvisoriesImportArguments {
    /// The files; for NVD any number of pages.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Whose they are.
    #[arg(long, value_name = "FEED")]
    pub feed: FeedName,
    /// Take it where it has less than half of what there was; why goes into the audit log.
    #[arg(long, value_name = "REASON")]
    pub allow_shrink: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo advisories list`
#[derive(Debug, Args)]
pub struct AdvisoriesListArguments {
    /// Only what is known to be exploited.
    #[arg(long)]
    pub kev: bool,
    /// Only what concerns this package; for distributions the source package's name.
    #[arg(long, value_name = "NAME")]
    pub package: Option<String>,
    /// So many of them.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A feed, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FeedName {
    /// CISA's catalogue of what is known to be exploited.
    Kev,
    /// FIRST's estimates of what will be exploited.
    Epss,
    /// NIST's database.
    Nvd,
    /// OSV.
    Osv,
    /// Debian's security tracker.
    Debian,
}

impl FeedName {
    /// Which it is.
    #[must_use]
    pub fn kind(self) -> FeedKind {
        match self {
            Self::Kev => FeedKind::Kev,
            Self::Epss => FeedKind::Epss,
            Self::Nvd => FeedKind::Nvd,
            Self::Osv => FeedKind::Osv,
            Self::Debian => FeedKind::Debian,
        }
    }
}
