//! What rollouts need to have found out: who lacks a patch, by the files in the state directory, and what a machine has and
//! runs once it was patched. Each look runs beside everything else, and its answer is an input.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::inventory_scan;
use crate::engine::act::steps::asset_look;
use crate::engine::ingest::wall_clock;
use crate::engine::input::{AssetLook, Input, NeedAsked};
use crate::engine::patches::exceptions::{InForce, PatchException};
use crate::engine::patches::inventory::{AssetNews, Reboot, Running, file, this_host};
use crate::engine::patches::office::Office;
use crate::engine::patches::rollout::need::need_of;
use crate::engine::patches::rollout::planning::Need;
use crate::engine::settings::{PatchSettings, RunbookSettings};

/// Looks for what rollouts need.
pub(super) struct FieldWork {
    pub state_dir: Option<PathBuf>,
    pub patches: PatchSettings,
    pub runbooks: RunbookSettings,
    pub findings: mpsc::Sender<Input>,
}

impl FieldWork {
    /// Finds out who lacks a patch; returns at once.
    pub(super) fn find_need(&self, asked: NeedAsked, exceptions: Vec<Arc<PatchException>>, runtime: &Handle) {
        let (folder, settings, findings) = (self.state_dir.clone(), self.patches.clone(), self.findings.clone());
        runtime.spawn_blocking(move || {
            let found = match folder {
                Some(folder) => find(&folder, &settings, &asked.source, &exceptions).map(Box::new),
                None => Err("nothing is kept here, so nothing is known of what is installed".to_owned()),
            };
            // It errs once the engine is gone, and then nobody waits for it.
            let _gone = findings.blocking_send(Input::Need { asked, found });
        });
    }

    /// Looks at a machine that was patched, and puts what it has into the inventory; returns at once.
    pub(super) fn look_at(&self, look: AssetLook, runtime: &Handle) {
        let (folder, settings, findings) = (self.state_dir.clone(), self.runbooks.clone(), self.findings.clone());
        runtime.spawn(async move {
            let name = Arc::clone(&look.target.asset);
            let looked = if look.is_remote {
                asset_look::look(&name, &settings).await.map(|(news, _)| (news, format!("ssh {name}")))
            } else {
                inventory_scan::look_here().await.map(|(news, _)| (news, this_host::ORIGIN.to_owned()))
            };
            let found = match looked {
                Ok((news, origin)) => {
                    let keep = move || keep(folder.as_deref(), &name, news, &origin);
                    tokio::task::spawn_blocking(keep).await.unwrap_or_else(|problem| Err(problem.to_string()))
                }
                Err(problem) => Err(problem),
            };
            let _gone = findings.send(Input::AssetSeen { look, found }).await;
        });
    }
}

fn find(
    folder: &Path,
    settings: &PatchSettings,
    source: &str,
    exceptions: &[Arc<PatchException>],
) -> Result<Need, String> {
    let now = wall_clock::now();
    let in_force = InForce::of(exceptions.iter().map(Arc::as_ref), now);
    let office = Office::load(folder).map_err(|problem| problem.to_string())?;
    let matched = office.matched();
    let queue =
        office.queue(&matched, folder, &in_force, &settings.risk, now).map_err(|problem| problem.to_string())?;
    need_of(source, &office.fleet, &matched, &queue, &in_force)
}

/// Gives whether the machine must be rebooted, or something on it restarted.
fn keep(folder: Option<&Path>, name: &str, news: AssetNews, origin: &str) -> Result<Option<Reboot>, String> {
    let reboot = news.running.as_ref().and_then(Running::reboot);
    if let Some(folder) = folder {
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
