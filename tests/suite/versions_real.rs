//! Our order of versions beside that of the real `dpkg` and `rpm`, on made-up pairs that lie close together.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::process::Command;

use hypocenter::engine::patches::version::Scheme;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Pairs of each scheme.
const PAIRS: usize = 100_000;

/// Parts that versions are made of; the rest is single characters.
const PARTS: [&str; 24] = [
    "0",
    "00",
    "1",
    "2",
    "9",
    "10",
    "010",
    "20261121",
    "a",
    "b",
    "rc",
    "beta",
    "git",
    "deb12u",
    "ubuntu",
    "el",
    "fc",
    "bpo",
    "dfsg",
    "ds",
    "nmu",
    "A",
    "z",
    "99999999999999999999",
];

/// A version of up to eight parts, with separators of the scheme between some.
fn made_up(random: &mut Pcg64, separators: &[char]) -> String {
    let mut text = String::new();
    for _ in 0..random.random_range(1..=8) {
        text.push_str(PARTS.choose(random).unwrap());
        if random.random_bool(0.7) {
            text.push(*separators.choose(random).unwrap());
        }
    }
    text
}

/// The same with a character taken out, put in or changed, some of the time.
fn mutated(random: &mut Pcg64, version: &str, separators: &[char]) -> String {
    let mut chars: Vec<char> = version.chars().collect();
    for _ in 0..random.random_range(0..=2) {
        let at = random.random_range(0..=chars.len());
        let new = *[separators, &['0', '1', 'a', 'Z']].concat().choose(random).unwrap();
        match random.random_range(0..3) {
            0 => chars.insert(at, new),
            1 if at < chars.len() => chars[at] = new,
            _ if at < chars.len() && chars.len() > 1 => drop(chars.remove(at)),
            _ => {}
        }
    }
    chars.into_iter().collect()
}

/// Pairs that both are versions of the scheme to us; how they compare.
fn pairs(scheme: Scheme, separators: &[char], has_release: bool) -> Vec<(String, String, Ordering)> {
    let mut random = Pcg64::seed_from_u64(20_261_122);
    let mut pairs = Vec::with_capacity(PAIRS);
    while pairs.len() < PAIRS {
        let mut one = made_up(&mut random, separators);
        if random.random_bool(0.3) {
            one = format!("{}:{one}", random.random_range(0..3));
        }
        if has_release && random.random_bool(0.6) {
            one = format!("{one}-{}", made_up(&mut random, separators));
        }
        let other = if random.random_bool(0.8) {
            mutated(&mut random, &one, separators)
        } else {
            made_up(&mut random, separators)
        };
        if let Ok(order) = scheme.compare(&one, &other) {
            pairs.push((one, other, order));
        }
    }
    pairs
}

fn is_so_to_dpkg(one: &str, order: Ordering, other: &str) -> bool {
    let word = match order {
        Ordering::Less => "lt",
        Ordering::Equal => "eq",
        Ordering::Greater => "gt",
    };
    // It warns of a version that does not begin with a digit, and compares it all the same.
    let output = Command::new("dpkg").args(["--compare-versions", one, word, other]).output().unwrap();
    output.status.success()
}

#[test]
#[ignore = "needs dpkg; ./tests/run"]
fn a_hundred_thousand_pairs_compare_as_dpkg_compares_them() {
    let pairs = pairs(Scheme::Dpkg, &['.', '+', '~', '.', '.'], true);
    let half = pairs.len() / 2;
    let differing = |pairs: &[(String, String, Ordering)]| {
        let differs = pairs.iter().filter(|(one, other, order)| !is_so_to_dpkg(one, *order, other));
        differs.map(|(one, other, order)| format!("{one} {order:?} {other}")).collect::<Vec<_>>()
    };
    let differing = std::thread::scope(|scope| {
        let first = scope.spawn(|| differing(&pairs[..half]));
        let mut second = differing(&pairs[half..]);
        second.extend(first.join().unwrap());
        second
    });
    assert_eq!(differing, Vec::<String>::new());
    is_varied(&pairs);
}

#[test]
#[ignore = "needs rpm; ./tests/run"]
fn a_hundred_thousand_pairs_compare_as_rpm_compares_them() {
    let pairs = pairs(Scheme::Rpm, &['.', '_', '~', '^', '.', '+'], true);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs");
    let lines = pairs.iter().fold(String::new(), |mut lines, (one, other, _)| {
        writeln!(lines, "{one} {other}").unwrap();
        lines
    });
    std::fs::write(&file, lines).unwrap();
    let script = format!(
        "%{{lua: for line in io.lines('{}') do local one, other = line:match('(%S+) (%S+)') print(rpm.vercmp(one, other) .. '\\n') end}}",
        file.display()
    );
    let output = Command::new("rpm").args(["--eval", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let told = told.trim_end();
    assert_eq!(told.lines().count(), pairs.len());
    let order = |(line, (one, other, _)): (&str, &(String, String, Ordering))| match line.trim().parse::<i32>() {
        Ok(order) => order.cmp(&0),
        Err(_) => panic!("rpm says `{line}` of {one} and {other}"),
    };
    let told: Vec<Ordering> = told.lines().zip(&pairs).map(order).collect();
    let differing: Vec<_> = pairs.iter().zip(told).filter(|((.., ours), theirs)| ours != theirs).collect();
    assert!(differing.is_empty(), "{} differ, such as {:?}", differing.len(), differing.first());
    is_varied(&pairs);
}

/// A comparison that always says the same would prove nothing.
fn is_varied(pairs: &[(String, String, Ordering)]) {
    for order in [Ordering::Less, Ordering::Equal, Ordering::Greater] {
        let count = pairs.iter().filter(|(.., of)| *of == order).count();
        assert!(count > PAIRS / 20, "only {count} are {order:?}");
    }
}
