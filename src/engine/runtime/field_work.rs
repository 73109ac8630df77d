//! What rollouts need to have found out: who lacks a patch, by what is kept of feeds and inventory, and what a machine has and
//! runs once it was patched. Each look runs beside everything else, and its answer is an input.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::inventory_scan;
use super::jobs_desk::Scout;
use crate::engine::act::steps::asset_look;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::pace::Pace;
use crate::engine::ingest::wall_clock;
use crate::engine::input::{AssetLook, Input, NeedAsked};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::patches::inventory::{AssetNews, Reboot, Running, file, this_host};
use crate::engine::patches::keeping::Keeping;
use crate::engine::settings::{PatchSettings, RunbookSettings};

/// Looks for what rollouts need.
pub(super) struct FieldWork {
    /// `None` where nothing is kept.
    pub keeping: Option<Keeping>,
    pub patches: PatchSettings,
    pub runbooks: RunbookSettings,
    pub findings: mpsc::Sender<Input>,
    pub pace: Pace,
    /// Looks run on it.
    pub runtime: Handle,
}

impl Scout for FieldWork {
    fn find_need(&self, asked: NeedAsked, exceptions: Vec<Arc<PatchException>>) {
        let (keeping, settings, findings) = (self.keeping.clone(), self.patches.clone(), self.findings.clone());
        self.runtime.spawn_blocking(move || {
            let found = match keeping {
                Some(keeping) => keeping.need(&asked.source, &exceptions, &settings, wall_clock::now()).map(Box::new),
                None => Err("nothing is kept here, so nothing is known of what is installed".to_owned()),
            };
            // It errs once the engine is gone, and then nobody waits for it.
            let _gone = findings.blocking_send(Input::Need { asked, found });
        });
    }

    /// What it has goes into the inventory.
    fn look_at(&self, look: AssetLook) {
        let (keeping, settings, findings) = (self.keeping.clone(), self.runbooks.clone(), self.findings.clone());
        self.runtime.spawn(async move {
            let name = Arc::clone(&look.target.asset);
            if let Some(Keeping::Memory(memory)) = &keeping {
                // What was installed there is noted already, by whoever did it; there is no machine to go to.
                let found = memory.reboot(&name);
                let _gone = findings.send(Input::AssetSeen { look, found }).await;
                return;
            }
            let looked = if look.is_remote {
                asset_look::look(&name, &settings).await.map(|(news, _)| (news, format!("ssh {name}")))
            } else {
                inventory_scan::look_here().await.map(|(news, _)| (news, this_host::ORIGIN.to_owned()))
            };
            let found = match looked {
                Ok((news, origin)) => {
                    let keep = move || keep(keeping.as_ref(), &name, news, &origin);
                    tokio::task::spawn_blocking(keep).await.unwrap_or_else(|problem| Err(problem.to_string()))
                }
                Err(problem) => Err(problem),
            };
            let _gone = findings.send(Input::AssetSeen { look, found }).await;
        });
    }

    fn watch_closely(&self, until: Timestamp, every_ms: i64) {
        self.pace.watch_closely(until, every_ms);
    }
}

/// Gives whether the machine must be rebooted, or something on it restarted.
fn keep(keeping: Option<&Keeping>, name: &str, news: AssetNews, origin: &str) -> Result<Option<Reboot>, String> {
    let reboot = news.running.as_ref().and_then(Running::reboot);
    if let Some(Keeping::Folder(folder)) = keeping {
        let kept = || {
            let _held = file::hold(folder)?;
            let mut fleet = file::load(folder)?;
            fleet.take(name, news, origin, wall_clock::now());
            file::keep(folder, &fleet)
        };
        kept().map_err(|problem| problem.to_string())?;
    }
    Ok(reboot)
}
