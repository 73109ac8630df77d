//! The share of time in which something had to wait for a resource: `/proc/pressure`. Source: `Documentation/accounting/psi.rst` of Linux.

use std::path::Path;

use super::counters::Counters;
use super::{Figure, Meaning};

const RESOURCES: [(&str, Meaning); 3] = [
    ("cpu", Meaning::share("cpu_pressure_ratio")),
    ("memory", Meaning::share("memory_pressure_ratio")),
    ("io", Meaning::share("io_pressure_ratio")),
];

/// Reads what there is; kernels without the accounting have none.
pub fn read(proc: &Path, counters: &mut Counters, figures: &mut Vec<Figure>) {
    for (resource, meaning) in RESOURCES {
        let text = std::fs::read_to_string(proc.join("pressure").join(resource)).unwrap_or_default();
        let rate = waited_us(&text).and_then(|total| counters.rate(meaning.metric, resource, total));
        if let Some(rate) = rate {
            figures.push(Figure::of_machine(meaning, (rate / 1e6).clamp(0.0, 1.0)));
        }
    }
}

/// Microseconds in which at least one task waited.
fn waited_us(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_some_is_read() {
        let text =
            "some avg10=0.12 avg60=0.01 avg300=0.00 total=812334\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(waited_us(text), Some(812_334));
        assert_eq!(waited_us(""), None);
        assert_eq!(waited_us("some avg10=0.12"), None);
    }
}
