//! Certificate authorities of one's own, and what is wrong with a server's certificate.

use std::error::Error;
use std::io;
use std::path::Path;

use rustls::CertificateError;

use crate::engine::ingest::IngestError;

/// Reads the authorities in a PEM file.
pub(super) fn read(name: &str, path: &Path) -> Result<Vec<reqwest::Certificate>, IngestError> {
    let refuse =
        |problem: String| IngestError::File { name: name.to_owned(), path: path.display().to_string(), problem };
    let pem = std::fs::read(path).map_err(|problem| refuse(format!("{problem}; check `ca_file`")))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|problem| refuse(format!("{problem}; `ca_file` takes certificates in PEM form")))?;
    if found.is_empty() {
        return Err(refuse("it holds no certificate in PEM form; check `ca_file`".to_owned()));
    }
    Ok(found)
}

/// What is wrong with the server's certificate, and what to do, where that is why there was no connection.
pub(super) fn problem(error: &(dyn Error + 'static)) -> Option<(String, &'static str)> {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if let Some(rustls::Error::InvalidCertificate(problem)) = this.downcast_ref() {
            return Some((words(problem), remedy(problem)));
        }
        // What an I/O error holds is not among its sources.
        let held = this.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match held {
            Some(held) => Some(held),
            None => this.source(),
        };
    }
    None
}

fn words(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer => "no authority known here signed it".to_owned(),
        other => other.to_string(),
    }
}

fn remedy(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "renew it there, or mend the clock here",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "mend the clock here or there",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "write `url` with a name that the certificate has"
        }
        _ => "set `ca_file` of this source to the PEM file of the authority that signed it",
    }
}
