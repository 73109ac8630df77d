//! Assets from files: CSV with one row an asset or one row a package, JSON, and Ansible's facts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AssetNews, Environment, Exposure, Package, System, ansible};

/// What a file said of assets, by their names.
pub type News = BTreeMap<String, AssetNews>;

/// Columns that a CSV may have.
const COLUMNS: [&str; 15] = [
    "asset",
    "distribution",
    "release",
    "release_version",
    "environment",
    "exposure",
    "class",
    "owner",
    "ring",
    "services",
    "package",
    "version",
    "architecture",
    "source",
    "source_version",
];

/// Why a file was refused, as a whole: half an inventory would look like the other half had been taken away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no file of a form that is known.
    #[error("{0}; take CSV with a column `asset`, JSON with `assets`, or Ansible's facts")]
    Form(String),
    /// A place in it is wrong.
    #[error("{place}: {problem}; nothing of it was taken")]
    Place {
        /// Which row or asset.
        place: String,
        /// What is wrong there.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Assets { assets: Vec<JsonAsset> },
    List(Vec<JsonAsset>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonAsset {
    name: String,
    system: Option<System>,
    environment: Option<Environment>,
    exposure: Option<Exposure>,
    class: Option<String>,
    owner: Option<String>,
    ring: Option<String>,
    services: Option<Vec<String>>,
    packages: Option<Vec<Package>>,
}

/// Reads a file of whichever of the forms; `stem` is its name without extension, which names the host where Ansible's facts do
/// not.
///
/// # Errors
/// When it has none of the forms, or a place in it is wrong.
pub fn read(text: &str, stem: &str) -> Result<News, ImportError> {
    match text.trim_start().as_bytes().first() {
        None => Err(ImportError::Form("the file is empty".to_owned())),
        Some(b'{' | b'[') => {
            let value: serde_json::Value =
                serde_json::from_str(text).map_err(|problem| ImportError::Form(problem.to_string()))?;
            if ansible::is_facts(&value) { ansible::read(value, stem) } else { json(value) }
        }
        Some(_) => csv(text),
    }
}

fn json(value: serde_json::Value) -> Result<News, ImportError> {
    let json = Json::deserialize(value).map_err(|problem| ImportError::Form(problem.to_string()))?;
    let (Json::Assets { assets } | Json::List(assets)) = json;
    let mut news = News::new();
    for asset in assets {
        let name = named(&asset.name, &format!("asset `{:.60}`", asset.name))?;
        let said = AssetNews {
            system: asset.system,
            environment: asset.environment,
            exposure: asset.exposure,
            class: asset.class,
            owner: asset.owner,
            ring: asset.ring,
            services: asset.services,
            packages: asset.packages,
            running: None,
        };
        if news.insert(name.clone(), said).is_some() {
            return Err(ImportError::Place {
                place: format!("asset `{name}`"),
                problem: "it is there twice".to_owned(),
            });
        }
    }
    Ok(news)
}

fn csv(text: &str) -> Result<News, ImportError> {
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = rows.headers().map_err(|problem| ImportError::Form(problem.to_string()))?.clone();
    if let Some(unknown) = headers.iter().find(|header| !COLUMNS.contains(header)) {
        return Err(ImportError::Form(format!("`{unknown:.60}` is no column; columns are {}", COLUMNS.join(", "))));
    }
    let column = |name: &str| headers.iter().position(|header| header == name);
    if column("asset").is_none() {
        return Err(ImportError::Form("there is no column `asset`".to_owned()));
    }
    let mut news = News::new();
    for (number, row) in rows.records().enumerate() {
        let place = format!("row {}", number + 2);
        let wrong = |problem: String| ImportError::Place { place: place.clone(), problem };
        let row = row.map_err(|problem| wrong(problem.to_string()))?;
        let cell = |name| column(name).and_then(|at| row.get(at)).filter(|cell| !cell.is_empty()).map(str::to_owned);
        let asset = news.entry(named(&cell("asset").unwrap_or_default(), &place)?).or_default();
        said(&mut asset.class, cell("class"));
        said(&mut asset.owner, cell("owner"));
        said(&mut asset.ring, cell("ring"));
        said(&mut asset.environment, cell("environment").map(|word| environment(&word)).transpose().map_err(wrong)?);
        said(&mut asset.exposure, cell("exposure").map(|word| exposure(&word)).transpose().map_err(wrong)?);
        let services = cell("services");
        said(&mut asset.services, services.map(|all| all.split([' ', ';']).map(str::to_owned).collect()));
        if let Some(distribution) = cell("distribution") {
            asset.system = Some(System {
                distribution: distribution.to_ascii_lowercase(),
                release: cell("release").unwrap_or_default(),
                version: cell("release_version").unwrap_or_default(),
            });
        }
        if let Some(package) = cell("package") {
            let version = cell("version").ok_or_else(|| wrong(format!("package `{package:.60}` has no version")))?;
            asset.packages.get_or_insert_default().push(Package {
                name: package,
                version,
                architecture: cell("architecture").unwrap_or_default(),
                source: cell("source"),
                source_version: cell("source_version"),
                ecosystem: None,
            });
        }
    }
    Ok(news)
}

/// A name that can be shown and typed.
pub(super) fn named(name: &str, place: &str) -> Result<String, ImportError> {
    let is_plain = |c: char| c.is_alphanumeric() || "-._:@/".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(is_plain) {
        let problem = "an asset needs a name of letters, digits and -._:@/".to_owned();
        return Err(ImportError::Place { place: place.to_owned(), problem });
    }
    Ok(name.to_owned())
}

fn said<T>(known: &mut Option<T>, cell: Option<T>) {
    if cell.is_some() {
        *known = cell;
    }
}

/// An environment by its word.
///
/// # Errors
/// When it is none of them.
pub fn environment(word: &str) -> Result<Environment, String> {
    match word.to_ascii_lowercase().as_str() {
        "production" | "prod" => Ok(Environment::Production),
        "staging" | "stage" | "test" => Ok(Environment::Staging),
        "development" | "dev" => Ok(Environment::Development),
        "unknown" => Ok(Environment::Unknown),
        _ => Err(format!("`{word:.40}` is no environment; write production, staging or development")),
    }
}

/// An exposure by its word.
///
/// # Errors
/// When it is none of them.
pub fn exposure(word: &str) -> Result<Exposure, String> {
    match word.to_ascii_lowercase().as_str() {
        "internet" | "internet-facing" | "public" => Ok(Exposure::Internet),
        "internal" => Ok(Exposure::Internal),
        "unknown" => Ok(Exposure::Unknown),
        _ => Err(format!("`{word:.40}` is no exposure; write internet or internal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_assets_and_of_packages_are_read() {
        let text = "asset,environment,exposure,owner,services,distribution,release,package,version,source\n\
                    web-1,prod,internet,team-a,shop cart,Debian,bookworm,libssl3,3.0.9-1,openssl\nweb-1,,,,,,,curl,7.88.1-10,\ndb-1,staging,,,,,,,,\n";
        let news = read(text, "x").unwrap();
        let web = &news["web-1"];
        assert_eq!((web.environment, web.exposure), (Some(Environment::Production), Some(Exposure::Internet)));
        assert_eq!(web.services.as_deref(), Some(["shop".to_owned(), "cart".to_owned()].as_slice()));
        let packages = web.packages.as_ref().unwrap();
        assert_eq!((packages[0].source(), packages[1].source()), (Some(("openssl", "3.0.9-1")), None));
        assert_eq!((web.system.as_ref().unwrap().distribution.as_str(), &news["db-1"].packages), ("debian", &None));
    }

    #[test]
    fn json_is_read_and_what_is_wrong_is_refused_with_its_place() {
        let text = r#"{"assets": [{"name": "a", "environment": "production", "packages": [{"name": "x", "version": "1", "ecosystem": "npm"}]}]}"#;
        assert_eq!(read(text, "x").unwrap()["a"].packages.as_ref().unwrap()[0].ecosystem.as_deref(), Some("npm"));
        for (text, said) in [
            ("", "the file is empty"),
            ("{\"assets\": [", "EOF"),
            ("host,owner\nx,y\n", "`host` is no column"),
            ("owner\ny\n", "no column `asset`"),
            ("asset,environment\nx,live\n", "row 2: `live` is no environment"),
            ("asset,package\nx,curl\n", "row 2: package `curl` has no version"),
            ("asset\na b\n", "row 2: an asset needs a name"),
            ("asset,owner\nx\n", "row 2: "),
            (r#"[{"name": "a"}, {"name": "a"}]"#, "asset `a`: it is there twice"),
        ] {
            let problem = read(text, "x").unwrap_err().to_string();
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }
}
