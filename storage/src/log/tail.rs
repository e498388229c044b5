//! Is the end of a log what a crash leaves behind, or damage that must not be passed over?
//!
//! A commit is one write of a batch of records followed by one sync. A crash in between may keep
//! any of the write's 512 byte sectors and lose the others, which then still hold the zeros that
//! were there before. So an unfinished batch shows as whole sectors of zeros, or as the end of the
//! file, and whole records may stand behind the first broken one. None of them was acknowledged,
//! because acknowledgement waits for the sync of the whole batch.
//!
//! The rules, for the place T where reading stopped (Apache's own writer leaves nothing else
//! either):
//!
//! | At T | Whole records behind T | Lost sector between | Verdict |
//! |---|---|---|---|
//! | zeros to the end of the file, or the end itself | none | - | clean |
//! | length 0, no end mark, file ends inside the record | none | - | unfinished |
//! | wrong checksum | none | yes | unfinished |
//! | wrong checksum | none | no | damage: a crash does not change bytes |
//! | any of these | all within one batch of T | yes | unfinished |
//! | any of these | otherwise | | damage: later batches were committed |
//! | a length that no writer uses, cut in two by the end of a sector whose part of it is zero | as with the others |||
//! | any other length that no writer uses | | | damage: lost sectors only make lengths smaller |

use std::io;

use crate::disk::DiskFile;
use crate::log::format::{self, RECORD_HEAD_LEN, RECORD_OVERHEAD, Stop};
use crate::log::reader::Window;
use crate::log::writer::COMMIT_BYTES_MAX;

/// The unit in which a crash keeps or loses writes, in bytes.
const SECTOR_LEN: u64 = 512;
/// How much is searched at a time, in bytes.
const SEARCH_LEN: usize = 64 << 10;
/// What most of a preallocated file looks like; comparing whole blocks is many times faster than
/// looking at bytes.
static ZEROS: [u8; SEARCH_LEN] = [0; SEARCH_LEN];
/// The checksum is zero-extended to a long, so these leading bytes of a record are zero anyway and
/// prove nothing.
const ALWAYS_ZERO_LEN: u64 = 4;

/// What the end of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing but zeros, or nothing.
    Clean,
    /// What a crash during a commit leaves.
    Unfinished,
    /// Anything else, with the reason.
    Damaged(String),
}

/// Judges what follows `offset`, where reading stopped for the reason `stop`.
pub(crate) fn judge(
    file: &dyn DiskFile,
    offset: u64,
    stop: Stop,
    entry_len_max: usize,
) -> io::Result<Tail> {
    if stop == Stop::EndOfFile {
        return Ok(Tail::Clean);
    }
    if let Stop::BadLength(len) = stop
        && !is_half_a_length(offset, len)
    {
        return Ok(Tail::Damaged(stop.describe()));
    }
    let behind = search(file, offset, entry_len_max)?;
    if !behind.bytes {
        return Ok(Tail::Clean);
    }
    if let Some(record) = behind.record_of_later_batch {
        return Ok(Tail::Damaged(format!(
            "{}, but a whole record follows at offset {record}",
            stop.describe()
        )));
    }
    let lost = lost_sector(file, offset, behind.first_record, entry_len_max)?;
    Ok(match (behind.first_record, stop) {
        _ if lost => Tail::Unfinished,
        (Some(record), _) => Tail::Damaged(format!(
            "{}, but a whole record follows at offset {record}",
            stop.describe()
        )),
        (None, Stop::BadChecksum { .. } | Stop::BadLength(_)) => Tail::Damaged(stop.describe()),
        (None, _) => Tail::Unfinished,
    })
}

/// Whether a length that is too small can be what is left of one whose first bytes were in a lost
/// sector.
fn is_half_a_length(record: u64, len: i32) -> bool {
    let first = record + (RECORD_HEAD_LEN - size_of::<i32>()) as u64;
    let in_first_sector = SECTOR_LEN - first % SECTOR_LEN;
    let lost_bits = 8 * in_first_sector.min(4) as u32;
    let lost_part = (len as u32).checked_shr(u32::BITS - lost_bits);
    in_first_sector < 4 && lost_part == Some(0)
}

/// What stands behind a stop.
#[derive(Default)]
struct Behind {
    /// Any byte other than zero.
    bytes: bool,
    /// Start of the first whole record.
    first_record: Option<u64>,
    /// Start of a whole record that lies too far away to belong to the same batch.
    record_of_later_batch: Option<u64>,
}

fn search(file: &dyn DiskFile, stop_offset: u64, entry_len_max: usize) -> io::Result<Behind> {
    // A batch ends with the record that made it full.
    let batch_end = stop_offset + (COMMIT_BYTES_MAX + entry_len_max + RECORD_OVERHEAD) as u64;
    let mut behind = Behind::default();
    let mut window = Window::new(file, stop_offset);
    loop {
        let bytes = window.peek(SEARCH_LEN)?;
        let (len, zeros) = (bytes.len(), bytes == &ZEROS[..bytes.len()]);
        behind.bytes |= !zeros;
        if len < RECORD_HEAD_LEN {
            return Ok(behind);
        }
        // Keep the last bytes of each block in view, so that a head across two blocks is seen.
        let step = if len < SEARCH_LEN {
            len
        } else {
            len - RECORD_HEAD_LEN
        };
        if zeros {
            window.advance(step);
            continue;
        }
        let block_offset = window.offset();
        let mut position = 0;
        while position < step {
            let Some(candidate) =
                next_candidate(window.peek(SEARCH_LEN)?, position, step, entry_len_max)
            else {
                break;
            };
            let at = block_offset + candidate as u64;
            if at > stop_offset && whole_record(&mut window, candidate, entry_len_max)? {
                behind.first_record.get_or_insert(at);
                if at >= batch_end {
                    behind.record_of_later_batch = Some(at);
                    return Ok(behind);
                }
            }
            position = candidate + 1;
        }
        window.advance(step);
    }
}

/// The next position whose bytes could be a record head.
fn next_candidate(block: &[u8], from: usize, until: usize, entry_len_max: usize) -> Option<usize> {
    (from..until.min(block.len().saturating_sub(RECORD_HEAD_LEN - 1))).find(|start| {
        let head = <&[u8; RECORD_HEAD_LEN]>::try_from(&block[*start..*start + RECORD_HEAD_LEN]);
        head.is_ok_and(|head| head[..4] == [0; 4] && format::entry_len(head, entry_len_max).is_ok())
    })
}

fn whole_record(window: &mut Window<'_>, start: usize, entry_len_max: usize) -> io::Result<bool> {
    let head = window.peek(start + RECORD_HEAD_LEN)?;
    let Some(Ok(head)) = head.get(start..).map(<&[u8; RECORD_HEAD_LEN]>::try_from) else {
        return Ok(false);
    };
    let Ok(len) = format::entry_len(head, entry_len_max) else {
        return Ok(false);
    };
    let end = start + len + RECORD_OVERHEAD;
    let bytes = window.peek(end)?;
    Ok(bytes
        .get(start..end)
        .is_some_and(|bytes| format::check_record(bytes).is_ok()))
}

/// Whether a sector between the stop and `first_record` (or the end of the broken record) holds
/// nothing but zeros.
fn lost_sector(
    file: &dyn DiskFile,
    offset: u64,
    first_record: Option<u64>,
    entry_len_max: usize,
) -> io::Result<bool> {
    let file_len = file.len()?;
    let mut window = Window::new(file, offset);
    let head = window.peek(RECORD_HEAD_LEN)?;
    let claimed = match <&[u8; RECORD_HEAD_LEN]>::try_from(head)
        .map(|head| format::entry_len(head, entry_len_max))
    {
        Ok(Ok(len)) => len + RECORD_OVERHEAD,
        _ => RECORD_HEAD_LEN,
    };
    // The sector in which the next whole record begins counts as well: it may hold no more of it
    // than leading zeros.
    let search_end = first_record.unwrap_or(offset + claimed as u64);
    let informative = offset + ALWAYS_ZERO_LEN;
    let mut sector = informative / SECTOR_LEN * SECTOR_LEN;
    while sector < search_end {
        let from = sector.max(informative);
        let until = (sector + SECTOR_LEN).min(file_len);
        let mut bytes = [0; SECTOR_LEN as usize];
        let part = &mut bytes[..until.saturating_sub(from) as usize];
        let read = crate::disk::read_full(file, from, part)?;
        if read > 0 && part[..read].iter().all(|byte| *byte == 0) {
            return Ok(true);
        }
        sector += SECTOR_LEN;
    }
    Ok(false)
}
