//! Names of contenders' nodes.

use std::fmt::Write as _;

use client::Client;

use crate::Error;

/// How the nodes of contenders are named. Both kinds are recognised, whichever the own one is;
/// what a foreign contender recognises is its own affair, so the naming must be that of the
/// foreign contenders, if there are any. The crate's documentation has the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// Those of Apache Curator 5: `_c_<uuid>-lock-<sequence>` and the like.
    #[default]
    Curator,
    /// Those of kazoo 2: `<uuid>__lock__<sequence>` and the like.
    Kazoo,
}

/// What stands between a contender's own prefix and its sequence number, and what it says of the
/// contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) text: &'static str,
    /// Excludes nobody but exclusive ones.
    pub(crate) shared: bool,
}

impl Label {
    pub(crate) const fn exclusive(text: &'static str) -> Self {
        let shared = false;
        Self { text, shared }
    }

    pub(crate) const fn shared(text: &'static str) -> Self {
        let shared = true;
        Self { text, shared }
    }
}

impl Naming {
    /// A prefix that no other contender has: by it a node is found whose name never came back.
    pub(crate) fn prefix(self, client: &Client) -> Result<String, Error> {
        let mut id = [0; 16];
        match client.environment() {
            Some(environment) => environment.random(&mut id),
            None => getrandom::fill(&mut id).map_err(|error| Error::Random(error.to_string()))?,
        }
        Ok(self.prefix_of(id))
    }

    fn prefix_of(self, mut id: [u8; 16]) -> String {
        // Version 4, variant 1, as any parser of UUIDs wants it.
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let mut hex = String::with_capacity(32);
        for byte in id {
            let _ = write!(hex, "{byte:02x}");
        }
        match self {
            Self::Kazoo => hex,
            Self::Curator => {
                let (a, b, c, d, e) = (
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..],
                );
                format!("_c_{a}-{b}-{c}-{d}-{e}-")
            }
        }
    }
}

/// The label and the sequence number of a contender's name; `None` for other nodes.
pub(crate) fn parse(name: &str, labels: &[Label]) -> Option<(Label, i32)> {
    labels.iter().find_map(|label| {
        let at = name.rfind(label.text)?;
        let text = &name[at + label.text.len()..];
        sequence(text).map(|number| (*label, number))
    })
}

/// What the server appends to the name of a sequential node: ten characters, or eleven when a sign
/// and ten digits do not fit.
pub(crate) fn sequence(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_one = (10..=11).contains(&text.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_one.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Label = Label::exclusive("lock-");
    const KAZOO: Label = Label::exclusive("__lock__");
    const READ: Label = Label::shared("__rlock__");

    #[test]
    fn names_of_contenders_and_others() {
        let labels = [LOCK, KAZOO, READ];
        for (name, expected) in [
            (
                "_c_6ba7b810-9dad-11d1-80b4-00c04fd430c8-lock-0000000000",
                Some((LOCK, 0)),
            ),
            ("lock-0000000042", Some((LOCK, 42))),
            ("lock-2147483647", Some((LOCK, i32::MAX))),
            ("lock--2147483648", Some((LOCK, i32::MIN))),
            ("lock--000000001", Some((LOCK, -1))),
            (
                "6ba7b8109dad11d180b400c04fd430c8__lock__0000000007",
                Some((KAZOO, 7)),
            ),
            (
                "6ba7b8109dad11d180b400c04fd430c8__rlock__0000000007",
                Some((READ, 7)),
            ),
            ("lock-", None),
            ("lock-42", None),
            ("lock-4294967296", None),
            ("lock-00000000+1", None),
            ("lock-000000000x", None),
            ("lease-0000000001", None),
            ("", None),
        ] {
            assert_eq!(parse(name, &labels), expected, "{name}");
        }
    }

    #[test]
    fn prefixes_have_the_form_of_their_kind() {
        let id = [0xa5; 16];
        let curator = Naming::Curator.prefix_of(id);
        assert_eq!(curator.len(), "_c_".len() + 36 + "-".len());
        assert!(curator.starts_with("_c_") && curator.ends_with('-'));
        assert_eq!(&curator[17..18], "4", "a random UUID: {curator}");
        let kazoo = Naming::Kazoo.prefix_of(id);
        assert_eq!(kazoo.len(), 32);
        assert!(kazoo.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
