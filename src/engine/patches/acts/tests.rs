//! Tests of what is done on a machine: the pages of apt and dnf, and those that a playbook or a job template is behind.

use super::*;
use crate::engine::model::RolloutId;

fn text(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn a_move(name: &str, from: &str, to: &str, architecture: &str) -> Move {
    Move { name: text(name), architecture: text(architecture), from: text(from), to: text(to) }
}

fn job(method: Method, moves: Vec<Move>) -> Job {
    Job {
        target: RolloutTarget { rollout: RolloutId(7), asset: text("web-1") },
        source: text("openssl"),
        moves,
        method,
        before: vec![text("sudo"), text("-n")],
        allowed: text("libssl.*"),
        proofs: Vec::new(),
        units: vec![text("nginx.service")],
        timeout_ms: 600_000,
    }
}

fn debian() -> Vec<Move> {
    vec![
        a_move("openssl", "3.0.14-1~deb12u1", "3.0.15-1~deb12u1", "amd64"),
        a_move("libssl3", "3.0.14-1~deb12u1", "3.0.15-1~deb12u1", "amd64"),
    ]
}

fn words(call: &Call) -> String {
    call.words().join(" ")
}

fn step<'a>(proposal: &'a Proposal, name: &str) -> &'a StepSpec {
    &proposal.steps.iter().find(|step| step.spec.name.as_ref() == name).unwrap().spec
}

fn look(spec: &StepSpec) -> (String, &str, i32) {
    let StepKind::Check(CheckSpec { look: Look::Call { call, expect, exit, .. }, .. }) = &spec.kind else { panic!() };
    (words(call), expect, *exit)
}

#[test]
fn what_is_shown_is_what_is_installed_and_nothing_else_may_come_with_it() {
    let proposal = proposal(&job(Method::Apt(Reach::Ssh(text("web-1"))), debian()));
    let names: Vec<&str> = proposal.steps.iter().map(|step| step.spec.name.as_ref()).collect();
    assert_eq!(names, ["there", "is-there", "dry-run", "way-back", "install", "installed", "unit-1"]);
    let packages = "libssl3:amd64=3.0.15-1~deb12u1 openssl:amd64=3.0.15-1~deb12u1";
    let act = step(&proposal, INSTALL).act().unwrap();
    assert_eq!((act.action, act.targets_max), (ActionKind::Patch, 1));
    let called = words(&act.call);
    assert!(
        called.starts_with("ssh web-1 -- sudo -n apt-get --only-upgrade") && called.ends_with(packages),
        "{called}"
    );
    let undone = words(act.undo.as_ref().unwrap());
    assert!(undone.contains("--allow-downgrades") && undone.ends_with("openssl:amd64=3.0.14-1~deb12u1"), "{undone}");
    let (dry, expect, exit) = look(step(&proposal, "dry-run"));
    assert!(dry.starts_with("ssh web-1 -- apt-get -s --only-upgrade") && dry.ends_with(packages), "{dry}");
    let shown = "Inst libssl3 [3.0.14-1~deb12u1] (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64])";
    assert!(regex::Regex::new(expect).unwrap().is_match(shown));
    assert_eq!(exit, 0);
    assert_eq!(look(step(&proposal, "unit-1")).0, "ssh web-1 -- systemctl is-active nginx.service");
    let StepKind::Check(CheckSpec { look: Look::Call { only: Some(only), .. }, .. }) = &step(&proposal, "dry-run").kind
    else {
        panic!()
    };
    let names = regex::Regex::new(&format!("^(?:{})$", only.names)).unwrap();
    for (name, may) in
        [("openssl", true), ("libssl3", true), ("libssl-dev", true), ("nginx", false), ("openssl2", false)]
    {
        assert_eq!(names.is_match(name), may, "{name}");
    }
}

#[test]
fn what_dpkg_says_decides_whether_they_are_there() {
    let proposal = proposal(&job(Method::Apt(Reach::Local), debian()));
    let (call, expect, _) = look(step(&proposal, "installed"));
    assert!(call.ends_with("libssl3:amd64 openssl:amd64"), "{call}");
    let expect = regex::Regex::new(expect).unwrap();
    let line =
        |one: &str, other: &str, state: &str| format!("libssl3:amd64={one}={state};openssl:amd64={other}={state};");
    let (old, new) = ("3.0.14-1~deb12u1", "3.0.15-1~deb12u1");
    assert!(expect.is_match(&line(new, new, "installed")));
    for other in [line(old, new, "installed"), line(new, old, "installed"), line(new, new, "half-configured")] {
        assert!(!expect.is_match(&other), "{other}");
    }
}

#[test]
fn each_unit_is_looked_at_by_itself() {
    let units = vec![text("nginx.service"), text("php.service")];
    let proposal = proposal(&Job { units, ..job(Method::Apt(Reach::Local), debian()) });
    for (name, asked) in
        [("unit-1", "systemctl is-active nginx.service"), ("unit-2", "systemctl is-active php.service")]
    {
        let looked = step(&proposal, name);
        assert_eq!(look(looked), (asked.to_owned(), "", 0));
        let StepKind::Check(check) = &looked.kind else { panic!() };
        assert_eq!(check.otherwise, Unexpected::Pause);
    }
}

#[test]
fn what_was_removed_long_ago_does_not_spoil_what_is_there() {
    let moves = vec![a_move("libbar", "1-1", "1-2", ""), a_move("libfoo", "1-1", "1-2", "amd64")];
    let proposal = proposal(&job(Method::Apt(Reach::Local), moves));
    let (_, expect, _) = look(step(&proposal, "installed"));
    let expect = regex::Regex::new(expect).unwrap();
    let (bar, foo) = ("libbar:amd64=1-2=installed;", "libfoo:amd64=1-2=installed;");
    for (said, is_there) in [
        (format!("{bar}{foo}"), true),
        (format!("{bar}libbar:i386=1-0=config-files;{foo}"), true),
        (format!("libbar:amd64=1-0=config-files;libbar:i386=1-2=installed;{foo}"), true),
        (format!("{bar}libbar:i386==not-installed;{foo}libfoo:i386=9=config-files;"), true),
        (format!("{bar}libbar:i386=1-2=installed;{foo}"), true),
        (format!("{bar}libbar:i386=1-1=installed;{foo}"), false),
        (format!("{bar}libbar:i386=1-1=half-installed;{foo}"), false),
        (format!("libbar:amd64=1-2=config-files;{foo}"), false),
        (bar.to_owned(), false),
    ] {
        assert_eq!(expect.is_match(&said), is_there, "{said}");
    }
}

/// Names that a dry run of dnf tells and that may not come along.
fn strangers(table: &str) -> Vec<String> {
    let moves = vec![a_move("openssl", "1:3.0.7-25.el9_3", "1:3.0.7-27.el9", "x86_64")];
    let proposal = proposal(&job(Method::Dnf(Reach::Local), moves));
    let StepKind::Check(CheckSpec { look: Look::Call { only: Some(only), .. }, .. }) = &step(&proposal, "dry-run").kind
    else {
        panic!()
    };
    let lines = regex::Regex::new(&only.lines).unwrap();
    let names = regex::Regex::new(&format!("^(?:{})$", only.names)).unwrap();
    let told = table.lines().filter_map(|line| Some(lines.captures(line)?.get(1)?.as_str().to_owned()));
    told.filter(|name| !names.is_match(name)).collect()
}

#[test]
fn a_row_of_dnf_that_is_not_understood_holds_the_installation_up() {
    let four = "Last metadata expiration check: 0:01:02 ago on Mon 02 Mar 2026.\nDependencies resolved.\n\
        ================================================================================\n \
        Package          Architecture Version             Repository             Size\n\
        ================================================================================\nUpgrading:\n \
        openssl          x86_64       1:3.0.7-27.el9      baseos                1.2 M\n \
        libssl-with-a-name-that-is-longer-than-its-column\n\
        \u{20}                 x86_64       1:3.0.7-27.el9      baseos                2.1 M\n \
        libssl-devel     x86_64       1:3.0.7-27.el9      rhel-9-for-x86_64-baseos-rpms\n\
        \u{20}                                                                     933 k\n \
        libssl-tools     noarch       1:3.0.7-27.module+el9+1234+abcdef.x\n\
        \u{20}                                                   baseos            12 k\n\n\
        Transaction Summary\n\
        ================================================================================\n\
        Upgrade  4 Packages\n\nTotal download size: 3.3 M\nOperation aborted.\n";
    let five = "Updating and loading repositories:\nRepositories loaded.\n\
        Package            Arch   Version        Repository      Size\nUpgrading:\n \
        openssl            x86_64 1:3.0.7-27.el9 updates      1.1 MiB\n\
        \u{20}  replacing openssl x86_64 1:3.0.7-25.el9_3 updates 1.1 MiB\n\n\
        Transaction Summary:\n Upgrading:         1 package\n Replacing:         1 package\n\n\
        Operation aborted by the user.\n";
    for table in [four, five] {
        assert_eq!(strangers(table), Vec::<String>::new());
        for (row, named) in [
            (" glibc            riscv128     2.34-100.el9        baseos                1.9 M", "glibc"),
            (" a-stranger-whose-name-is-longer-than-its-column", "a-stranger-whose-name-is-longer-than-its-column"),
            ("     replacing  glibc.x86_64 2.34-83.el9", "glibc.x86_64"),
            ("   replacing glibc x86_64 2.34-83.el9 updates 1.9 MiB", "glibc"),
            ("                  riscv128     2.34-100.el9        baseos                1.9 M", "riscv128"),
            (" Paket            Architektur  Version             Paketquelle          Größe", "Paket"),
        ] {
            let with = table.replacen("Upgrading:\n", &format!("Upgrading:\n{row}\n"), 1);
            assert_eq!(strangers(&with), [named], "{row}");
        }
    }
    let moves = vec![a_move("openssl", "1:3.0.7-25.el9_3", "1:3.0.7-27.el9", "x86_64")];
    let proposal = proposal(&job(Method::Dnf(Reach::Local), moves));
    let (_, expect, _) = look(step(&proposal, "dry-run"));
    let expect = regex::Regex::new(expect).unwrap();
    assert!(four.lines().any(|line| expect.is_match(line)) && five.lines().any(|line| expect.is_match(line)));
    assert!(expect.is_match("                  x86_64       1:3.0.7-27.el9      baseos                1.2 M"));
    assert!(!expect.is_match(" openssl          x86_64       1:3.0.7-28.el9      baseos                1.2 M"));
}

#[test]
fn a_package_in_two_architectures_moves_in_both_together() {
    let moves = vec![a_move("libc6", "2.36-9", "2.36-10", "i386"), a_move("libc6", "2.36-9", "2.36-10", "amd64")];
    let proposal = proposal(&job(Method::Apt(Reach::Local), moves.clone()));
    let called = words(&step(&proposal, INSTALL).act().unwrap().call);
    assert!(called.ends_with("install libc6:amd64=2.36-10 libc6:i386=2.36-10"), "{called}");
    let (_, expect, _) = look(step(&proposal, "dry-run"));
    let expect = regex::Regex::new(expect).unwrap();
    for own in
        ["Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])", "Inst libc6:amd64 [2.36-9] (2.36-10 Debian:12 [amd64])"]
    {
        assert!(expect.is_match(own), "{own}");
    }
    let (call, expect, _) = look(step(&proposal, "installed"));
    assert!(call.ends_with("libc6:amd64 libc6:i386"), "{call}");
    let expect = regex::Regex::new(expect).unwrap();
    assert!(expect.is_match("libc6:amd64=2.36-10=installed;libc6:i386=2.36-10=installed;"));
    assert!(!expect.is_match("libc6:amd64=2.36-10=installed;libc6:i386=2.36-9=installed;"));
    let played = super::proposal(&job(Method::Playbook(text("patch.yml")), moves.clone()));
    let called = words(&step(&played, INSTALL).act().unwrap().call);
    assert!(called.contains("hypo_packages=libc6:i386=2.36-10 libc6:amd64=2.36-10"), "{called}");
    let (asked, ..) = look(step(&super::proposal(&job(Method::Dnf(Reach::Local), moves)), "installed"));
    assert!(asked.ends_with("libc6.i386 libc6.amd64"), "{asked}");
}

#[test]
fn dnf_is_asked_in_its_own_words() {
    let moves = vec![a_move("openssl", "1:3.0.7-25.el9_3", "1:3.0.7-27.el9", "x86_64")];
    let proposal = proposal(&job(Method::Dnf(Reach::Local), moves));
    let act = step(&proposal, INSTALL).act().unwrap();
    assert_eq!(words(&act.call), "sudo -n dnf -y upgrade openssl-1:3.0.7-27.el9.x86_64");
    assert_eq!(words(act.undo.as_ref().unwrap()), "sudo -n dnf -y downgrade openssl-1:3.0.7-25.el9_3.x86_64");
    let (_, expect, exit) = look(step(&proposal, "dry-run"));
    let shown = " openssl            x86_64    1:3.0.7-27.el9           baseos       1.2 M";
    assert!(regex::Regex::new(expect).unwrap().is_match(shown), "{expect}");
    assert_eq!(exit, 1);
    let (_, expect, _) = look(step(&proposal, "installed"));
    assert!(regex::Regex::new(expect).unwrap().is_match("openssl.x86_64=1:3.0.7-27.el9;"), "{expect}");
}

#[test]
fn a_playbook_is_limited_to_the_machine_and_told_the_versions() {
    let proposal = proposal(&job(Method::Playbook(text("patch.yml")), debian()));
    let act = step(&proposal, INSTALL).act().unwrap();
    let called = words(&act.call);
    assert!(called.starts_with("ansible-playbook patch.yml --limit web-1"), "{called}");
    assert!(called.contains("hypo_packages=openssl:amd64=3.0.15-1~deb12u1 libssl3:amd64=3.0.15-1~deb12u1"), "{called}");
    assert!(words(act.dry_run.as_ref().unwrap()).ends_with("--check"));
    assert!(!proposal.steps.iter().any(|step| step.spec.name.starts_with("unit")), "nobody knows how to reach it");
}

#[test]
fn another_version_is_another_runbook() {
    let one = proposal(&job(Method::Apt(Reach::Local), debian()));
    let mut moves = debian();
    moves[0].to = text("3.0.16-1~deb12u1");
    let other = proposal(&job(Method::Apt(Reach::Local), moves));
    assert_ne!(one.runbook.content_hash, other.runbook.content_hash);
    assert!(one.steps.iter().zip(&other.steps).any(|(one, other)| one.digest != other.digest));
}

#[test]
fn what_must_be_proved_is_looked_at_right_before_the_installation() {
    let proof =
        Proof { look: vec![text("db-check"), text("lag")], expect: text("^ok"), proves: vec![text("replica_lag")] };
    let plain = Proof { proves: Vec::new(), ..proof.clone() };
    for method in [Method::Apt(Reach::Ssh(text("web-1"))), Method::Playbook(text("patch.yml"))] {
        let proposal = proposal(&Job { proofs: vec![proof.clone(), plain.clone()], ..job(method, debian()) });
        let names: Vec<&str> = proposal.steps.iter().map(|step| step.spec.name.as_ref()).collect();
        let at = names.iter().position(|name| *name == INSTALL).unwrap();
        assert_eq!(names[at - 2..at], ["proof-1", "proof-2"]);
        let proves = step(&proposal, "proof-1");
        assert_eq!(look(proves), ("ssh web-1 -- db-check lag".to_owned(), "^ok", 0));
        let StepKind::Check(check) = &proves.kind else { panic!() };
        assert_eq!((check.proves.as_slice(), check.otherwise), ([text("replica_lag")].as_slice(), Unexpected::Pause));
        assert_eq!(proves.title.as_ref(), "prove replica_lag");
    }
}
