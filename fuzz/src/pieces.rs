//! Inputs that are lists: a mutation of one piece leaves the others in place.

/// Most pieces of an input; more would only be slow.
const PIECES_MAX: usize = 512;

/// Splits `{length: u16, bytes}...`; the last piece may be shorter than its length says.
pub(crate) fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((len, rest)) = input.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (piece, rest) = rest.split_at(len);
        pieces.push(piece);
        input = rest;
        if pieces.len() == PIECES_MAX {
            break;
        }
    }
    pieces
}

/// Appends a piece.
///
/// # Panics
/// If it is longer than its length can say.
pub(crate) fn push(out: &mut Vec<u8>, piece: &[u8]) {
    let len = u16::try_from(piece.len()).expect("a seed's piece is short");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_what_was_pushed() {
        let mut out = Vec::new();
        for piece in [&b"one"[..], b"", b"two"] {
            push(&mut out, piece);
        }
        assert_eq!(split(&out), [&b"one"[..], b"", b"two"]);
        assert_eq!(split(&out[..out.len() - 1]), [&b"one"[..], b"", b"tw"]);
        assert_eq!(split(&[0]), [&b""[..]; 0]);
    }
}
