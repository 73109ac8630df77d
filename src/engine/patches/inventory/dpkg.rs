//! Installed packages by dpkg's status file: what is `install ok installed` or held so, with the source package that each is
//! made of (deb-control(5), fields `Status`, `Source` and `Version`).

use super::{Package, System};

/// Packages that are installed, and entries that say so and lack a name or version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Installed {
    /// The packages.
    pub packages: Vec<Package>,
    /// Entries that could not be used.
    pub set_aside_count: usize,
}

/// Reads the status file.
#[must_use]
pub fn read(status: &str) -> Installed {
    let mut installed = Installed::default();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            let mut lines = paragraph.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        // Want, flag, state: one that is held is installed, one that is only configured is not.
        let is_installed = field("Status").is_some_and(|status| status.split(' ').nth(2) == Some("installed"));
        if !is_installed {
            continue;
        }
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else {
            installed.set_aside_count += 1;
            continue;
        };
        let (source, source_version) = source_of(field("Source").unwrap_or(name));
        installed.packages.push(signed_kernel(Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: field("Architecture").unwrap_or_default().to_owned(),
            source: Some(source.to_owned()),
            source_version: source_version.map(str::to_owned),
            ecosystem: None,
        }));
    }
    installed
}

/// `name (version)`, or the name alone.
fn source_of(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" (") {
        Some((name, version)) => (name.trim(), Some(version.trim_end_matches(')'))),
        None => (text, None),
    }
}

/// Signed kernels are built from a source of their own, `linux-signed-amd64` 6.1.85+1, out of `linux` 6.1.85-1, which is the
/// one that advisories name.
fn signed_kernel(mut package: Package) -> Package {
    if package.source.as_deref().is_some_and(|source| source.starts_with("linux-signed-")) {
        let version = package.source_version.as_deref().unwrap_or(&package.version);
        let linux = version.rsplit_once('+').map_or_else(|| version.to_owned(), |(one, two)| format!("{one}-{two}"));
        (package.source, package.source_version) = (Some("linux".to_owned()), Some(linux));
    }
    package
}

/// The operating system by os-release(5).
#[must_use]
pub fn system(os_release: &str) -> System {
    let value = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
    };
    System { distribution: value("ID"), release: value("VERSION_CODENAME"), version: value("VERSION_ID") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_read_with_its_source() {
        let status = "Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.9-1)\nVersion: 3.0.9-1+b1\nArchitecture: amd64\n\n\
             Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.9-1)\nVersion: 3.0.9-1+b1\nArchitecture: i386\n\n\
             Package: held\nStatus: hold ok installed\nVersion: 2\nDescription: x\n Package: not-a-field\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
             Package: half\nStatus: install ok half-installed\nVersion: 1\n\n\
             Package: linux-image-6.1.0-21-amd64\nStatus: install ok installed\nSource: linux-signed-amd64 (6.1.90+1)\nVersion: 6.1.90-1\n\n\
             Package: broken\nStatus: install ok installed\n";
        let installed = read(status);
        let sources: Vec<_> =
            installed.packages.iter().map(|package| (package.name.as_str(), package.source().unwrap())).collect();
        assert_eq!(
            sources,
            [
                ("libssl3", ("openssl", "3.0.9-1")),
                ("libssl3", ("openssl", "3.0.9-1")),
                ("held", ("held", "2")),
                ("linux-image-6.1.0-21-amd64", ("linux", "6.1.90-1")),
            ]
        );
        assert_eq!(installed.set_aside_count, 1);
        let system = system("PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");
        assert_eq!(
            (system.distribution.as_str(), system.release.as_str(), system.version.as_str()),
            ("debian", "bookworm", "12")
        );
    }
}
