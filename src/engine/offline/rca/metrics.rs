//! The wide table of metrics: `ts` and one column per `service|metric`.

use crate::engine::root_cause::case::{Case, Column, MetricTable};

/// Reads the table. A cell that is no finite number is a missing sample; a row without a time is set aside.
pub(super) fn read(bytes: &[u8], case: &mut Case) -> MetricTable {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut table = MetricTable::default();
    if !matches!(reader.read_byte_record(&mut record), Ok(true)) {
        return table;
    }
    // Where each cell goes: `None` for the time and for columns that name no metric.
    let mut places: Vec<Option<usize>> = Vec::with_capacity(record.len());
    let mut time_at = None;
    for (at, cell) in record.iter().enumerate() {
        let name = String::from_utf8_lossy(cell);
        if name.trim() == "ts" && time_at.is_none() {
            time_at = Some(at);
            places.push(None);
        } else if let Some((owner, metric)) =
            name.rsplit_once('|').filter(|(owner, metric)| !owner.is_empty() && !metric.is_empty())
        {
            let instance = case.find_instance(owner).filter(|_| case.find(owner).is_none());
            let node = instance.and_then(|id| case.instances.get(id)).map(|instance| instance.node);
            let node = node.unwrap_or_else(|| case.node(owner));
            places.push(Some(table.columns.len()));
            table.columns.push(Column { node, instance, metric: metric.to_owned(), values: Vec::new() });
        } else {
            case.set_aside.push(format!("metrics: column {} ({name}) is no service|metric", at + 1));
            places.push(None);
        }
    }
    let Some(time_at) = time_at else {
        case.set_aside.push("metrics: no column ts".to_owned());
        case.is_partial = true;
        return MetricTable::default();
    };
    let mut bad_rows = 0_usize;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                bad_rows += 1;
                continue;
            }
        }
        let Some(ts) = record.get(time_at).map(number).filter(|ts| ts.is_finite()) else {
            bad_rows += 1;
            continue;
        };
        table.ts.push(ts);
        for (at, place) in places.iter().enumerate() {
            if let Some(column) = place.and_then(|place| table.columns.get_mut(place)) {
                column.values.push(record.get(at).map_or(f64::NAN, number));
            }
        }
    }
    if bad_rows > 0 {
        case.set_aside.push(format!("metrics: {bad_rows} rows without a time"));
    }
    in_order(table)
}

fn number(cell: &[u8]) -> f64 {
    if cell.is_empty() {
        return f64::NAN;
    }
    let value = std::str::from_utf8(cell).ok().and_then(|text| text.trim().parse::<f64>().ok()).unwrap_or(f64::NAN);
    if value.is_finite() { value } else { f64::NAN }
}

/// Rows by time, where they were not.
fn in_order(table: MetricTable) -> MetricTable {
    if table.ts.is_sorted() {
        return table;
    }
    let mut order: Vec<usize> = (0..table.ts.len()).collect();
    order.sort_by(|a, b| table.ts.get(*a).unwrap_or(&0.0).total_cmp(table.ts.get(*b).unwrap_or(&0.0)).then(a.cmp(b)));
    let arranged = |values: &[f64]| order.iter().filter_map(|at| values.get(*at).copied()).collect::<Vec<f64>>();
    let ts = arranged(&table.ts);
    let columns =
        table.columns.into_iter().map(|column| Column { values: arranged(&column.values), ..column }).collect();
    MetricTable { ts, columns }
}
