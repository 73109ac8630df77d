//! Installed packages by rpm, as `rpm -qa` prints them by [`FORMAT`].

use super::Package;
use super::dpkg::Installed;

/// What rpm is asked to print of each package.
pub const FORMAT: &str = "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n";

/// Reads the answer.
#[must_use]
pub fn read(answer: &str) -> Installed {
    let mut installed = Installed::default();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, version, architecture, source] = fields.as_slice() else {
            installed.set_aside_count += 1;
            continue;
        };
        // Keys that sign packages are listed among them.
        if *name == "gpg-pubkey" {
            continue;
        }
        let epoch = version.split_once(':').map_or("0", |(epoch, _)| epoch);
        let of = source_of(source);
        installed.packages.push(Package {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: (*architecture).to_owned(),
            source: of.map(|(source, _)| source.to_owned()),
            source_version: of.map(|(_, version)| format!("{epoch}:{version}")),
            ecosystem: None,
        });
    }
    installed
}

/// `openssl-3.0.7-27.el9.src.rpm`: the name may have dashes, version and release have none.
fn source_of(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, _release) = stem.rsplit_once('-')?;
    let (name, _version) = rest.rsplit_once('-')?;
    Some((name, stem.get(name.len() + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_with_epoch_and_source() {
        let answer = "openssl-libs\t1:3.0.7-27.el9\tx86_64\topenssl-3.0.7-27.el9.src.rpm\n\
                      gpg-pubkey\t0:1-2\t(none)\t(none)\njava-21-openjdk\t1:21.0.3.0.9-1.el9\tx86_64\tjava-21-openjdk-21.0.3.0.9-1.el9.src.rpm\nbroken\n";
        let installed = read(answer);
        assert_eq!(installed.packages[0].source(), Some(("openssl", "1:3.0.7-27.el9")));
        assert_eq!(installed.packages[1].source(), Some(("java-21-openjdk", "1:21.0.3.0.9-1.el9")));
        assert_eq!((installed.packages.len(), installed.set_aside_count), (2, 1));
    }
}
