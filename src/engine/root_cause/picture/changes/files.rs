//! What a change touches, by the names of its files.

/// What kind of thing a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Text for people, tests, the build, tools of developers: nothing that runs.
    Idle,
    /// How a page looks.
    Style,
    /// Versions of what is built in.
    Dependencies,
    /// Settings that are read when it runs, or how it is run.
    Settings,
    /// Code, schemas, anything that runs.
    Code,
}

/// The kind of a file.
#[must_use]
pub fn kind_of(path: &str) -> FileKind {
    let path = path.to_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let parts: Vec<&str> = path.split('/').collect();
    let is_in = |folders: &[&str]| parts.iter().rev().skip(1).any(|part| folders.contains(part));
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if is_in(&[
        "docs",
        "doc",
        "documentation",
        "test",
        "tests",
        "testdata",
        "__tests__",
        "spec",
        "fixtures",
        ".github",
        ".circleci",
        ".gitlab",
        "examples",
        "scripts",
    ]) || ends(&[
        ".md",
        ".rst",
        ".adoc",
        "_test.go",
        ".test.ts",
        ".test.js",
        ".test.tsx",
        ".spec.ts",
        ".spec.js",
        "_test.py",
        "test.java",
        "tests.cs",
        "_spec.rb",
        "_test.rs",
        ".snap",
    ]) || name.starts_with("test_")
        || [
            "codeowners",
            "license",
            "changelog",
            ".gitignore",
            ".gitlab-ci.yml",
            "jenkinsfile",
            ".editorconfig",
            "readme",
            "makefile",
            "tsconfig.json",
        ]
        .contains(&name)
        || (name.starts_with('.') && (name.contains("lint") || name.contains("format") || name.contains("prettier")))
    {
        return FileKind::Idle;
    }
    if ends(&[".css", ".scss", ".less", ".svg", ".png", ".jpg", ".html", ".ico", ".woff2"]) || name.starts_with("theme")
    {
        return FileKind::Style;
    }
    if [
        "go.mod",
        "go.sum",
        "package.json",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "cargo.lock",
        "requirements.txt",
        "poetry.lock",
        "pom.xml",
        "build.gradle",
        "gemfile.lock",
        "pipfile.lock",
    ]
    .contains(&name)
    {
        return FileKind::Dependencies;
    }
    if ends(&[
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
        ".conf",
        ".cfg",
        ".env",
        ".properties",
        ".tf",
        ".tfvars",
        ".hcl",
        ".json",
    ]) || name == "dockerfile"
    {
        return FileKind::Settings;
    }
    FileKind::Code
}

/// The kind of the most active of some files; `None` of no file.
#[must_use]
pub fn most_active(files: &[String]) -> Option<FileKind> {
    files.iter().map(|file| kind_of(file)).max()
}
