//! Walks the records of one log file in bounded memory.

use std::io;

use crate::disk::{DiskFile, read_full};
use crate::log::format::{self, HEADER, MAGIC, RECORD_HEAD_LEN, RECORD_OVERHEAD, Stop};

/// How much is read at a time, in bytes, by who reads to the end; a longer record makes the window
/// grow to its own size.
const CHUNK_LEN: usize = 256 << 10;

/// A moving view of a file.
pub(crate) struct Window<'a> {
    file: &'a dyn DiskFile,
    /// File offset of `buffer[start]`.
    offset: u64,
    /// How much is read at a time.
    chunk_len: usize,
    buffer: Vec<u8>,
    start: usize,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, offset: u64) -> Self {
        Self::of(file, offset, CHUNK_LEN)
    }

    /// As [`Window::new`], for who does not want much.
    fn of(file: &'a dyn DiskFile, offset: u64, chunk_len: usize) -> Self {
        Self {
            file,
            offset,
            chunk_len: chunk_len.min(CHUNK_LEN),
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `want` bytes, fewer only at the end of the file.
    pub(crate) fn peek(&mut self, want: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.start < want {
            let kept = &self.buffer[self.start..];
            let have = kept.len();
            let left = self.file.len()?.saturating_sub(self.offset);
            let len = want
                .max(self.chunk_len)
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let mut buffer = vec![0; len.max(have)];
            buffer[..have].copy_from_slice(kept);
            let read = read_full(self.file, self.offset + have as u64, &mut buffer[have..])?;
            buffer.truncate(have + read);
            self.buffer = buffer;
            self.start = 0;
        }
        let available = self.buffer.len() - self.start;
        Ok(&self.buffer[self.start..self.start + want.min(available)])
    }

    /// Steps over bytes that were peeked.
    pub(crate) fn advance(&mut self, count: usize) {
        assert!(
            count <= self.buffer.len() - self.start,
            "only peeked bytes can be passed"
        );
        self.start += count;
        self.offset += count as u64;
    }
}

/// What the first bytes of a log file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Records may follow.
    Good,
    /// Nothing, or the beginning of a header, or nothing but zeros: a crash while the file was
    /// made.
    Unfinished,
    /// Something else.
    Foreign,
}

/// Judges the start of a file without looking at records.
pub(crate) fn read_head(file: &dyn DiskFile) -> io::Result<Head> {
    let mut window = Window::of(file, 0, HEADER.len());
    let head = window.peek(HEADER.len())?;
    if head.len() < HEADER.len() {
        let prefix = head == &HEADER[..head.len()];
        let zeros = head.iter().all(|byte| *byte == 0);
        return Ok(if prefix || zeros {
            Head::Unfinished
        } else {
            Head::Foreign
        });
    }
    if head.starts_with(&MAGIC) {
        return Ok(Head::Good);
    }
    Ok(if only_zeros(&mut Window::new(file, 0))? {
        Head::Unfinished
    } else {
        Head::Foreign
    })
}

fn only_zeros(window: &mut Window<'_>) -> io::Result<bool> {
    loop {
        let bytes = window.peek(CHUNK_LEN)?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let count = bytes.len();
        window.advance(count);
    }
}

/// One step of a [`RecordReader`].
pub(crate) enum Next<'r> {
    /// A whole record with a right checksum.
    Record {
        /// Where the record starts.
        offset: u64,
        /// Its zxid.
        zxid: i64,
        /// The entry's bytes.
        entry: &'r [u8],
    },
    /// Reading ended at `offset`.
    Stop {
        /// Start of what is no record.
        offset: u64,
        /// Why.
        stop: Stop,
    },
}

/// Reads records one after the other, from behind the header.
pub(crate) struct RecordReader<'a> {
    window: Window<'a>,
    entry_len_max: usize,
    /// Length of the record handed out last; passed over on the next call.
    handed_out: usize,
}

impl<'a> RecordReader<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, entry_len_max: usize) -> Self {
        Self::at(file, entry_len_max, HEADER.len() as u64, CHUNK_LEN)
    }

    /// Starts at a record that begins at `offset`. Reads `chunk_len` bytes at a time, at most.
    pub(crate) fn at(
        file: &'a dyn DiskFile,
        entry_len_max: usize,
        offset: u64,
        chunk_len: usize,
    ) -> Self {
        Self {
            window: Window::of(file, offset, chunk_len),
            entry_len_max,
            handed_out: 0,
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        self.window.advance(self.handed_out);
        self.handed_out = 0;
        let offset = self.window.offset();
        let len = match self.record_len()? {
            Ok(len) => len,
            Err(stop) => return Ok(Next::Stop { offset, stop }),
        };
        let bytes = self.window.peek(len)?;
        if bytes.len() < len {
            return Ok(Next::Stop {
                offset,
                stop: Stop::CutRecord,
            });
        }
        match format::check_record(bytes) {
            Err(stop) => Ok(Next::Stop { offset, stop }),
            Ok(entry) => {
                self.handed_out = len;
                let zxid = format::entry_zxid(entry)
                    .expect("entry_len() refuses entries shorter than a TxnHeader");
                Ok(Next::Record {
                    offset,
                    zxid,
                    entry,
                })
            }
        }
    }

    fn record_len(&mut self) -> io::Result<Result<usize, Stop>> {
        let head = self.window.peek(RECORD_HEAD_LEN)?;
        let Ok(head) = <&[u8; RECORD_HEAD_LEN]>::try_from(head) else {
            return Ok(Err(if head.is_empty() {
                Stop::EndOfFile
            } else {
                Stop::CutRecord
            }));
        };
        Ok(format::entry_len(head, self.entry_len_max).map(|len| len + RECORD_OVERHEAD))
    }
}
