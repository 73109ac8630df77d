//! Another host, by what a shell there tells of it: the script that asks, and what its answer means.

use super::dpkg::{self, Installed};
use super::this_host::{STALE_MAX, deleted_files, kernels, without_idle_kernels};
use super::{AssetNews, Reboot, Running, StaleProcess, rpm};

/// The last section of an answer.
const END: &str = "end";

/// Asks everything in one go. It only looks; each section of the answer begins with a line of the mark and its name.
#[must_use]
pub fn script(mark: &str) -> String {
    let rpm = rpm::FORMAT;
    format!(
        "m={mark}; s() {{ printf '\\n%s %s\\n' \"$m\" \"$*\"; }}; \
         s os; cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release; \
         s kernel; uname -r; s boot; ls /boot 2>/dev/null; \
         if command -v dpkg-query >/dev/null 2>&1; then s dpkg; dpkg-query -W -f 'Package: ${{Package}}\\nStatus: ${{Status}}\\n\
         Version: ${{Version}}\\nArchitecture: ${{Architecture}}\\nSource: ${{source:Package}} (${{source:Version}})\\n\\n' || s failed; \
         elif command -v rpm >/dev/null 2>&1; then s rpm; rpm -qa --qf '{rpm}' || s failed; fi; \
         s running; for p in /proc/[0-9]*; do l=$(grep ' (deleted)$' \"$p/maps\" 2>/dev/null); c=$?; \
         if [ $c = 0 ]; then s process \"${{p#/proc/}}\" \"$(cat \"$p/comm\" 2>/dev/null)\"; printf '%s\\n' \"$l\"; \
         elif [ $c = 2 ] && [ -d \"$p\" ]; then s unseen; fi; done; s {END}"
    )
}

/// What the answer says.
///
/// # Errors
/// When it was cut off, or names no packages.
pub fn read(answer: &str, mark: &str) -> Result<(AssetNews, usize), String> {
    let sections: Vec<(&str, String)> = sections(answer, mark);
    if sections.last().is_none_or(|(name, _)| *name != END) {
        return Err("its answer was cut off".to_owned());
    }
    let section = |wanted: &str| sections.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.as_str());
    if section("failed").is_some() {
        return Err("its package manager ended with an error".to_owned());
    }
    let installed: Installed = match (section("dpkg"), section("rpm")) {
        (Some(status), _) => dpkg::read(status),
        (None, Some(answer)) => rpm::read(answer),
        (None, None) => return Err("it has neither dpkg nor rpm".to_owned()),
    };
    if installed.packages.is_empty() {
        return Err("its package manager names no packages".to_owned());
    }
    let (kernel, kernel_waiting) = kernels(section("kernel"), section("boot").unwrap_or_default().lines());
    let processes = sections.iter().filter_map(|(name, maps)| process(name, maps)).take(STALE_MAX).collect();
    let unseen_count = sections.iter().filter(|(name, _)| *name == "unseen").count();
    let running = Running { kernel, kernel_waiting, stale: processes, unseen_count };
    let news = AssetNews {
        system: section("os").map(dpkg::system),
        packages: Some(without_idle_kernels(installed.packages, &running)),
        running: Some(running),
        ..AssetNews::default()
    };
    Ok((news, installed.set_aside_count))
}

fn sections<'a>(answer: &'a str, mark: &str) -> Vec<(&'a str, String)> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in answer.lines() {
        if let Some(name) = line.strip_prefix(mark).and_then(|rest| rest.strip_prefix(' ')) {
            sections.push((name, String::new()));
        } else if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

/// `process 42 nginx`.
fn process(name: &str, maps: &str) -> Option<StaleProcess> {
    let (pid, name) = name.strip_prefix("process ")?.split_once(' ')?;
    let files = deleted_files(maps);
    (!files.is_empty()).then_some(())?;
    Some(StaleProcess { pid: pid.parse().ok()?, name: name.to_owned(), files })
}

impl Running {
    /// Whether the host must be rebooted, or something on it restarted, before what is installed is what runs; `None` where what is
    /// installed is what runs.
    #[must_use]
    pub fn reboot(&self) -> Option<Reboot> {
        let kernel = self.kernel_waiting.as_ref().map(|kernel| format!("kernel {kernel} was not booted"));
        let mut names: Vec<&str> = self.stale.iter().map(|process| process.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let stale = (!names.is_empty()).then(|| format!("{} still run on replaced files", names.join(", ")));
        let is_needed = kernel.is_some() || stale.is_some();
        let unseen = match self.unseen_count {
            0 => None,
            1 => Some("1 process could not be looked into; look with root's rights to know".to_owned()),
            count => Some(format!("{count} processes could not be looked into; look with root's rights to know")),
        };
        let reasons: Vec<String> = kernel.into_iter().chain(stale).chain(unseen).collect();
        let why = reasons.join("; ");
        match (why.is_empty(), is_needed) {
            (true, _) => None,
            (false, true) => Some(Reboot::Needed(why)),
            (false, false) => Some(Reboot::Untold(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_of_this_very_host_tells_what_its_own_files_tell() {
        let output = Command::new("sh").args(["-c", &script("mark")]).output().unwrap();
        let (news, set_aside) = read(&String::from_utf8_lossy(&output.stdout), "mark").unwrap();
        assert_eq!(set_aside, 0);
        let root = std::path::Path::new("/");
        let Some(own) = super::super::this_host::dpkg(root).unwrap() else { return };
        let own = super::super::this_host::news(root, own.packages).unwrap();
        let sorted = |news: AssetNews| {
            let mut packages = news.packages.unwrap();
            packages.sort();
            packages.into_iter().map(|it| (it.name.clone(), it.version.clone(), sources(&it))).collect::<Vec<_>>()
        };
        let kernel = |news: &AssetNews| news.running.as_ref().unwrap().kernel.clone();
        assert_eq!((news.system.clone(), kernel(&news)), (own.system.clone(), kernel(&own)));
        assert_eq!(sorted(news), sorted(own));
    }

    fn sources(package: &super::super::Package) -> Option<(String, String)> {
        package.source().map(|(name, version)| (name.to_owned(), version.to_owned()))
    }

    #[test]
    fn what_was_cut_off_or_failed_is_no_inventory() {
        let whole = "m os\nID=debian\nVERSION_CODENAME=bookworm\n\nm kernel\n6.1.0-18-amd64\nm boot\nvmlinuz-6.1.0-21-amd64\n\
                     m dpkg\nPackage: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nSource: s (2)\n\n\
                     m running\nm process 42 nginx\n7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/libssl.so.3 (deleted)\nm unseen\nm end\n";
        let (news, _) = read(whole, "m").unwrap();
        let running = news.running.unwrap();
        assert_eq!(
            running.reboot().unwrap(),
            Reboot::Needed(
                "kernel 6.1.0-21-amd64 was not booted; nginx still run on replaced files; 1 process could not be looked into; \
                 look with root's rights to know"
                    .to_owned()
            )
        );
        // What was not seen may be what runs on replaced files.
        let unseen = Running { unseen_count: 12, ..Running::default() };
        let Some(Reboot::Untold(why)) = unseen.reboot() else { panic!("{:?}", unseen.reboot()) };
        assert!(why.starts_with("12 processes could not be looked into"), "{why}");
        assert_eq!(Running::default().reboot(), None);
        assert_eq!((running.unseen_count, news.packages.unwrap().len()), (1, 1));
        for (text, says) in [
            (whole.replace("m end\n", ""), "cut off"),
            (whole.replace("m running", "m failed\nm running"), "error"),
            (whole.replace("m dpkg", "m other"), "neither"),
            (whole.replace("Package: a", "Name: a"), "no packages"),
        ] {
            assert!(read(&text, "m").unwrap_err().contains(says), "{says}");
        }
    }
}
