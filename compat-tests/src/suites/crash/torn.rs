//! A log that ends inside its last record, at every byte: the server must start and show exactly
//! the history before that record, or with it when only padding was cut.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::copy_tree;
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};
use crate::wire::{ConnectRequest, Session, create_body, op, path_watch_body};

/// Transactions in the log that is cut.
const RECORDS: usize = 20;
/// Size of the log's own header in bytes.
const HEADER: usize = 16;

/// Makes a directory with `which`, then starts it on every cut of the newest log.
pub(super) fn every_cut(
    launcher: &Launcher,
    which: Which,
    step: usize,
    report: &mut Report,
) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let original = directory.path().join("original");
    let settings = Settings::usual();
    let server = launcher.start(which, &original, &settings)?;
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(600_000))?;
    for number in 0..RECORDS {
        session.expect(op::CREATE, &create_body(&format!("/n{number}"), b"torn", 0))?;
    }
    server.kill()?;
    let log = newest_log(&original)?;
    let bytes = std::fs::read(&log)?;
    let (start, end) = *records(&bytes)?.last().context("no record in the log")?;
    let mut failures = 0;
    for cut in (start..=end).step_by(step) {
        let copy = directory.path().join("copy");
        copy_tree(&original, &copy)?;
        let name = log.file_name().context("the log has a name")?;
        std::fs::write(copy.join("version-2").join(name), &bytes[..cut])?;
        if let Err(error) = one_cut(launcher, which, &copy, &settings, cut == end) {
            failures += 1;
            report.fail(
                &format!("log cut at byte {cut} ({start}..{end})"),
                &format!("{error:#}"),
            );
        }
        std::fs::remove_dir_all(&copy)?;
    }
    if failures == 0 {
        report.pass(&format!(
            "log cut at bytes {start}..={end} by {step}: every start served, the rest was there"
        ));
    }
    Ok(())
}

fn one_cut(
    launcher: &Launcher,
    which: Which,
    folder: &Path,
    settings: &Settings,
    whole: bool,
) -> Result<()> {
    let server = launcher.start(which, folder, settings)?;
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(30_000))?;
    for number in 0..RECORDS {
        let newest = number + 1 == RECORDS;
        let (error, _) =
            session.call(op::EXISTS, &path_watch_body(&format!("/n{number}"), false))?;
        let expected = if newest && !whole { -101 } else { 0 };
        if error != expected {
            bail!("exists /n{number}: {error} instead of {expected}");
        }
    }
    // The torn place must take new records, and they must be there after one more start.
    session.expect(op::CREATE, &create_body("/after", b"", 0))?;
    server.kill()?;
    let server = launcher.start(which, folder, settings)?;
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(30_000))?;
    session.expect(op::EXISTS, &path_watch_body("/after", false))?;
    server.kill()
}

/// The log with the highest zxid in its name.
pub(crate) fn newest_log(data_dir: &Path) -> Result<PathBuf> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(data_dir.join("version-2"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(zxid) = name.strip_prefix("log.") {
            logs.push((u64::from_str_radix(zxid, 16)?, path));
        }
    }
    logs.sort();
    logs.pop().map(|(_, path)| path).context("no log")
}

/// Start and end of each record: checksum, length, transaction, end mark.
fn records(bytes: &[u8]) -> Result<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    let mut at = HEADER;
    while let Some(head) = bytes.get(at..at + 12) {
        let length = u32::from_be_bytes(head[8..12].try_into()?) as usize;
        let end = at + 12 + length + 1;
        if length == 0 || end > bytes.len() {
            break;
        }
        found.push((at, end));
        at = end;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::records;

    #[test]
    fn records_end_at_padding() {
        let mut log = vec![0; 16];
        for body in [3_usize, 5] {
            log.extend([0; 8]);
            log.extend(u32::try_from(body).expect("small").to_be_bytes());
            log.extend(vec![7; body]);
            log.push(b'B');
        }
        log.extend([0; 40]);
        assert_eq!(records(&log).expect("records"), [(16, 32), (32, 50)]);
    }
}
