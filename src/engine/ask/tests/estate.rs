//! Names of a large estate, each written with one slip: the right one is found, another one never.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::engine::ask::names::{Kind, Name, key};
use crate::engine::ask::reading::{Doubt, Reader, Standing};

/// Share of the slips after which the right name is found, in per cent.
const SHARE_MIN: f64 = 98.0;

/// Letters beside a letter on a keyboard.
const KEYBOARD: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

fn beside(letter: char) -> Vec<char> {
    let mut found = Vec::new();
    for (row, letters) in KEYBOARD.iter().enumerate() {
        let Some(at) = letters.find(letter) else { continue };
        let near = |row: &str| row.chars().skip(at.saturating_sub(1)).take(3).collect::<Vec<_>>();
        found.extend(near(letters));
        found.extend(row.checked_sub(1).and_then(|row| KEYBOARD.get(row)).into_iter().flat_map(|row| near(row)));
        found.extend(KEYBOARD.get(row + 1).into_iter().flat_map(|row| near(row)));
    }
    found.retain(|other| *other != letter);
    found
}

/// Two thousand services as a company would call them: a field, a part of it, what it does, and some in regions or by number.
fn estate() -> Vec<String> {
    let fields = [
        "billing",
        "invoice",
        "checkout",
        "catalog",
        "search",
        "payment",
        "shipping",
        "warehouse",
        "customer",
        "identity",
        "session",
        "loyalty",
        "pricing",
        "promo",
        "review",
        "returns",
        "fraud",
        "ledger",
        "partner",
        "notification",
        "media",
        "profile",
        "address",
        "wishlist",
        "coupon",
    ];
    let jobs = [
        "api",
        "worker",
        "gateway",
        "db",
        "cache",
        "queue",
        "sync",
        "export",
        "import",
        "indexer",
        "scheduler",
        "frontend",
        "proxy",
        "stream",
        "reporter",
        "archiver",
    ];
    let ends = ["", "-eu", "-us", "-2", "-batch"];
    let mut all = Vec::new();
    for end in ends {
        for field in fields {
            all.extend(jobs.map(|job| format!("{field}-{job}{end}")));
        }
    }
    all
}

/// The name with one slip at a letter: left out, doubled, changed places with the next, or the one beside it struck instead or as
/// well; another slip at another place for each turn.
fn with_slip(name: &str, turn: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    let of_letters: Vec<usize> = (0..letters.len()).filter(|at| letters[*at].is_alphabetic()).collect();
    let at = of_letters[(turn * 7 + turn / 5) % of_letters.len()];
    let mut written = letters.clone();
    let near = beside(letters[at]);
    match turn % 5 {
        0 => drop(written.remove(at)),
        1 => written.insert(at, letters[at]),
        2 if at + 1 < letters.len() && letters[at + 1].is_alphabetic() => written.swap(at, at + 1),
        3 => written[at] = near[turn % near.len()],
        _ => written.insert(at + 1, near[turn % near.len()]),
    }
    written.into_iter().collect()
}

#[test]
fn after_one_slip_the_right_name_is_found_and_never_another() {
    let names = estate();
    let keys: BTreeSet<String> = names.iter().map(|name| key(name)).collect();
    assert_eq!(keys.len(), 2_000);
    let reader = Reader::new(names.iter().map(|text| Name { kind: Kind::Service, text: Arc::from(text.as_str()) }));
    let today = NaiveDate::from_ymd_opt(2026, 11, 17).unwrap();
    let (mut count, mut right, mut asked_back) = (0, 0, 0);
    let (mut wrong, mut missed) = (Vec::new(), Vec::new());
    for (turn, name) in names.iter().enumerate() {
        // A slip that makes another name of it, or none, cannot be told.
        let written = with_slip(name, turn);
        if !keys.contains(&key(&written)) {
            let question = ["why is {} slow", "latency of {}", "who owns {}", "what changed on {} today"][turn % 4];
            let reading = reader.read(&question.replace("{}", &written), None, today);
            count += 1;
            match (reading.slots.service.as_slice(), &reading.standing) {
                ([found], _) if found.as_ref() == name => right += 1,
                ([], Standing::Ambiguous(Doubt::OneOf(_, choices)))
                    if choices.iter().any(|one| one.as_ref() == name) =>
                {
                    asked_back += 1;
                }
                ([], standing) => missed.push(format!("{written} for {name}: {standing:?} {:?}", reading.slots)),
                (found, _) => wrong.push(format!("{written} for {name}: {found:?}")),
            }
        }
    }
    let share = 100.0 * f64::from(right) / f64::from(count);
    println!(
        "{count} slips: {share:.2} % right, {asked_back} asked back, {} missed, {} wrong",
        missed.len(),
        wrong.len()
    );
    missed.iter().take(20).for_each(|line| println!("missed {line}"));
    assert!(count > 1_800 && wrong.is_empty(), "{count}, {wrong:?}");
    assert!(share >= SHARE_MIN, "{share:.2} %: {missed:?}");
}
