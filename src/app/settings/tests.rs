//! The commented default file against the defaults, precedence, and the words of errors.

use std::collections::BTreeSet;

use crate::engine::settings::{AlertmanagerSettings, PrometheusSettings};

use super::*;

/// The default file with its commented keys taken in; examples too, where `has_examples`.
fn uncommented(has_examples: bool) -> String {
    let keys = default_config().lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
    let wanted = keys.filter(|line| has_examples || !line.ends_with("# example"));
    wanted.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_default_file_sets_nothing_and_shows_the_defaults() {
    assert_eq!(parse("default", default_config()).unwrap(), Settings::default());
    let mut expected = Settings::default();
    expected.engine.prometheus = vec![PrometheusSettings::default()];
    expected.engine.alertmanager = vec![AlertmanagerSettings::default()];
    assert_eq!(parse("default", &uncommented(false)).unwrap(), expected);
}

#[test]
fn every_key_stands_in_the_default_file() {
    let settings = parse("default", &uncommented(true)).unwrap();
    let mut keys = BTreeSet::new();
    collect_keys(&serde_json::to_value(&settings.engine).unwrap(), &mut keys);
    collect_keys(&serde_json::to_value(&settings.console).unwrap(), &mut keys);
    // Each secret is read from one place or the other; the head of the file shows both.
    for key in keys.iter().filter(|key| !["env", "file"].contains(&key.as_str())) {
        let is_there = default_config().lines().any(|line| {
            line.starts_with(&format!("#{key} = "))
                || line.contains(&format!("[{key}]"))
                || line.contains(&format!(".{key}]"))
                || line.contains(&format!(".{key}."))
                || line.contains(&format!("{{ {key} = "))
        });
        assert!(is_there, "`{key}` is not in the default file");
    }
}

/// Keys whose value is set: an example must have set each optional one.
fn collect_keys(value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                let is_secret_part = key == "env" || key == "file";
                assert!(!value.is_null() || is_secret_part, "no example for `{key}`");
                keys.insert(key.clone());
                collect_keys(value, keys);
            }
        }
        serde_json::Value::Array(entries) => entries.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_was_meant() {
    for (text, expected) in [
        ("[console]\nkeymap = \"vim\"\nthem = \"dark\"", "c.toml:3: there is no key `them`; did you mean `theme`?"),
        (
            "[[prometheus]]\nname = \"a\"\n\nintervall = \"5s\"",
            "c.toml:4: there is no key `intervall`; did you mean `interval`?",
        ),
        (
            "url = \"http://prom:9090\"\n",
            "c.toml:1: there is no key `url` here; it belongs under [[prometheus]] or [[alertmanager]] or ",
        ),
        (
            "[console]\nmetric = \"m\"\n",
            "c.toml:2: there is no key `metric` here; it belongs under [[prometheus.query]]",
        ),
        (
            "[prometheus]\nurl = \"http://prom:9090\"\n",
            "c.toml:1: a section that can be repeated takes two pairs of brackets",
        ),
        ("keymp = \"vim\"", "c.toml:1: there is no key `keymp` here; did you mean `keymap` under [console]?"),
        ("[console]\nkeymp = \"vim\"", "c.toml:2: there is no key `keymp`; did you mean `keymap`?"),
        (
            "[console]\nintervl = \"5s\"",
            "c.toml:2: there is no key `intervl` here; did you mean `interval` under [[prometheus]]?",
        ),
        ("[consol]\n", "c.toml:1: there is no key `consol`; did you mean `console`?"),
        (
            "[detection]\nwhatever_this_is = 3",
            "c.toml:2: there is no key `whatever_this_is`; `hypo config init` writes",
        ),
        (
            "[[prometheus]]\ninterval = \"5\"",
            "c.toml:2: `5` is no span of time; write a whole number and a unit, such as 15s",
        ),
        ("[policy]\nmode = \"assist\"\nhold = \"2h\"", "c.toml:3: `hold` = "),
        (
            "[policy]\n[[policy.freeze]]\nname = \"sale\"\nfrom = \"2026-07-01T00:00:00Z\"",
            "c.toml:2: freeze `sale` has no `until`",
        ),
        (
            "[patches.rollout]\nsoak = \"48h\"\nbatch = \"0\"",
            "c.toml:3: `batch` = 0 under [patches.rollout] patches nothing",
        ),
        ("[patches.rollout]\nbatch = \"many\"", "c.toml:2: `many` is no share; write a count"),
        (
            "[[patches.window]]\nname = \"a\"\nzone = \"UTC\"\nbegins = \"0 2 * * *\"\nlasts = \"1h\"\n[[patches.window]]\nname \
             = \"b\"\nzone = \"Mars\"\nbegins = \"0 2 * * *\"\nlasts = \"1h\"",
            "c.toml:6: `zone` = `Mars` is no time zone",
        ),
        (
            "[ask.model]\nurl = \"https://models.example.com\"\nday_usd_max = 1.0\n[ask.model.reasoning]\nname = \"large\"",
            "c.toml:3: `day_usd_max` cannot be kept without prices",
        ),
        ("[ask.model]\nenabled = true", "c.toml:2: a model that is enabled needs its `url`"),
        ("[console]\nmouse = \"yes\"", "c.toml:2: invalid type: string \"yes\", expected a boolean"),
        ("[console\n", "c.toml:1: "),
    ] {
        let problem = parse("c.toml", text).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{text}: {problem}");
    }
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "[console]\nkeymap = \"emacs\"\ntheme = \"light\"\nmouse = true\n[host]\nenabled = false\n")
        .unwrap();
    let environment = |name: &str| match name {
        "HYPO_CONFIG" => Some(file.display().to_string()),
        "HYPO_THEME" => Some("mono".to_owned()),
        "HYPO_KEYMAP" => Some("vim".to_owned()),
        "HYPO_MOUSE" => Some("no".to_owned()),
        _ => None,
    };
    let command_line = Overrides {
        keymap: Some("default".to_owned()),
        state_dir: Some(folder.path().join("state")),
        is_ascii: Some(true),
        ..Overrides::default()
    };
    let loaded = load(command_line, &environment).unwrap();
    let console = &loaded.settings.console;
    assert_eq!((console.keymap.as_str(), console.theme.as_str()), ("default", "mono"));
    assert_eq!((console.mouse, console.ascii, console.read_only), (false, AsciiChoice::Always, false));
    assert!(!loaded.settings.engine.host.enabled);
    assert!(!loaded.settings.engine.runbooks.observe_only);
    assert_eq!(loaded.paths.state_dir, folder.path().join("state"));
    assert_eq!(loaded.paths.config_dir, folder.path());
}

#[test]
fn a_console_that_may_not_act_has_an_engine_that_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "[policy]\nmode = \"assist\"\n").unwrap();
    let observes = |is_read_only: Option<bool>| {
        let command_line = Overrides {
            config: Some(file.clone()),
            state_dir: Some(folder.path().join("state")),
            is_read_only,
            ..Overrides::default()
        };
        load(command_line, &|_| None).unwrap().settings.engine.runbooks.observe_only
    };
    assert!(observes(Some(true)) && !observes(None));
}

#[test]
fn a_named_file_must_be_there_and_a_switch_must_be_one() {
    let named =
        Overrides { config: Some("/nowhere/c.toml".into()), state_dir: Some("/s".into()), ..Overrides::default() };
    let problem = load(named, &|_| None).unwrap_err().to_string();
    assert!(problem.contains("/nowhere/c.toml") && problem.contains("--config"), "{problem}");
    let maybe = |name: &str| (name == "HYPO_MOUSE").then(|| "maybe".to_owned());
    assert_eq!(
        Overrides::from_environment(&maybe).unwrap_err().to_string(),
        "HYPO_MOUSE=maybe is neither yes nor no; write 1 or 0"
    );
}

/// The text of every file that says what can be set.
const SOURCES: [&str; 9] = [
    include_str!("../../engine/settings.rs"),
    include_str!("../../engine/settings/ask.rs"),
    include_str!("../../engine/settings/executors.rs"),
    include_str!("../../engine/settings/outbound.rs"),
    include_str!("../../engine/settings/patches.rs"),
    include_str!("../../engine/settings/people.rs"),
    include_str!("../../engine/settings/policy.rs"),
    include_str!("../../engine/settings/rollout.rs"),
    include_str!("../../engine/settings/store.rs"),
];

#[test]
fn every_path_that_can_be_set_is_among_those_that_are_read_from_the_folder_of_the_file() {
    let all = parse("default", &uncommented(true)).unwrap().engine;
    let mut value = serde_json::to_value(&all).unwrap();
    for_each_secret(&mut value, &mut |secret| *secret = serde_json::json!({ "env": null, "file": "token" }));
    let mut all: EngineSettings = serde_json::from_value(value).unwrap();
    // The example has none of these.
    all.runbooks.folders = vec![PathBuf::from("pages")];
    all.patches.inventory.folders = vec![PathBuf::from("lists")];
    for path in all.paths_mut() {
        *path = PathBuf::from("/found");
    }
    let mut value = serde_json::to_value(&all).unwrap();
    for_each_secret(&mut value, &mut |secret| {
        assert_eq!(secret["file"], "/found", "a secret's file is not among them");
    });
    let mut found = BTreeSet::new();
    collect_named(&value, "", &mut found);
    let is_path = |line: &&str| line.starts_with("    pub ") && line.contains("PathBuf");
    let fields = SOURCES.iter().flat_map(|source| source.lines()).filter(is_path);
    let named: BTreeSet<String> =
        fields.filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split(':').next()?.to_owned())).collect();
    assert_eq!(found, named);
}

/// Everything that says where a secret is read.
fn for_each_secret(value: &mut serde_json::Value, change: &mut impl FnMut(&mut serde_json::Value)) {
    match value {
        serde_json::Value::Object(entries) if entries.len() == 2 && entries.contains_key("env") => change(value),
        serde_json::Value::Object(entries) => entries.values_mut().for_each(|value| for_each_secret(value, change)),
        serde_json::Value::Array(entries) => entries.iter_mut().for_each(|value| for_each_secret(value, change)),
        _ => {}
    }
}

/// The keys whose value was found.
fn collect_named(value: &serde_json::Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::String(text) if text == "/found" => drop(found.insert(key.to_owned())),
        serde_json::Value::Object(entries) => entries.iter().for_each(|(key, value)| collect_named(value, key, found)),
        serde_json::Value::Array(entries) => entries.iter().for_each(|value| collect_named(value, key, found)),
        _ => {}
    }
}

#[test]
fn relative_paths_are_read_from_the_folder_of_the_file_and_a_shells_home_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hypo.toml");
    std::fs::write(&file, "[[log]]\npath = \"logs/app.log\"\nservice = \"shop\"\n[attach]\nsocket = \"/run/s\"\n")
        .unwrap();
    let overrides = || Overrides {
        config: Some(file.clone()),
        state_dir: Some(folder.path().join("state")),
        ..Overrides::default()
    };
    let loaded = load(overrides(), &|_| None).unwrap().settings.engine;
    assert_eq!(loaded.log[0].path, folder.path().join("logs/app.log"));
    assert_eq!(loaded.attach.socket, Some(PathBuf::from("/run/s")), "an absolute one stays");
    assert_eq!(loaded.host.proc_root, PathBuf::from("/proc"));
    std::fs::write(&file, "[attach]\n\nsocket = \"~/socket\"\n").unwrap();
    let refused = load(overrides(), &|_| None).unwrap_err().to_string();
    assert!(refused.contains("hypo.toml:3: `~/socket`") && refused.contains("whole path"), "{refused}");
    // The value is meant, and not what else names it; and whatever the shell would make of it.
    std::fs::write(&file, "# not ~backup/s\n[attach]\nsocket = \"\\u007ebackup/s\"\n").unwrap();
    let refused = load(overrides(), &|_| None).unwrap_err().to_string();
    assert!(refused.contains("hypo.toml:3: `~backup/s`") && refused.contains("called `~backup`"), "{refused}");
}
