//! The list of mistakes that `tests/planted/run` plants: it must not rot while nobody plants them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

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
    also: Option<String>,
}

/// Where a module of the library may be: a file of its own, or one inside another.
fn module_files(module: &str) -> [String; 3] {
    let path = module.replace("::", "/");
    let outer = path.rsplit_once('/').map_or("", |(outer, _)| outer);
    [format!("{path}.rs"), format!("{path}/mod.rs"), format!("{outer}.rs")]
}

fn has(path: &str, function: &str) -> bool {
    let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default();
    text.contains(&format!("fn {function}("))
}

#[test]
fn each_planted_mistake_has_its_place_and_a_test_to_find_it() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|_| panic!("{path}"));
    let list: List = toml::from_str(&read("tests/planted/bugs.toml")).unwrap();
    let told = format!("({} of them;", list.bug.len());
    assert!(read("ARCHITECTURE.md").contains(&told), "ARCHITECTURE.md does not say how many there are: `{told}`");
    let mut names = BTreeSet::new();
    let mut places: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for Bug { name, rule, file, find, replace, test, also } in &list.bug {
        let text = read(file);
        assert_eq!(text.matches(find.as_str()).count(), 1, "{name}: its text must be once in {file}");
        let begin = text.find(find.as_str()).unwrap();
        places.entry(file).or_default().push((begin, begin + find.len()));
        assert!(replace.contains("PLANTED"), "{name}: its switch is missing");
        assert!(file.starts_with("src/") && !rule.is_empty() && names.insert(name), "{name}");
        for test in [Some(test), also.as_ref()].into_iter().flatten() {
            let (program, path) = test.split_once(' ').unwrap();
            let (module, function) = path.rsplit_once("::").unwrap();
            let is_there = match program {
                "lib" => module_files(module).iter().any(|file| has(&format!("src/{file}"), function)),
                _ => has(&format!("tests/suite/{module}.rs"), function),
            };
            assert!(is_there, "{name}: there is no test `{test}`");
        }
    }
    // Each rule of what may never happen is broken once before the judge of the simulated lives; of the eighth `oracle` says why not.
    for rule in (1..=11).filter(|rule| *rule != 8) {
        let is_judged = |bug: &&Bug| {
            let tests = [Some(&bug.test), bug.also.as_ref()].into_iter().flatten();
            bug.rule.starts_with(&format!("I{rule}:"))
                && tests.into_iter().any(|test| test.starts_with("suite simulated::"))
        };
        assert!(
            list.bug.iter().any(|bug| is_judged(&bug)),
            "no mistake against I{rule} is to be seen by a simulated life"
        );
    }
    for (file, mut places) in places {
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two mistakes have the same place in {file}");
    }
}
