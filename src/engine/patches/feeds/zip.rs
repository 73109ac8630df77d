//! Reads the files of a zip archive: what OSV's bulk downloads are packed in. By its directory at the end, stored and deflated
//! files, with the 64-bit directory that archives of many files have (PKWARE APPNOTE 6.3, sections 4.3 and 4.5).

use std::io::Read as _;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// The end record, without its comment.
const END_BYTES: usize = 22;
/// Longest comment.
const COMMENT_BYTES_MAX: usize = 65_535;

/// True where these bytes begin as an archive does.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL) || bytes.starts_with(END)
}

/// Hands every file that is no folder to `take`, unpacked. All of them together may have `bytes_max`.
///
/// # Errors
/// When the archive is cut off or damaged, is packed in another way, or holds too much.
pub fn each_file(bytes: &[u8], bytes_max: usize, mut take: impl FnMut(&str, &[u8])) -> Result<(), String> {
    let (count, mut at) = directory(bytes).ok_or("the zip archive has no end; it is cut off")?;
    let (mut left, mut file) = (bytes_max, Vec::new());
    for number in 0..count {
        let damaged = || format!("file {number} of {count} in the zip archive cannot be found");
        let (entry, next) = entry(bytes, at).ok_or_else(damaged)?;
        at = next;
        if entry.name.ends_with('/') {
            continue;
        }
        let packed = content(bytes, &entry).ok_or_else(damaged)?;
        file.clear();
        let read = match entry.method {
            0 => packed.take(left as u64 + 1).read_to_end(&mut file),
            8 => flate2::read::DeflateDecoder::new(packed).take(left as u64 + 1).read_to_end(&mut file),
            other => return Err(format!("`{:.80}` is packed in way {other}; only deflate is known", entry.name)),
        };
        read.map_err(|problem| format!("`{:.80}` in the zip archive cannot be unpacked: {problem}", entry.name))?;
        left =
            left.checked_sub(file.len()).ok_or_else(|| format!("the zip archive holds more than {bytes_max} bytes"))?;
        let mut sum = flate2::Crc::new();
        sum.update(&file);
        if sum.sum() != entry.crc {
            return Err(format!("`{:.80}` in the zip archive is damaged: its check sum differs", entry.name));
        }
        take(&entry.name, &file);
    }
    Ok(())
}

struct Entry {
    name: String,
    method: u16,
    crc: u32,
    packed: usize,
    local: usize,
}

/// How many files there are, and where their directory begins.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    let from = bytes.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let tail = bytes.get(from..)?;
    let end = from + tail.windows(END.len()).rposition(|window| window == END)?;
    bytes.get(end..end + END_BYTES)?;
    let (count, start) = (u16_at(bytes, end + 10)?, u32_at(bytes, end + 16)?);
    if count != u16::MAX && start != u32::MAX {
        return Some((usize::from(count), usize::try_from(start).ok()?));
    }
    let locator = end.checked_sub(20).filter(|at| starts(bytes, *at, LOCATOR_64))?;
    let end_64 = usize::try_from(u64_at(bytes, locator + 8)?).ok().filter(|at| starts(bytes, *at, END_64))?;
    Some((usize::try_from(u64_at(bytes, end_64 + 32)?).ok()?, usize::try_from(u64_at(bytes, end_64 + 48)?).ok()?))
}

/// The entry of the directory at `at`, and where the next one begins.
fn entry(bytes: &[u8], at: usize) -> Option<(Entry, usize)> {
    starts(bytes, at, ENTRY).then_some(())?;
    let lengths = [u16_at(bytes, at + 28)?, u16_at(bytes, at + 30)?, u16_at(bytes, at + 32)?].map(usize::from);
    let name = bytes.get(at + 46..at + 46 + lengths[0])?;
    let extra = bytes.get(at + 46 + lengths[0]..at + 46 + lengths[0] + lengths[1])?;
    let (packed, whole, local) = (u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?, u32_at(bytes, at + 42)?);
    // What does not fit stands in the extra field, in this order and only where it does not fit.
    let mut wide = wide_numbers(extra).into_iter();
    let mut number = |narrow: u32| if narrow == u32::MAX { wide.next() } else { Some(u64::from(narrow)) };
    let _whole = number(whole)?;
    let packed = usize::try_from(number(packed)?).ok()?;
    let local = usize::try_from(number(local)?).ok()?;
    let entry = Entry {
        name: String::from_utf8_lossy(name).into_owned(),
        method: u16_at(bytes, at + 10)?,
        crc: u32_at(bytes, at + 16)?,
        packed,
        local,
    };
    Some((entry, at + 46 + lengths.iter().sum::<usize>()))
}

/// The numbers of the 64-bit extra field.
fn wide_numbers(extra: &[u8]) -> Vec<u64> {
    let mut at = 0;
    while let (Some(kind), Some(length)) = (u16_at(extra, at), u16_at(extra, at + 2)) {
        let field = extra.get(at + 4..at + 4 + usize::from(length)).unwrap_or_default();
        if kind == 1 {
            return (0..field.len() / 8).filter_map(|index| u64_at(field, index * 8)).collect();
        }
        at += 4 + usize::from(length);
    }
    Vec::new()
}

fn content<'a>(bytes: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
    starts(bytes, entry.local, LOCAL).then_some(())?;
    let before = usize::from(u16_at(bytes, entry.local + 26)?) + usize::from(u16_at(bytes, entry.local + 28)?);
    let from = entry.local + 30 + before;
    bytes.get(from..from.checked_add(entry.packed)?)
}

fn starts(bytes: &[u8], at: usize, with: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(with))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's `zipfile`: `a.json` deflated, `b/` a folder, `b/c.json` stored.
    const ARCHIVE: &str = "504b030414000000080000002100bb1ec9e5060000001600000006000000612e6a736f6eabaeadc60201504b030414000000\
         00000000210000000000000000000000000002000000622f504b03041400000000000000210029bb4c0d0200000002000000\
         08000000622f632e6a736f6e5b5d504b0102140314000000080000002100bb1ec9e506000000160000000600000000000000\
         00000000800100000000612e6a736f6e504b0102140314000000000000002100000000000000000000000000020000000000\
         00000000000080012a000000622f504b010214031400000000000000210029bb4c0d02000000020000000800000000000000\
         0000000080014a000000622f632e6a736f6e504b050600000000030003009a000000720000000000";

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn files(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut files = Vec::new();
        each_file(bytes, 1_000, |name, file| {
            files.push((name.to_owned(), String::from_utf8_lossy(file).into_owned()));
        })?;
        Ok(files)
    }

    #[test]
    fn files_are_unpacked_and_an_archive_that_is_cut_off_or_damaged_is_refused() {
        let whole = unhex(ARCHIVE);
        assert_eq!(
            files(&whole).unwrap(),
            [("a.json".to_owned(), "{}".repeat(11)), ("b/c.json".to_owned(), "[]".to_owned())]
        );
        for end in 0..whole.len() {
            assert!(files(&whole[..end]).is_err(), "{end}");
        }
        let mut damaged = whole.clone();
        let at = whole.windows(2).position(|window| window == b"[]").unwrap();
        damaged[at] = b'{';
        assert!(files(&damaged).unwrap_err().contains("check sum"));
        assert!(each_file(&whole, 10, |_, _| {}).unwrap_err().contains("more than 10 bytes"));
    }

    #[test]
    fn whatever_the_bytes_are_nothing_panics() {
        let whole = unhex(ARCHIVE);
        for at in 0..whole.len() {
            for value in [0, 0xff, whole[at].wrapping_add(1)] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _either = files(&bytes);
            }
        }
    }
}
