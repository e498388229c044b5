//! Plain, gzip and snappy streams. The seals always cover the uncompressed bytes; the file's name tells the form.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Most bytes of an uncompressed snapshot.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 << 30;
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
/// Largest uncompressed snappy block that is accepted; writers may be configured to larger blocks than the default.
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

/// The uncompressed stream of a whole file.
pub fn decompress(compression: Compression, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    match compression {
        Compression::None => Ok(bytes),
        Compression::Gz => gunzip(&bytes),
        Compression::Snappy => unsnappy(&bytes),
    }
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let read = GzDecoder::new(bytes)
        .take(SNAPSHOT_BYTES_MAX + 1)
        .read_to_end(&mut out);
    match read {
        Ok(count) if count as u64 <= SNAPSHOT_BYTES_MAX => Ok(out),
        Ok(_) => Err(format!(
            "it unpacks to more than {SNAPSHOT_BYTES_MAX} bytes"
        )),
        Err(error) => Err(format!("its gzip stream is broken: {error}")),
    }
}

fn unsnappy(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&SNAPPY_HEADER[..SNAPPY_MAGIC_LEN]) || bytes.len() < SNAPPY_HEADER.len() {
        return Err("it does not start as a snappy stream".to_owned());
    }
    let mut rest = &bytes[SNAPPY_HEADER.len()..];
    let (mut out, mut block) = (Vec::new(), Vec::new());
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let compressed = after
            .get(..len)
            .ok_or("its snappy stream ends inside a block")?;
        rest = &after[len..];
        let broken = |error: snap::Error| format!("a snappy block is broken: {error}");
        let unpacked = snap::raw::decompress_len(compressed).map_err(broken)?;
        if unpacked > SNAPPY_BLOCK_LEN_MAX || (out.len() + unpacked) as u64 > SNAPSHOT_BYTES_MAX {
            return Err(format!(
                "a snappy block of {unpacked} bytes exceeds what is allowed"
            ));
        }
        block.resize(unpacked, 0);
        let count = snap::raw::Decoder::new()
            .decompress(compressed, &mut block)
            .map_err(broken)?;
        out.extend_from_slice(&block[..count]);
    }
    if rest.is_empty() {
        Ok(out)
    } else {
        Err("its snappy stream ends inside a length".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                assert_eq!(
                    decompress(compression, packed).as_ref(),
                    Ok(&plain),
                    "{compression:?} {len}"
                );
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
                let found = decompress(compression, packed[..cut].to_vec());
                assert!(
                    found.is_err() || found.is_ok_and(|bytes| bytes.len() < plain.len()),
                    "{compression:?} {cut}"
                );
            }
        }
    }
}
