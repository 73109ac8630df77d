//! How busy the processors are: `/proc/stat` and `/proc/loadavg`. Source of the columns: `proc_stat(5)`, `proc_loadavg(5)`.

use std::path::Path;

use super::counters::Counters;
use super::{Figure, Meaning};
use crate::engine::model::{BadWhen, SeriesRole, Unit};

const BUSY: Meaning = Meaning::share("cpu_busy_ratio");
const WAITING: Meaning = Meaning::share("cpu_iowait_ratio");
const LOAD: Meaning = Meaning {
    metric: "load_per_core",
    unit: Unit::Count,
    role: SeriesRole::Saturation,
    bad_when: BadWhen::High,
    limit: None,
};

/// Jiffies since the start, and processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    idle: u64,
    waiting: u64,
    all: u64,
    core_count: u32,
}

/// Reads both.
///
/// # Errors
/// When `/proc/stat` cannot be read: then there is nothing to watch.
pub fn read(proc: &Path, counters: &mut Counters, figures: &mut Vec<Figure>) -> Result<(), String> {
    let path = proc.join("stat");
    let text = std::fs::read_to_string(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    let times = times(&text).ok_or_else(|| format!("{}: it has no line of all processors", path.display()))?;
    let idle = counters.rate("cpu", "idle", times.idle);
    let waiting = counters.rate("cpu", "waiting", times.waiting);
    let all = counters.rate("cpu", "all", times.all).filter(|all| *all > 0.0);
    if let (Some(all), Some(idle), Some(waiting)) = (all, idle, waiting) {
        figures.push(Figure::of_machine(BUSY, (1.0 - (idle + waiting) / all).clamp(0.0, 1.0)));
        figures.push(Figure::of_machine(WAITING, (waiting / all).clamp(0.0, 1.0)));
    }
    let load = std::fs::read_to_string(proc.join("loadavg")).ok();
    if let Some(load) = load.as_deref().and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()) {
        figures.push(Figure::of_machine(LOAD, load / f64::from(times.core_count.max(1))));
    }
    Ok(())
}

fn times(text: &str) -> Option<Times> {
    let mut lines = text.lines();
    let columns: Vec<u64> =
        lines.next()?.strip_prefix("cpu ")?.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let core_count = lines.take_while(|line| line.starts_with("cpu")).count();
    // user nice system idle iowait irq softirq steal; the guests' columns that follow are in user and nice already.
    let all = columns.iter().take(8).fold(0_u64, |sum, column| sum.saturating_add(*column));
    Some(Times {
        idle: *columns.get(3)?,
        waiting: columns.get(4).copied().unwrap_or(0),
        all,
        core_count: u32::try_from(core_count).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_all_processors_together() {
        let text = "cpu  10 1 5 80 4 0 1 0 3 0\ncpu0 5 0 2 40 2 0 1 0 0 0\ncpu1 5 1 3 40 2 0 0 0 0 0\nintr 1\n";
        assert_eq!(times(text), Some(Times { idle: 80, waiting: 4, all: 101, core_count: 2 }));
        for broken in ["", "cpu0 1 2 3 4", "cpu  a b c d", "cpu  1 2"] {
            assert_eq!(times(broken), None, "{broken}");
        }
    }
}
