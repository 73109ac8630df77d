//! `hypo record`: everything that comes in, into a file.

use std::time::Duration;

use super::{Exit, Failure, console, output, settings, tokio_runtime};
use crate::app::arguments::{CommonArguments, RecordArguments};
use crate::engine::runtime::{Runtime, RuntimeConfig};
use crate::engine::settings::OutboundSettings;
use crate::views::text::counted;

pub(super) fn run(common: &CommonArguments, arguments: &RecordArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let tokio = tokio_runtime()?;
    let _entered = tokio.enter();
    // A recording starts from nothing, so that it can be run again anywhere: no store goes into it. It looks on: whoever is
    // told of incidents is told by the console that runs beside it.
    let mut config = RuntimeConfig {
        state_dir: None,
        record_to: Some(arguments.file.clone()),
        ..console::runtime_config(&loaded, tokio.handle())
    };
    config.settings.outbound = OutboundSettings::default();
    let mut runtime = Runtime::start(config)?;
    tokio.block_on(runtime.started())?;
    output::line(&format!("recording to {}; Ctrl-C ends it", arguments.file.display()))?;
    let lasts = arguments.lasts.map(|span| Duration::from_millis(span.0.unsigned_abs()));
    tokio.block_on(async {
        let end = async {
            match lasts {
                Some(lasts) => tokio::time::sleep(lasts).await,
                None => std::future::pending().await,
            }
        };
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            () = end => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminated.recv() => {}
        }
        Ok::<(), std::io::Error>(())
    })?;
    let picture = runtime.handle().snapshots().borrow().clone();
    runtime.stop();
    output::line(&format!(
        "recorded {} of {} series and {}",
        counted(picture.counts.sample_count, "sample", "samples"),
        picture.counts.series_count,
        counted(picture.incidents.len() as u64, "incident", "incidents")
    ))?;
    Ok(Exit::Done)
}
