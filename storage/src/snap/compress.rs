//! Plain, gzip and snappy streams. The seals always cover the uncompressed bytes; the file's name
//! tells the form.

use std::io::{self, BufReader, Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// snappy-java's stream header: its magic, version 1, compatible version 1.
pub(crate) const SNAPPY_HEADER: [u8; 16] = [
    0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
];
/// What a reader checks of it.
pub(crate) const SNAPPY_MAGIC_LEN: usize = 8;
/// The first bytes of a gzip file.
pub(crate) const GZ_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Uncompressed bytes per snappy block, as snappy-java writes them.
const SNAPPY_BLOCK_LEN: usize = 32 << 10;
/// Largest uncompressed snappy block that is accepted; writers may be configured to larger blocks
/// than the default.
const SNAPPY_BLOCK_LEN_MAX: usize = 64 << 20;

/// `zookeeper.snapshot.compression.method`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// No compression.
    #[default]
    None,
    /// An ordinary gzip member.
    Gz,
    /// The stream format of snappy-java.
    Snappy,
}

impl Compression {
    /// What a file name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gz => ".gz",
            Self::Snappy => ".snappy",
        }
    }

    /// From a file name; what is not known is plain, as in Apache.
    pub fn of_name(name: &str) -> Self {
        match name.rsplit('.').next() {
            Some("gz") => Self::Gz,
            Some("snappy") => Self::Snappy,
            _ => Self::None,
        }
    }

    /// From the configured value; what is not known is plain, as in Apache.
    pub fn from_setting(value: &str) -> Self {
        match value {
            "gz" => Self::Gz,
            "snappy" => Self::Snappy,
            _ => Self::None,
        }
    }
}

/// A writer that compresses what it is given.
pub(crate) enum Encoder<W: Write> {
    Plain(W),
    Gz(GzEncoder<W>),
    Snappy(SnappyEncoder<W>),
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(compression: Compression, sink: W) -> Self {
        match compression {
            Compression::None => Self::Plain(sink),
            Compression::Gz => Self::Gz(GzEncoder::new(sink, flate2::Compression::default())),
            Compression::Snappy => Self::Snappy(SnappyEncoder::new(sink)),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Gz(encoder) => encoder.write_all(bytes),
            Self::Snappy(encoder) => encoder.write_all(bytes),
        }
    }

    /// Writes what is pending and gives the sink back.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Gz(encoder) => encoder.finish(),
            Self::Snappy(encoder) => encoder.finish(),
        }
    }
}

/// Cuts the stream into blocks of a fixed length, each with its compressed length before it.
pub(crate) struct SnappyEncoder<W: Write> {
    sink: W,
    pending: Vec<u8>,
    compressed: Vec<u8>,
    begun: bool,
}

impl<W: Write> SnappyEncoder<W> {
    fn new(sink: W) -> Self {
        Self {
            sink,
            pending: Vec::with_capacity(SNAPPY_BLOCK_LEN),
            compressed: Vec::new(),
            begun: false,
        }
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) =
                bytes.split_at(bytes.len().min(SNAPPY_BLOCK_LEN - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == SNAPPY_BLOCK_LEN {
                self.flush_block()?;
            }
        }
        Ok(())
    }

    fn flush_block(&mut self) -> io::Result<()> {
        if !self.begun {
            self.sink.write_all(&SNAPPY_HEADER)?;
            self.begun = true;
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        self.compressed
            .resize(snap::raw::max_compress_len(self.pending.len()), 0);
        let len = snap::raw::Encoder::new()
            .compress(&self.pending, &mut self.compressed)
            .map_err(io::Error::other)?;
        self.sink.write_all(&(len as u32).to_be_bytes())?;
        self.sink.write_all(&self.compressed[..len])?;
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.flush_block()?;
        Ok(self.sink)
    }
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The disk did not give its bytes.
    #[error(transparent)]
    Source(#[from] io::Error),
    /// Its bytes are not what a writer wrote.
    #[error("{0}")]
    Damage(String),
}

/// Gives back what was compressed, with no more of it in memory than a block.
///
/// How much that is in all has no bound here, as the length of a plain file has none: whoever reads
/// takes it record by record.
pub struct Decoder<R>(Form<R>);

enum Form<R> {
    Plain(R),
    Gz(GzDecoder<Watched<R>>),
    Snappy(SnappyDecoder<R>),
}

impl<R: Read> Decoder<R> {
    /// Reads the stream that `source` begins with.
    pub fn new(compression: Compression, source: R) -> Self {
        Self(match compression {
            Compression::None => Form::Plain(source),
            Compression::Gz => Form::Gz(GzDecoder::new(Watched {
                source,
                has_failed: false,
            })),
            Compression::Snappy => Form::Snappy(SnappyDecoder::new(source)),
        })
    }

    /// Fills a part of `buffer`; 0 is the end of the stream.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Unreadable> {
        match &mut self.0 {
            Form::Plain(source) => Ok(source.read(buffer)?),
            Form::Gz(decoder) => {
                let read = decoder.read(buffer);
                read.map_err(|error| match decoder.get_ref().has_failed {
                    true => Unreadable::Source(error),
                    false => damage(format!("its gzip stream is broken: {error}")),
                })
            }
            Form::Snappy(decoder) => decoder.read(buffer),
        }
    }
}

fn damage(found: impl Into<String>) -> Unreadable {
    Unreadable::Damage(found.into())
}

/// Knows whether an error of the reader around it is its own. The error's kind does not tell: a
/// disk, too, may call its input invalid.
struct Watched<R> {
    source: R,
    has_failed: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer);
        self.has_failed = read.is_err();
        read
    }
}

/// Unpacks one block after the other.
struct SnappyDecoder<R> {
    source: BufReader<R>,
    begun: bool,
    compressed: Vec<u8>,
    /// The present block; `block[start..]` is still to be read.
    block: Vec<u8>,
    start: usize,
}

impl<R: Read> SnappyDecoder<R> {
    fn new(source: R) -> Self {
        Self {
            source: BufReader::new(source),
            begun: false,
            compressed: Vec::new(),
            block: Vec::new(),
            start: 0,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Unreadable> {
        if !self.begun {
            self.begin()?;
        }
        while self.start == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let unread = &self.block[self.start..];
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        self.start += count;
        Ok(count)
    }

    fn begin(&mut self) -> Result<(), Unreadable> {
        let magic = &SNAPPY_HEADER[..SNAPPY_MAGIC_LEN];
        let header = self.take(SNAPPY_HEADER.len())?;
        if header.len() < SNAPPY_HEADER.len() || !header.starts_with(magic) {
            return Err(damage("it does not start as a snappy stream"));
        }
        self.begun = true;
        Ok(())
    }

    /// Unpacks the next block; false at the end of the stream.
    fn next_block(&mut self) -> Result<bool, Unreadable> {
        let len = match *self.take(4)? {
            [] => return Ok(false),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
            _ => return Err(damage("its snappy stream ends inside a length")),
        };
        if len > snap::raw::max_compress_len(SNAPPY_BLOCK_LEN_MAX) {
            return Err(too_large(len));
        }
        if self.take(len)?.len() < len {
            return Err(damage("its snappy stream ends inside a block"));
        }
        let broken = |error: snap::Error| damage(format!("a snappy block is broken: {error}"));
        let unpacked = snap::raw::decompress_len(&self.compressed).map_err(broken)?;
        if unpacked > SNAPPY_BLOCK_LEN_MAX {
            return Err(too_large(unpacked));
        }
        self.block.resize(unpacked, 0);
        let count = snap::raw::Decoder::new()
            .decompress(&self.compressed, &mut self.block)
            .map_err(broken)?;
        self.block.truncate(count);
        self.start = 0;
        Ok(true)
    }

    /// The next `len` bytes, or as many as the source has. There is memory only for those that
    /// come.
    fn take(&mut self, len: usize) -> io::Result<&[u8]> {
        self.compressed.clear();
        let mut bytes = self.source.by_ref().take(len as u64);
        bytes.read_to_end(&mut self.compressed)?;
        Ok(&self.compressed)
    }
}

fn too_large(len: usize) -> Unreadable {
    damage(format!(
        "a snappy block of {len} bytes exceeds what is allowed"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn decompress(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut decoder = Decoder::new(compression, packed);
        let mut plain = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match decoder.read(&mut buffer)? {
                0 => return Ok(plain),
                count => plain.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn every_form_gives_back_what_went_in() {
        for len in [
            0,
            1,
            SNAPPY_BLOCK_LEN - 1,
            SNAPPY_BLOCK_LEN,
            3 * SNAPPY_BLOCK_LEN + 7,
        ] {
            let plain: Vec<u8> = (0..len).map(|i| ((i * i) >> 7) as u8).collect();
            for compression in [Compression::None, Compression::Gz, Compression::Snappy] {
                let mut encoder = Encoder::new(compression, Vec::new());
                for part in plain.chunks(1000) {
                    encoder.write_all(part).expect("memory takes everything");
                }
                let packed = encoder.finish().expect("memory takes everything");
                let unpacked = decompress(compression, &packed).expect("it is whole");
                assert!(unpacked == plain, "{compression:?} {len}");
            }
        }
    }

    #[test]
    fn every_cut_of_a_compressed_stream_is_noticed_or_shorter() {
        for compression in [Compression::Gz, Compression::Snappy] {
            let plain = vec![7; 1000];
            let mut encoder = Encoder::new(compression, Vec::new());
            encoder.write_all(&plain).expect("memory takes everything");
            let packed = encoder.finish().expect("memory takes everything");
            for cut in 0..packed.len() {
                match decompress(compression, &packed[..cut]) {
                    Ok(bytes) => assert!(bytes.len() < plain.len(), "{compression:?} {cut}"),
                    Err(Unreadable::Damage(_)) => {}
                    Err(Unreadable::Source(error)) => panic!("{compression:?} {cut}: {error}"),
                }
            }
        }
    }

    #[test]
    fn a_length_that_no_block_has_is_not_believed() {
        let lens = [u32::MAX, 80 << 20];
        // The length of a block after it is unpacked stands in front of it, as a varint: here
        // almost 4 GiB.
        let unpacked: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f];
        let streams = lens.map(|len| len.to_be_bytes().to_vec());
        let blocks = [[&5_u32.to_be_bytes()[..], unpacked].concat()];
        for stream in streams.into_iter().chain(blocks) {
            let packed = [&SNAPPY_HEADER[..], &stream].concat();
            let error = decompress(Compression::Snappy, &packed).expect_err("too long");
            assert!(
                matches!(&error, Unreadable::Damage(found) if found.contains("exceeds")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_disk_that_fails_is_no_damage() {
        struct Failing<'a>(&'a [u8], ErrorKind);
        impl Read for Failing<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(self.1.into()),
                    count => Ok(count),
                }
            }
        }
        // Decoders use the first three for what they find themselves.
        let kinds = [
            ErrorKind::InvalidInput,
            ErrorKind::InvalidData,
            ErrorKind::UnexpectedEof,
            ErrorKind::Other,
        ];
        for compression in [Compression::None, Compression::Gz, Compression::Snappy] {
            let mut encoder = Encoder::new(compression, Vec::new());
            encoder
                .write_all(&[7; 1000])
                .expect("memory takes everything");
            let packed = encoder.finish().expect("memory takes everything");
            for kind in kinds {
                for cut in 0..packed.len() {
                    let mut decoder = Decoder::new(compression, Failing(&packed[..cut], kind));
                    let failure = loop {
                        match decoder.read(&mut [0; 100]) {
                            Ok(count) => assert_ne!(count, 0, "{compression:?} {kind} {cut}"),
                            Err(failure) => break failure,
                        }
                    };
                    let is_told = matches!(&failure, Unreadable::Source(e) if e.kind() == kind);
                    assert!(is_told, "{compression:?} {kind} {cut}: {failure}");
                }
            }
        }
    }
}
