//! What is installed as the real `rpm` tells it: packages built here by the real `rpmbuild`, put into a database of their own.

use std::path::Path;
use std::process::Command;

use hypocenter::engine::patches::inventory::rpm::{FORMAT, read};

/// Two packages of one source, with an epoch and a version that comes before its release.
const SPEC: &str = "Name: hypo-shop\nEpoch: 2\nVersion: 1.0~rc1\nRelease: 3\nSummary: a shop\nLicense: MIT\nBuildArch: noarch\n\
    %description\na shop\n%package -n hypo-shop-tools\nSummary: tools\n%description -n hypo-shop-tools\ntools\n%files\n\
    %files -n hypo-shop-tools\n";

fn run(program: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).env("HOME", folder).output();
    let output = output.unwrap_or_else(|problem| panic!("{program}: {problem}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs rpm; tests/run installs it"]
fn a_real_database_is_read_with_epochs_and_sources() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("shop.spec"), SPEC).unwrap();
    // Read by rpm from the home folder, as a user's own would be.
    std::fs::write(at.join(".rpmmacros"), format!("%_dbpath {0}/db\n%_topdir {0}/top\n", at.display())).unwrap();
    run("rpmbuild", at, &["-bb", "shop.spec"]);
    run("rpm", at, &["--initdb"]);
    for name in ["hypo-shop", "hypo-shop-tools"] {
        let file = format!("top/RPMS/noarch/{name}-1.0~rc1-3.noarch.rpm");
        run("rpm", at, &["-i", "--justdb", "--nodeps", &file]);
    }
    let installed = read(&run("rpm", at, &["-qa", "--qf", FORMAT]));
    assert_eq!(installed.set_aside_count, 0);
    let mut told: Vec<_> = installed
        .packages
        .iter()
        .map(|package| {
            (package.name.as_str(), package.version.as_str(), package.architecture.as_str(), package.source())
        })
        .collect();
    told.sort_unstable();
    let source = Some(("hypo-shop", "2:1.0~rc1-3"));
    assert_eq!(
        told,
        [("hypo-shop", "2:1.0~rc1-3", "noarch", source), ("hypo-shop-tools", "2:1.0~rc1-3", "noarch", source)]
    );
}
