//! SASL with DIGEST-MD5 (RFC 2831), as ZooKeeper's Java client does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};

/// What the servers call themselves, in `digest-uri`.
const DIGEST_URI: &str = "zookeeper/zk-sasl-md5";

/// Longest challenge that is looked at, bytes (RFC 2831, section 2.1.1).
const CHALLENGE_MAX: usize = 2048;

/// A user who proves a password without sending it.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestMd5 {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// Unpredictable bytes, of which the client's part of each exchange is made.
    pub nonce_seed: [u8; 16],
}

impl std::fmt::Debug for DigestMd5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigestMd5")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The answer to a challenge, and what the server has to prove in turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) token: Vec<u8>,
    /// The server's last token: that it knows the password too.
    pub(crate) proof: Vec<u8>,
}

impl DigestMd5 {
    /// Answers the challenge of the exchange with this number; `None` if it makes no sense.
    pub(crate) fn respond(&self, challenge: &[u8], exchange: u64) -> Option<Response> {
        let mut seed = Md5::new();
        seed.update(self.nonce_seed);
        seed.update(exchange.to_be_bytes());
        self.respond_with(challenge, &hex(&seed.finalize()))
    }

    fn respond_with(&self, challenge: &[u8], cnonce: &str) -> Option<Response> {
        if challenge.len() > CHALLENGE_MAX {
            return None;
        }
        let challenge = directives(std::str::from_utf8(challenge).ok()?)?;
        let get = |name| challenge.get(name).map(String::as_str);
        let auth = |qop: &str| qop.split(',').any(|one| one.trim() == "auth");
        if get("algorithm") != Some("md5-sess") || !get("qop").is_none_or(auth) {
            return None;
        }
        let (nonce, realm) = (get("nonce")?, get("realm").unwrap_or_default());
        let is_utf8 = get("charset") == Some("utf-8");
        let secret = self.secret(realm, is_utf8);
        let answer = |method| digest(&secret, nonce, cnonce, method);
        let mut token = String::new();
        if is_utf8 {
            token.push_str("charset=utf-8,");
        }
        // The pieces that quotes stand around come last in their own escapes.
        let _ = write!(
            token,
            "username=\"{}\",realm=\"{}\",nonce=\"{}\",nc=00000001,cnonce=\"{cnonce}\",\
             digest-uri=\"{DIGEST_URI}\",maxbuf=65536,response={},qop=auth",
            escaped(&self.user),
            escaped(realm),
            escaped(nonce),
            answer("AUTHENTICATE"),
        );
        Some(Response {
            token: token.into_bytes(),
            proof: format!("rspauth={}", answer("")).into_bytes(),
        })
    }

    /// H(user:realm:password). Text that fits Latin-1 is hashed in it (section 2.1.2.1).
    fn secret(&self, realm: &str, is_utf8: bool) -> [u8; 16] {
        let encode = |text: &str| {
            let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
            latin.unwrap_or_else(|| text.as_bytes().to_vec())
        };
        let encode = |text: &str| match is_utf8 {
            true => encode(text),
            false => text.as_bytes().to_vec(),
        };
        let parts = [&self.user, realm, &self.password].map(encode);
        Md5::digest(parts.join(&b':')).into()
    }
}

fn digest(secret: &[u8; 16], nonce: &str, cnonce: &str, method: &str) -> String {
    let mut first = secret.to_vec();
    first.extend(format!(":{nonce}:{cnonce}").into_bytes());
    let first = hex(&Md5::digest(first));
    let second = hex(&Md5::digest(format!("{method}:{DIGEST_URI}")));
    let all = format!("{first}:{nonce}:00000001:{cnonce}:auth:{second}");
    hex(&Md5::digest(all))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The directives `name=value` and `name="value"` of a challenge, separated by commas.
fn directives(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_matches([',', ' ']);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.insert(name.trim().to_ascii_lowercase(), value);
        rest = after.trim_start_matches([',', ' ']);
    }
    Some(found)
}

/// Text up to the closing quote, and what is behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> DigestMd5 {
        DigestMd5 {
            user: "chris".to_owned(),
            password: "secret".to_owned(),
            nonce_seed: [7; 16],
        }
    }

    const CHALLENGE: &str = "realm=\"zk-sasl-md5\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",\
                             algorithm=md5-sess,charset=utf-8";

    #[test]
    fn a_response_names_everything_and_differs_by_exchange() {
        let first = user().respond(CHALLENGE.as_bytes(), 1).expect("a response");
        let second = user().respond(CHALLENGE.as_bytes(), 2).expect("a response");
        assert_ne!(first, second);
        let text = String::from_utf8(first.token).expect("text");
        let sent = directives(&text).expect("directives");
        let expected = [
            ("username", "chris"),
            ("realm", "zk-sasl-md5"),
            ("nonce", "OA6MG9tEQGm2hh"),
            ("nc", "00000001"),
            ("digest-uri", "zookeeper/zk-sasl-md5"),
            ("qop", "auth"),
            ("charset", "utf-8"),
        ];
        for (name, value) in expected {
            assert_eq!(sent.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(sent["response"].len(), 32);
        assert!(!text.contains("secret"));
        assert!(first.proof.starts_with(b"rspauth="));
    }

    /// The computation itself, on the example of RFC 2831, section 4 (whose digest-uri is
    /// another one).
    #[test]
    fn the_example_of_the_rfc() {
        let secret: [u8; 16] = Md5::digest("chris:elwood.innosoft.com:secret").into();
        let mut first = secret.to_vec();
        first.extend(b":OA6MG9tEQGm2hh:OA6MHXh6VqTrRk");
        let first = hex(&Md5::digest(first));
        let second = hex(&Md5::digest("AUTHENTICATE:imap/elwood.innosoft.com"));
        let all = format!("{first}:OA6MG9tEQGm2hh:00000001:OA6MHXh6VqTrRk:auth:{second}");
        assert_eq!(hex(&Md5::digest(all)), "d388dad90d4bbd760a152321f2143af7");
    }

    #[test]
    fn table_of_challenges_that_are_not_answered() {
        let long = format!("nonce=\"{}\",algorithm=md5-sess", "x".repeat(CHALLENGE_MAX));
        let table = [
            "",
            "nonce",
            "nonce=\"x",
            "nonce=\"x\\",
            "algorithm=md5-sess",
            "nonce=\"x\",algorithm=md5",
            "nonce=\"x\",algorithm=md5-sess,qop=\"auth-int\"",
            &long,
        ];
        for challenge in table {
            let response = user().respond(challenge.as_bytes(), 1);
            assert_eq!(response, None, "{challenge}");
        }
        assert_eq!(user().respond(&[0xff], 1), None);
    }

    #[test]
    fn quotes_come_and_go() {
        let found = directives("a=\"x\\\"y\\\\\", b = 2 ,c=").expect("directives");
        let found: Vec<_> = found
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, [("a", "x\"y\\"), ("b", "2"), ("c", "")]);
        assert_eq!(escaped("x\"y\\"), "x\\\"y\\\\");
    }
}
