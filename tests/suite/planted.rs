//! The list of mistakes that `tests/planted/run` plants: it must not rot while nobody plants them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::tidy;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    bug: Vec<Bug>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    rule: String,
    file: String,
    find: String,
    replace: String,
    test: String,
}

/// So many there are at least.
const BUGS_MIN: usize = 40;

#[test]
fn each_planted_mistake_has_its_place_and_a_test_to_find_it() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|_| panic!("{path}"));
    let list: List = toml::from_str(&read("tests/planted/bugs.toml")).unwrap();
    assert!(list.bug.len() >= BUGS_MIN, "{}", list.bug.len());
    let mut names = BTreeSet::new();
    let mut places: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for Bug { name, rule, file, find, replace, test } in &list.bug {
        let text = read(file);
        assert_eq!(text.matches(find.as_str()).count(), 1, "{name}: its text must be once in {file}");
        let begin = text.find(find.as_str()).unwrap();
        places.entry(file).or_default().push((begin, begin + find.len()));
        assert!(replace.contains("PLANTED"), "{name}: its switch is missing");
        assert!(file.starts_with("src/") && !rule.is_empty() && names.insert(name), "{name}");
        let (program, path) = test.split_once(' ').unwrap();
        let function = format!("fn {}(", path.rsplit("::").next().unwrap());
        let is_there = match program {
            "lib" => tidy::is_in_sources("src", &function),
            _ => read(&format!("tests/suite/{}.rs", path.split("::").next().unwrap())).contains(&function),
        };
        assert!(is_there, "{name}: there is no test `{test}`");
    }
    for (file, mut places) in places {
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two mistakes have the same place in {file}");
    }
}
