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
}
