//! How full memory and swap are: `/proc/meminfo`. Source of the names: `proc_meminfo(5)`.

use std::path::Path;

use super::{Figure, Meaning};

const MEMORY: Meaning = Meaning::full_at_one("memory_used_ratio");
const SWAP: Meaning = Meaning::share("swap_used_ratio");

/// Reads it.
///
/// # Errors
/// When `/proc/meminfo` cannot be read.
pub fn read(proc: &Path, figures: &mut Vec<Figure>) -> Result<(), String> {
    let path = proc.join("meminfo");
    let text = std::fs::read_to_string(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    // Available is what can be had without swapping, caches included; free alone would look full on every healthy machine.
    if let Some(used) = used_ratio(&text, "MemTotal", "MemAvailable") {
        figures.push(Figure::of_machine(MEMORY, used));
    }
    if let Some(used) = used_ratio(&text, "SwapTotal", "SwapFree") {
        figures.push(Figure::of_machine(SWAP, used));
    }
    Ok(())
}

fn used_ratio(text: &str, total: &str, free: &str) -> Option<f64> {
    let amount = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (total, free) = (amount(total)?, amount(free)?);
    (total > 0.0).then(|| (1.0 - free / total).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_counts_and_a_machine_without_swap_has_no_share_of_it() {
        let text = "MemTotal:  1000 kB\nMemFree:  50 kB\nMemAvailable:  600 kB\nSwapTotal:  0 kB\nSwapFree:  0 kB\n";
        assert_eq!(used_ratio(text, "MemTotal", "MemAvailable"), Some(0.4));
        assert_eq!(used_ratio(text, "SwapTotal", "SwapFree"), None);
        assert_eq!(used_ratio("MemTotal: x kB", "MemTotal", "MemAvailable"), None);
    }
}
