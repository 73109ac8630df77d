//! The list of mistakes that `tests/planted/run` plants: it must not rot while nobody plants them.

use std::collections::BTreeSet;

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
}

#[test]
fn each_planted_mistake_has_its_place_and_a_test_to_find_it() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|_| panic!("{path}"));
    let list: List = toml::from_str(&read("tests/planted/bugs.toml")).unwrap();
    let mut names = BTreeSet::new();
    for Bug { name, rule, file, find, replace, test } in &list.bug {
        assert_eq!(read(file).matches(find.as_str()).count(), 1, "{name}: its text must be once in {file}");
        assert_ne!(find, replace, "{name}");
        assert!(file.starts_with("src/") && !rule.is_empty() && names.insert(name), "{name}");
        let module = test.rsplit(' ').next().unwrap().split("::").next().unwrap();
        let is_there =
            test.starts_with("--lib") || std::path::Path::new(root).join(format!("tests/suite/{module}.rs")).exists();
        assert!(is_there, "{name}: there is no test `{test}`");
    }
}
