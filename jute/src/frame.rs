//! The length prefix around every packet, in both directions.

use thiserror::Error;

/// Length of the prefix in bytes.
pub const PREFIX_LEN: usize = 4;

/// A length that no frame may have: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("frame length {0} is out of range")]
pub struct BadFrameLength(pub i32);

/// The frame at the front of `buf`: its body, or `None` while it is incomplete. The next
/// one starts [`PREFIX_LEN`] + body length further on.
///
/// `max_len` is `jute.maxbuffer`; a frame of exactly that size is accepted.
pub fn first(buf: &[u8], max_len: usize) -> Result<Option<&[u8]>, BadFrameLength> {
    let Some((prefix, rest)) = buf.split_first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let len = i32::from_be_bytes(*prefix);
    match usize::try_from(len) {
        Ok(wanted) if wanted <= max_len => Ok(rest.get(..wanted)),
        _ => Err(BadFrameLength(len)),
    }
}

/// The bodies of the whole frames of a stream, in order. A length that is out of range is the last
/// item.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    max_len: usize,
    failed: bool,
}

impl<'a> Frames<'a> {
    /// Those at the front of `buf`; `max_len` as of [`first`].
    pub fn new(buf: &'a [u8], max_len: usize) -> Self {
        Self {
            rest: buf,
            max_len,
            failed: false,
        }
    }

    /// What is behind the frames that were taken.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], BadFrameLength>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let body = first(self.rest, self.max_len).transpose()?;
        match body {
            Ok(body) => self.rest = &self.rest[PREFIX_LEN + body.len()..],
            Err(_) => self.failed = true,
        }
        Some(body)
    }
}

/// Appends a frame whose body `write` appends.
///
/// # Panics
/// If the body is longer than an int can say.
pub fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_LEN]);
    write(out);
    let len = i32::try_from(out.len() - start - PREFIX_LEN).expect("a frame length fits an int");
    out[start..start + PREFIX_LEN].copy_from_slice(&len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_frame() {
        let mut buf = Vec::new();
        append(&mut buf, |out| out.extend_from_slice(b"one"));
        append(&mut buf, |out| out.extend_from_slice(b"two!"));
        assert_eq!(first(&buf, 3), Ok(Some(&b"one"[..])));
        assert_eq!(first(&buf[7..], 4), Ok(Some(&b"two!"[..])));
        for end in 0..7 {
            assert_eq!(first(&buf[..end], 3), Ok(None), "{end}");
        }
        assert_eq!(first(&buf[7..], 3), Err(BadFrameLength(4)));
        assert_eq!(first(&[0xff; 4], 3), Err(BadFrameLength(-1)));
    }

    #[test]
    fn finds_all_whole_frames() {
        let mut buf = Vec::new();
        append(&mut buf, |out| out.extend_from_slice(b"one"));
        append(&mut buf, |_out| {});
        let whole = buf.len();
        append(&mut buf, |out| out.extend_from_slice(b"four"));
        for end in whole..buf.len() {
            let mut frames = Frames::new(&buf[..end], 3);
            let found: Vec<_> = frames.by_ref().take_while(Result::is_ok).collect();
            assert_eq!(found, [Ok(&b"one"[..]), Ok(&b""[..])], "{end}");
            assert_eq!(frames.rest(), &buf[whole..end]);
        }
        let mut frames = Frames::new(&buf, 3).skip(2);
        assert_eq!(frames.next(), Some(Err(BadFrameLength(4))));
        assert_eq!(frames.next(), None, "once");
    }
}
