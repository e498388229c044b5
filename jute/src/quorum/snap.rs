//! The tree behind a SNAP packet.
//!
//! It is the middle of a snapshot file: sessions, ACL map and nodes up to the string `/`,
//! without the file's header and without its seals, then [`SIGNATURE`]. Files and wire share that
//! form, so it does not stand here: `state::snapshot` makes and takes its parts, and
//! `storage::snap` puts them together and takes them apart (`format.rs` says what a file adds).

use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Reader};

/// The string that ends the tree. Behind it packets go on.
pub const SIGNATURE: &str = "BenWasHere";
/// Length of the encoded signature in bytes.
pub const SIGNATURE_LEN: usize = 4 + SIGNATURE.len();

/// Appends the signature.
pub fn encode_signature(out: &mut Vec<u8>) {
    Some(SIGNATURE.as_bytes()).encode(out);
}

/// Takes the signature.
///
/// # Errors
/// Anything else: the tree is not what the leader sent, and must not be used.
pub fn decode_signature(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let invalid = reader.error(DecodeErrorKind::InvalidField("signature"));
    match Option::decode(reader)? {
        Some(text) if std::borrow::Cow::as_ref(&text) == SIGNATURE => Ok(()),
        _ => Err(invalid),
    }
}
