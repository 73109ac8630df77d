//! What a rollout runs on a machine over `ssh`: looks at its packages, dry runs, installations, looks at its units. The packages
//! of the model change; nothing else does.

use std::sync::Arc;

use super::super::shop::Shop;
use super::super::{advisories, machines};
use super::{Call, Executed};
use crate::engine::patches::inventory::Package;

/// A connection.
const CONNECT_MS: i64 = 350;
/// Reading lists and dependencies.
const RESOLVE_MS: i64 = 900;
/// Fetching, unpacking and setting up a package.
const INSTALL_MS: i64 = 2_400;

/// A package that is asked for in a version.
struct Wanted<'a> {
    name: &'a str,
    version: &'a str,
}

impl Shop {
    /// `ssh MACHINE -- PROGRAM ARGUMENTS`.
    pub(super) fn on_machine(&mut self, call: &Call<'_>) -> Executed {
        let [_, host, separator, argv @ ..] = call.argv else { return usage() };
        let Some(packages) = self.office.packages(host).filter(|_| separator.as_ref() == "--") else {
            let line = format!("ssh: Could not resolve hostname {host}: Name or service not known");
            return Executed::failed(255, &line);
        };
        match argv.first().map(AsRef::as_ref) {
            Some("apt-get") => self.apt_get(host, argv, packages, call),
            Some("dpkg-query") => dpkg_query(argv, &packages),
            Some("systemctl") => is_active(argv),
            // What the shop's database team would ask: it says what is lost were the machine taken now.
            Some("db-ready") => {
                let line =
                    format!("ready: {host} may be taken; replicas 0.2 s apart, backup 2 h old, no long transaction");
                Executed::done([line, "clients drain within 5 s".to_owned()], CONNECT_MS + 400)
            }
            Some(other) => Executed::failed(127, &format!("{other}: command not found on {host}")),
            None => usage(),
        }
    }

    fn apt_get(&mut self, host: &str, argv: &[Arc<str>], packages: Vec<Package>, call: &Call<'_>) -> Executed {
        let has = |word: &str| argv.iter().any(|it| it.as_ref() == word);
        let Some(at) = argv.iter().position(|word| word.as_ref() == "install") else {
            return Executed::failed(100, "E: the simulated machine knows `install` only");
        };
        let wanted: Vec<Wanted<'_>> = argv.iter().skip(at + 1).filter_map(|word| wanted(word)).collect();
        if wanted.is_empty() {
            return Executed::failed(100, "E: name packages with the versions that are wanted, such as curl=8.5-1");
        }
        let is_there = |one: &Wanted<'_>| {
            let source = packages.iter().find(|it| it.name == one.name).and_then(|it| it.source.as_deref());
            source.is_some_and(|source| advisories::is_fix(source, one.version))
                || machines::was_installed(one.name, one.version)
        };
        if let Some(missing) = wanted.iter().find(|one| !is_there(one)) {
            let line = format!("E: Version '{}' for '{}' was not found", missing.version, missing.name);
            return Executed::failed(100, &line);
        }
        let mut lines: Vec<String> =
            ["Reading package lists...", "Building dependency tree..."].map(str::to_owned).into();
        if has("-s") || call.is_dry_run {
            let is_bare = has("Dir::State::status=/dev/null");
            let before = |name: &str| packages.iter().find(|it| it.name == name).filter(|_| !is_bare);
            lines.extend(wanted.iter().filter_map(|one| inst(one, before(one.name))));
            lines.extend(wanted.iter().map(|one| format!("Conf {} ({} {})", one.name, one.version, archive())));
            return Executed::done(lines, CONNECT_MS + RESOLVE_MS);
        }
        let (mut after, mut count) = (packages, 0);
        for one in &wanted {
            let Some(package) = after.iter_mut().find(|it| it.name == one.name) else { continue };
            if package.version == one.version {
                lines.push(format!("{} is already the newest version ({}).", one.name, one.version));
                continue;
            }
            lines.push(format!("Unpacking {} ({}) over ({}) ...", one.name, one.version, package.version));
            one.version.clone_into(&mut package.version);
            count += 1;
        }
        lines.extend(wanted.iter().map(|one| format!("Setting up {} ({}) ...", one.name, one.version)));
        self.office.install(host, after, call.now);
        Executed::done(lines, CONNECT_MS + RESOLVE_MS + INSTALL_MS * count)
    }
}

fn usage() -> Executed {
    Executed::failed(255, "usage: ssh MACHINE -- PROGRAM ARGUMENTS")
}

/// `libc6:amd64=2.36-9`.
fn wanted(word: &str) -> Option<Wanted<'_>> {
    let (name, version) = word.split_once('=')?;
    Some(Wanted { name: name.split(':').next().unwrap_or(name), version })
}

/// A line of a dry run; none where nothing would change.
fn inst(one: &Wanted<'_>, before: Option<&Package>) -> Option<String> {
    let of = format!("({} {})", one.version, archive());
    match before {
        Some(package) if package.version == one.version => None,
        Some(package) => Some(format!("Inst {} [{}] {of}", one.name, package.version)),
        None => Some(format!("Inst {} {of}", one.name)),
    }
}

fn archive() -> String {
    format!("Debian-Security:12/stable-security [{}]", machines::ARCHITECTURE)
}

/// Every package asked for on one line, as the format that rollouts hand in has it.
fn dpkg_query(argv: &[Arc<str>], packages: &[Package]) -> Executed {
    let [_, show, format_flag, _, names @ ..] = argv else {
        return Executed::failed(2, "dpkg-query: error: the simulated machine knows -W -f FORMAT NAME... only");
    };
    if (show.as_ref(), format_flag.as_ref()) != ("-W", "-f") {
        return Executed::failed(2, "dpkg-query: error: the simulated machine knows -W -f FORMAT NAME... only");
    }
    let mut line = String::new();
    for name in names {
        let bare = name.split(':').next().unwrap_or(name);
        let Some(package) = packages.iter().find(|package| package.name == bare) else {
            return Executed::failed(1, &format!("dpkg-query: no packages found matching {name}"));
        };
        line.push_str(&format!("{}:{}={}=installed;", package.name, package.architecture, package.version));
    }
    Executed::done([line], CONNECT_MS)
}

fn is_active(argv: &[Arc<str>]) -> Executed {
    match argv {
        [_, verb, unit] if verb.as_ref() == "is-active" && unit.ends_with(".service") => {
            Executed::done(["active".to_owned()], CONNECT_MS)
        }
        _ => Executed::failed(4, "the simulated machine knows `systemctl is-active NAME.service` only"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::scenarios;
    use super::*;
    use crate::engine::clock::Timestamp;

    fn shop() -> Shop {
        Shop::new(scenarios::default(), 1, Timestamp(1_794_925_800_000))
    }

    fn run(shop: &mut Shop, host: &str, words: &str) -> Executed {
        let argv: Vec<Arc<str>> = ["ssh", host, "--"].into_iter().chain(words.split(' ')).map(Arc::from).collect();
        shop.execute(&argv, false, Timestamp(1_794_925_800_000))
    }

    const LOOK: &str = "dpkg-query -W -f FORMAT libssl3 openssl";

    #[test]
    fn a_dry_run_shows_what_an_installation_then_does() {
        let mut shop = shop();
        let to = "install libssl3=3.0.15-1~deb12u2 openssl=3.0.15-1~deb12u2";
        let shown = run(&mut shop, "web-1", &format!("apt-get -s --only-upgrade -y {to}"));
        assert_eq!(shown.exit_code, 0);
        assert!(shown.lines.iter().any(|line| line.starts_with("Inst libssl3 [3.0.15-1~deb12u1] (3.0.15-1~deb12u2 ")));
        let before = "libssl3:amd64=3.0.15-1~deb12u1=installed;openssl:amd64=3.0.15-1~deb12u1=installed;";
        assert_eq!(run(&mut shop, "web-1", LOOK).lines[0].as_ref(), before, "a dry run changes nothing");
        let done = run(&mut shop, "web-1", &format!("apt-get --only-upgrade -y {to}"));
        assert!(done.exit_code == 0 && done.took_ms > 3_000, "{done:?}");
        assert_eq!(run(&mut shop, "web-1", LOOK).lines[0].as_ref(), before.replace("u1", "u2"));
        assert_eq!(run(&mut shop, "web-2", LOOK).lines[0].as_ref(), before, "the others stay as they are");
        let back = "apt-get -s -o Dir::State::status=/dev/null install openssl=3.0.15-1~deb12u1";
        assert!(
            run(&mut shop, "web-1", back).lines.iter().any(|line| line.starts_with("Inst openssl (3.0.15-1~deb12u1 "))
        );
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let mut shop = shop();
        for (host, words, code, says) in [
            ("web-9", "dpkg-query -W -f FORMAT curl", 255, "Could not resolve"),
            ("web-1", "apt-get -y install nginx=9.9-1", 100, "was not found"),
            ("web-1", "apt-get -y install postgresql-15=15.10-0+deb12u2", 100, "was not found"),
            ("web-1", "apt-get -y update", 100, "`install` only"),
            ("web-1", "apt-get install", 100, "name packages"),
            ("web-1", "dpkg-query -W -f FORMAT postgresql-15", 1, "no packages found"),
            ("web-1", "systemctl restart nginx.service", 4, "is-active"),
            ("web-1", "rm -rf /", 127, "not found on web-1"),
        ] {
            let refused = run(&mut shop, host, words);
            assert_eq!(refused.exit_code, code, "{words}: {refused:?}");
            assert!(refused.lines[0].contains(says), "{words}: {refused:?}");
        }
    }
}
