//! The ids of the scheme `digest`: `user:` and the hash of `user:password`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

/// The hash in digest ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// The default.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/224.
    Sha512Truncated224,
    /// SHA-512/256.
    Sha512Truncated256,
}

impl DigestAlgorithm {
    /// The algorithm of a name as Java's `MessageDigest` knows it, in any case; `None` for
    /// the ones that are not supported here (MD2, MD5, SHA-3).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA224" | "SHA-224" => Self::Sha224,
            "SHA256" | "SHA-256" => Self::Sha256,
            "SHA384" | "SHA-384" => Self::Sha384,
            "SHA512" | "SHA-512" => Self::Sha512,
            "SHA512/224" | "SHA-512/224" => Self::Sha512Truncated224,
            "SHA512/256" | "SHA-512/256" => Self::Sha512Truncated256,
            _ => return None,
        })
    }

    fn base64(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha1 => STANDARD.encode(Sha1::digest(bytes)),
            Self::Sha224 => STANDARD.encode(Sha224::digest(bytes)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(bytes)),
            Self::Sha384 => STANDARD.encode(Sha384::digest(bytes)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(bytes)),
            Self::Sha512Truncated224 => STANDARD.encode(Sha512_224::digest(bytes)),
            Self::Sha512Truncated256 => STANDARD.encode(Sha512_256::digest(bytes)),
        }
    }
}

/// The id of `user:password`. Without a colon all of it is the user; the hash is over
/// the whole text in either case.
pub fn digest_id(algorithm: DigestAlgorithm, user_password: &str) -> String {
    let user = user_password.split(':').next().unwrap_or_default();
    format!("{user}:{}", algorithm.base64(user_password.as_bytes()))
}
