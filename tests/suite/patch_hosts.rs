//! Hosts to be patched: each a package database of its own with the real `dpkg` and `apt-get` on it, reached by the real `sshd` on an
//! address of the loopback; and an archive with packages that are built here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// The package that is rolled out.
pub const PACKAGE: &str = "hypo-shop";
/// The version that is there first, and the one that mends it.
pub const VERSIONS: [&str; 2] = ["1.0-1", "1.1-1"];

/// What the second version runs before it is unpacked: it says that it is there, and waits where it is told to.
const PREINST: &str = "#!/bin/sh\nset -e\ntouch \"$DPKG_ADMINDIR/reached\"\n\
    i=0\nwhile [ -e \"$DPKG_ADMINDIR/slow\" ] && [ $i -lt 900 ]; do sleep 0.1; i=$((i + 1)); done\n";

/// Some hosts.
pub struct Hosts {
    folder: PathBuf,
    /// Removed with them; a life that is started by a test finds the folder of that test.
    _own: Option<tempfile::TempDir>,
    pub names: Vec<String>,
    pub port: u16,
    servers: Vec<Child>,
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _gone = server.kill();
            let _gone = server.wait();
        }
    }
}

fn names(count: u8) -> Vec<String> {
    (0..count).map(|number| format!("127.0.0.{}", 11 + number)).collect()
}

/// Runs a program, which must succeed.
pub fn run(program: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> String {
    let output = Command::new(program).args(arguments).envs(environment.iter().copied()).output();
    let output = output.unwrap_or_else(|problem| panic!("{program}: {problem}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Hosts {
    /// So many hosts that have the first version, and an archive with both.
    pub fn start(count: u8) -> Self {
        let own = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut hosts =
            Self { folder: own.path().to_owned(), _own: Some(own), names: names(count), port, servers: Vec::new() };
        hosts.lay_archive();
        for key in ["host_key", "user_key"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &hosts.at(key).display().to_string()], &[]);
        }
        fs::copy(hosts.at("user_key.pub"), hosts.at("authorized_keys")).unwrap();
        // sshd separates its privileges in this folder, which its package's service makes.
        let _there = fs::create_dir_all("/run/sshd");
        for name in hosts.names.clone() {
            hosts.lay_host(&name);
            let server = hosts.serve(&name);
            hosts.servers.push(server);
        }
        let key = fs::read_to_string(hosts.at("host_key.pub")).unwrap();
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        let lines: String = hosts.names.iter().map(|name| format!("[{name}]:{port} {}\n", key.join(" "))).collect();
        fs::write(hosts.at("known_hosts"), lines).unwrap();
        fs::write(hosts.at("port"), port.to_string()).unwrap();
        hosts
    }

    /// One machine of this name that has the first version, and an archive with both. No server reaches it: what is handed
    /// [`environment`](Self::environment) works on its packages.
    pub fn here(name: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let names = vec![name.to_owned()];
        let hosts = Self { folder: own.path().to_owned(), _own: Some(own), names, port: 0, servers: Vec::new() };
        hosts.lay_archive();
        hosts.lay_host(name);
        hosts
    }

    /// What leads the package manager to a host's packages instead of this machine's own.
    pub fn environment(&self, host: &str) -> [(&'static str, PathBuf); 2] {
        [("APT_CONFIG", self.apt_settings(host)), ("DPKG_ADMINDIR", self.root(host).join("var/lib/dpkg"))]
    }

    /// Hosts that somebody else has started and serves.
    pub fn of_others(folder: &Path, count: u8) -> Self {
        let port = fs::read_to_string(folder.join("port")).unwrap().parse().unwrap();
        Self { folder: folder.to_owned(), _own: None, names: names(count), port, servers: Vec::new() }
    }

    /// The machine that somebody else has laid with [`here`](Self::here).
    pub fn here_of_others(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), _own: None, names: vec![name.to_owned()], port: 0, servers: Vec::new() }
    }

    /// A path in the folder of the hosts.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The root of a host's files.
    pub fn root(&self, host: &str) -> PathBuf {
        self.at(host).join("root")
    }

    /// The version that a host has.
    pub fn version(&self, host: &str) -> String {
        let admin = self.root(host).join("var/lib/dpkg");
        run("dpkg-query", &["-W", "-f", "${Version}", PACKAGE], &[("DPKG_ADMINDIR", &admin)])
    }

    /// How often each version was put on a host.
    pub fn installs(&self, host: &str, version: &str) -> usize {
        let log = fs::read_to_string(self.at(host).join("dpkg.log")).unwrap_or_default();
        log.lines().filter(|line| line.ends_with(&format!("status installed {PACKAGE}:all {version}"))).count()
    }

    /// From now on the second version takes its time there, until it is let go.
    pub fn slow_down(&self, host: &str) {
        fs::write(self.root(host).join("var/lib/dpkg/slow"), "").unwrap();
    }

    /// Lets the second version go on there.
    pub fn let_go(&self, host: &str) {
        let _gone = fs::remove_file(self.root(host).join("var/lib/dpkg/slow"));
    }

    /// True once the second version is being installed there, or was.
    pub fn is_reached(&self, host: &str) -> bool {
        self.root(host).join("var/lib/dpkg/reached").exists()
    }

    /// Ends the server of a host and every connection to it: it can no longer be reached. What runs there goes on.
    pub fn vanish(&mut self, host: &str) {
        let at = self.names.iter().position(|name| name == host).unwrap();
        let listener = self.servers[at].id().to_string();
        // First those whose parent it is, for they would be somebody else's afterwards.
        let sessions = Command::new("pkill").args(["-KILL", "-P", &listener]).status().unwrap();
        assert!(sessions.success(), "a connection is open to {host}");
        self.servers[at].kill().unwrap();
        self.servers[at].wait().unwrap();
    }

    /// It can be reached again.
    pub fn come_back(&mut self, host: &str) {
        let at = self.names.iter().position(|name| name == host).unwrap();
        let server = self.serve(host);
        self.servers[at] = server;
    }

    fn lay_archive(&self) {
        let archive = self.at("archive");
        fs::create_dir_all(&archive).unwrap();
        let mut index = String::new();
        for version in VERSIONS {
            let tree = self.at("build");
            let _none = fs::remove_dir_all(&tree);
            fs::create_dir_all(tree.join("DEBIAN")).unwrap();
            fs::create_dir_all(tree.join("usr/share/hypo-shop")).unwrap();
            fs::write(tree.join("usr/share/hypo-shop/version"), version).unwrap();
            let control = format!(
                "Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: hypo <hypo@example.org>\nDescription: a shop\n"
            );
            fs::write(tree.join("DEBIAN/control"), &control).unwrap();
            if version == VERSIONS[1] {
                let script = tree.join("DEBIAN/preinst");
                fs::write(&script, PREINST).unwrap();
                fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            }
            let name = format!("{PACKAGE}_{version}_all.deb");
            let deb = archive.join(&name);
            let paths = [tree.display().to_string(), deb.display().to_string()];
            run("dpkg-deb", &["--build", "--root-owner-group", &paths[0], &paths[1]], &[]);
            let bytes = fs::read(&deb).unwrap();
            let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            index.push_str(&format!("{control}Filename: ./{name}\nSize: {}\nSHA256: {sum}\n\n", bytes.len()));
        }
        fs::write(archive.join("Packages"), index).unwrap();
    }

    fn lay_host(&self, name: &str) {
        let root = self.root(name);
        for folder in [
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/log/apt",
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/trusted.gpg.d",
            "etc/apt/sources.list.d",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["status", "available"] {
            fs::write(root.join("var/lib/dpkg").join(file), "").unwrap();
        }
        let (root_text, archive) = (root.display(), self.at("archive"));
        let sources = format!("deb [trusted=yes] file:{} ./\n", archive.display());
        fs::write(root.join("etc/apt/sources.list"), sources).unwrap();
        let log = self.at(name).join("dpkg.log");
        let settings = format!(
            "Dir \"{root_text}\";\nDir::State::status \"{root_text}/var/lib/dpkg/status\";\nAPT::Sandbox::User \"root\";\n\
             Dir::Bin::Methods \"/usr/lib/apt/methods\";\nAPT::Get::AllowUnauthenticated \"true\";\n\
             DPkg::Options {{ \"--root={root_text}\"; \"--force-script-chrootless\"; \"--log={}\"; }};\n",
            log.display()
        );
        fs::write(self.apt_settings(name), settings).unwrap();
        let settings = self.apt_settings(name);
        let environment: [(&str, &Path); 1] = [("APT_CONFIG", &settings)];
        run("apt-get", &["-q", "update"], &environment);
        run("apt-get", &["-qy", "install", &format!("{PACKAGE}={}", VERSIONS[0])], &environment);
        assert_eq!(self.version(name), VERSIONS[0]);
    }

    fn apt_settings(&self, name: &str) -> PathBuf {
        self.at(name).join("apt.conf")
    }

    fn serve(&self, name: &str) -> Child {
        let at = |file: &str| self.at(file).display().to_string();
        let settings = format!(
            "Port {}\nListenAddress {name}\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 50\n\
             SetEnv APT_CONFIG={} DPKG_ADMINDIR={}\n",
            self.port,
            at("host_key"),
            at("authorized_keys"),
            self.apt_settings(name).display(),
            self.root(name).join("var/lib/dpkg").display(),
        );
        let file = self.at(name).join("sshd_config");
        fs::write(&file, settings).unwrap();
        let log = self.at(name).join("sshd.log");
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", &file.display().to_string(), "-E", &log.display().to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect((name, self.port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen on {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}
