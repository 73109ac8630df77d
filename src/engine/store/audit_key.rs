//! The key that signs the audit log's end, in a file for its owner alone.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};

use super::audit_file::{HEAD_FILE, KEY_FILE};
use crate::engine::audit::head::SigningKey;
use crate::engine::durable_file::{self, private};

const SEED_BYTES: usize = 32;

/// The key, made where there is none; true where it was.
pub(super) fn signing_key(folder: &Path, notices: &mut Vec<String>) -> io::Result<(SigningKey, bool)> {
    let path = folder.join(KEY_FILE);
    let mut file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("others may read {0} (mode {mode:o}); run: chmod 600 {0}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut seed = Vec::new();
    Read::by_ref(&mut file).take(SEED_BYTES as u64 + 1).read_to_end(&mut seed)?;
    let is_new = seed.len() != SEED_BYTES;
    if is_new {
        let is_lost = !seed.is_empty() || folder.join(HEAD_FILE).exists();
        if is_lost {
            notices.push("the key that signs the audit log was lost; a new one signs from here on".to_owned());
        }
        seed = vec![0; SEED_BYTES];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| io::Error::other("the system gives no random numbers for a key"))?;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&seed)?;
        durable_file::wait_for_bytes(&file)?;
    }
    let key = SigningKey::from_seed(&seed).map_err(|problem| io::Error::other(problem.to_string()))?;
    Ok((key, is_new))
}
