//! What goes over the network and what gets lost: `/proc/net/dev`. Source of the columns: `proc_pid_net(5)`.

use std::path::Path;

use super::counters::Counters;
use super::{Figure, Meaning};
use crate::engine::model::{BadWhen, SeriesRole, Unit};

const fn flow(metric: &'static str) -> Meaning {
    Meaning { metric, unit: Unit::BytesPerSecond, role: SeriesRole::Other, bad_when: BadWhen::Either, limit: None }
}

/// The columns that are read, by their place after the device's name.
const COLUMNS: [(usize, Meaning); 6] = [
    (0, flow("network_rx_bytes_per_second")),
    (2, Meaning::failures("network_rx_errors")),
    (3, Meaning::failures("network_rx_drops")),
    (8, flow("network_tx_bytes_per_second")),
    (10, Meaning::failures("network_tx_errors")),
    (11, Meaning::failures("network_tx_drops")),
];
/// Devices that only repeat what goes over the real ones.
const NOT_REAL: [&str; 9] = ["lo", "veth", "docker", "br-", "virbr", "cali", "cni", "flannel", "lxc"];

/// Reads what there is.
pub fn read(proc: &Path, counters: &mut Counters, figures: &mut Vec<Figure>) {
    let text = std::fs::read_to_string(proc.join("net/dev")).unwrap_or_default();
    for (device, columns) in devices(&text) {
        for (place, meaning) in COLUMNS {
            let rate = columns.get(place).and_then(|value| counters.rate(meaning.metric, device, *value));
            if let Some(rate) = rate {
                figures.push(Figure::of_part(meaning, "device", device, rate));
            }
        }
    }
}

fn devices(text: &str) -> impl Iterator<Item = (&str, Vec<u64>)> {
    text.lines().filter_map(|line| {
        let (device, columns) = line.split_once(':')?;
        let device = device.trim();
        let is_real = !NOT_REAL.iter().any(|kind| device.starts_with(kind));
        let columns: Vec<u64> = columns.split_whitespace().map_while(|column| column.parse().ok()).collect();
        (is_real && columns.len() >= 12).then_some((device, columns))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_devices_with_their_columns() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
                    eth0:100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\nveth12: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\nbad: 1 2\n";
        let found: Vec<_> = devices(text).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].1[0], found[0].1[3], found[0].1[8], found[0].1[11]), ("eth0", 100, 4, 500, 8));
    }
}
