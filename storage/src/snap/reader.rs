//! Reads a snapshot, in memory for no more than a piece of it: a large one would else be there
//! twice while it is loaded.
//!
//! Records are handed out before the seals behind them are seen. So whoever takes them must not use
//! them before all of it is in, and must bear any: recovery resets its sink for the next candidate,
//! and the fuzz target `snapshot` feeds the tree's loader such records.

use std::io::{self, Read};
use std::path::Path;

use jute::wire::Limits;
use simd_adler32::Adler32;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::snap::body::{BodyReader, SnapshotSink};
use crate::snap::compress::{Compression, Decoder, Unreadable};
use crate::snap::format::{HEADER, MAGIC, Trailer};

/// How much is read at a time, in bytes.
const CHUNK_LEN: usize = 256 << 10;

/// Reads the snapshot at `path` into `sink`. The form follows from the name, the trailer from what
/// is there.
///
/// On an error the sink may have taken a part, of changed bytes too; it is to be emptied.
pub fn load(
    disk: &dyn Disk,
    path: &Path,
    limits: Limits,
    sink: &mut impl SnapshotSink,
) -> Result<Trailer, StorageError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let compression = Compression::of_name(&name);
    let opened = disk.open(path).map_err(Failure::Io);
    let loaded = opened.and_then(|file| {
        let file = FileBytes {
            file: file.as_ref(),
            offset: 0,
        };
        read(Decoder::new(compression, file), limits, sink)
    });
    loaded.map_err(|failure| match failure {
        Failure::Io(error) => StorageError::io("read", path)(error),
        Failure::Bad { offset, found } => StorageError::BadSnapshot {
            path: path.to_path_buf(),
            offset,
            found: match compression {
                Compression::None => found,
                _ => format!("{found} (the offset is the unpacked stream's)"),
            },
        },
    })
}

enum Failure {
    Io(io::Error),
    Bad { offset: u64, found: String },
}

fn bad(offset: u64, found: impl Into<String>) -> Failure {
    let found = found.into();
    Failure::Bad { offset, found }
}

/// Reads the uncompressed stream.
fn read(
    source: Decoder<impl Read>,
    limits: Limits,
    sink: &mut impl SnapshotSink,
) -> Result<Trailer, Failure> {
    let mut stream = Stream::new(source);
    stream.fill(HEADER.len())?;
    if !stream.unread().starts_with(&MAGIC) {
        return Err(bad(0, "it does not start as a snapshot (ZKSN)"));
    }
    if stream.unread().len() < HEADER.len() {
        return Err(bad(0, "the header is incomplete"));
    }
    stream.pass(HEADER.len());
    let mut body = BodyReader::new(limits);
    loop {
        let taken = body.take(stream.unread(), sink);
        let taken = taken.map_err(|e| bad(stream.offset + e.offset as u64, e.reason.0))?;
        stream.pass(taken);
        if body.is_done() {
            break;
        }
        let unread = stream.unread().len();
        if unread > body.piece_len_max() {
            return Err(bad(stream.offset, "a record longer than any may be"));
        }
        if stream.fill(2 * unread + 1)? == unread {
            return Err(bad(stream.offset, "the nodes end inside a record"));
        }
    }
    // One byte more would be one too many.
    stream.fill(Trailer::LEN_MAX + 1)?;
    Trailer::decode(stream.sum.clone(), stream.unread()).ok_or_else(|| {
        let found = "no valid seal at the end: the file is cut short or its bytes were changed";
        bad(stream.offset, found)
    })
}

/// A window that moves over a stream.
struct Stream<R> {
    source: Decoder<R>,
    /// Read and not yet passed: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `start` is in the stream.
    offset: u64,
    /// Of all that was passed.
    sum: Adler32,
}

impl<R: Read> Stream<R> {
    fn new(source: Decoder<R>) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK_LEN],
            start: 0,
            end: 0,
            offset: 0,
            sum: Adler32::new(),
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Goes on behind the first `len` unread bytes.
    fn pass(&mut self, len: usize) {
        self.sum.write(&self.buffer[self.start..self.start + len]);
        self.start += len;
        self.offset += len as u64;
    }

    /// Reads until `want` bytes are unread, or the stream ends, and what else comes with them;
    /// returns how many are.
    fn fill(&mut self, want: usize) -> Result<usize, Failure> {
        if self.end - self.start < want {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() < want {
                self.buffer.resize(want.next_multiple_of(CHUNK_LEN), 0);
            }
        }
        while self.end - self.start < want {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(Unreadable::Damage(found)) => return Err(bad(self.offset, found)),
                Err(Unreadable::Source(error)) => return Err(Failure::Io(error)),
            }
        }
        Ok(self.end - self.start)
    }
}

/// A file from one end to the other.
struct FileBytes<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl Read for FileBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.offset, buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}
