//! The commands that read recorded signals, through the built binary, with every kind of input that is wrong: nothing
//! panics, what is wrong is named, the rest is done, and the exit code says which of these it was.

mod correlate;
mod detect;
mod rca;
mod templates;

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder with files in it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            folder.write(name, bytes);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
    }
}

/// Runs the binary where nothing of the user's can be read or written.
fn hypo(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").args(arguments).output().unwrap()
}

/// Holds what a run left behind against an exit code and words on standard error; a panic is never right.
fn check(output: &Output, code: i32, words: &[&str]) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("panicked"), "{told}");
    assert_eq!(output.status.code(), Some(code), "{told}");
    for word in words {
        assert!(told.contains(word), "`{word}` is missing in: {told}");
    }
}

/// The text, packed.
fn packed(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[test]
fn what_is_not_there_is_named_by_every_command() {
    let folder = Folder::new(&[]);
    let missing = folder.path("missing").display().to_string();
    let out = folder.path("out").display().to_string();
    let empty = Folder::new(&[]);
    let empty = empty.0.path().display().to_string();
    for from in [&missing, &empty] {
        for arguments in [
            vec!["detect", from, &out],
            vec!["correlate", from, &out],
            vec!["rca", from, &out],
            vec!["templates", from, &out],
            vec!["eval", "detect", from],
            vec!["eval", "correlate", from],
            vec!["eval", "rca", from],
            vec!["eval", "logs", from],
        ] {
            let output = hypo(folder.0.path(), &arguments);
            check(&output, 2, &[from]);
        }
    }
}
