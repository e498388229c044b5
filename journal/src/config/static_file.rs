//! The static file as text: what points elsewhere, and how the members move out of it.
//!
//! Apache writes back the keys it has read, in the order of a hash table, and drops the comments.
//! Here every line that stays, stays as it is.

use jute::properties::{self, Property};

/// The key of the path to the dynamic file.
const POINTER: &str = "dynamicConfigFile";

/// Java takes these files for ISO-8859-1: every byte is a character, and comes back as it was.
pub(super) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The way back. What is written into a file is escaped where it is none of those characters.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(c).expect("made of bytes and escaped text"))
        .collect()
}

/// The path in the file, if there is one. The last one counts.
pub(super) fn pointer(text: &str) -> Result<Option<String>, String> {
    let lines = properties::parse(text).map_err(|error| error.to_string())?;
    let found = lines.into_iter().rfind(|line| line.key.trim() == POINTER);
    Ok(found.map(|line| line.value.trim().to_owned()))
}

/// The file without what belongs to the ensemble, and with the path of where that is now.
/// `client_elsewhere`: the member's own line says where it serves clients, so the static file must
/// not say it again.
pub(super) fn rewrite(text: &str, path: &str, client_elsewhere: bool) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + path.len() + POINTER.len() + 2);
    for line in LogicalLines(text) {
        let parsed = properties::parse(line).map_err(|error| error.to_string())?;
        let moves = |property: &Property| moves(property.key.trim(), client_elsewhere);
        if !parsed.first().is_some_and(moves) {
            out.push_str(line);
        }
    }
    if !out.is_empty() && !out.ends_with(['\n', '\r']) {
        out.push('\n');
    }
    out.push_str(&format!("{POINTER}={}\n", properties::escaped(path)));
    Ok(out)
}

/// As `editStaticConfig` decides, but for `server.realm`, which is a Kerberos property.
fn moves(key: &str, client_elsewhere: bool) -> bool {
    let member = key.starts_with("server.") && key != "server.realm";
    let ensemble = ["group", "weight", POINTER, "peerType"];
    member
        || ensemble.iter().any(|prefix| key.starts_with(prefix))
        || (client_elsewhere && key.starts_with("clientPort"))
}

/// Lines with what a backslash joins to them, and with their ends.
struct LogicalLines<'a>(&'a str);

impl<'a> Iterator for LogicalLines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        let (first, mut end) = natural_line(text, 0);
        let start = first.trim_start_matches([' ', '\t', '\x0c']);
        // A backslash does not continue a comment, nor a line that is blank but for it a key.
        if !start.is_empty() && !start.starts_with(['#', '!']) {
            let mut line = first;
            while end < text.len() && is_continued(line) {
                (line, end) = natural_line(text, end);
            }
        }
        let (line, rest) = text.split_at(end);
        self.0 = rest;
        Some(line)
    }
}

/// The line at `start` without its end, and where the next one starts.
fn natural_line(text: &str, start: usize) -> (&str, usize) {
    let rest = &text[start..];
    let Some(len) = rest.find(['\n', '\r']) else {
        return (rest, text.len());
    };
    let end = if rest[len..].starts_with("\r\n") {
        2
    } else {
        1
    };
    (&rest[..len], start + len + end)
}

fn is_continued(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_stays_as_it_is() {
        for (before, client_elsewhere, after) in [
            ("", false, ""),
            ("tickTime=2000", false, "tickTime=2000\n"),
            (
                "# ours\n\ntickTime = 2000\n",
                false,
                "# ours\n\ntickTime = 2000\n",
            ),
            (
                "a=1\r\nserver.1=h:1:2\r\n# server.2 was here\r\nb=\\\r\n  2\r\n",
                false,
                "a=1\r\n# server.2 was here\r\nb=\\\r\n  2\r\n",
            ),
            ("server.1 = \\\n  h:1:2\na=1\n", false, "a=1\n"),
            ("server.1=h:1:2\\\\\na=1\n", false, "a=1\n"),
            ("# no \\\nserver.1=h:1:2\n", false, "# no \\\n"),
            ("server.realm=R\n", false, "server.realm=R\n"),
            ("group.1=1:2\nweight.1=3\npeerType=observer\n", false, ""),
            ("dynamicConfigFile=/old\na=1\n", false, "a=1\n"),
            (
                "clientPort=1\nclientPortAddress=h\n",
                false,
                "clientPort=1\nclientPortAddress=h\n",
            ),
            ("clientPort=1\nclientPortAddress=h\n", true, ""),
            (
                "  server.1=h:1:2\n\tserver.2 h:1:2\nserver.3:h:1:2",
                false,
                "",
            ),
            ("s\\u0065rver.1=h:1:2\n", false, ""),
            ("a=\u{e9}\n", false, "a=\u{e9}\n"),
        ] {
            let rewritten = rewrite(before, "/d/zoo.cfg.dynamic.1", client_elsewhere);
            let after = format!("{after}dynamicConfigFile=/d/zoo.cfg.dynamic.1\n");
            assert_eq!(rewritten.as_deref(), Ok(after.as_str()), "{before:?}");
            assert_eq!(pointer(&after), Ok(Some("/d/zoo.cfg.dynamic.1".to_owned())));
        }
    }

    #[test]
    fn any_path_comes_back() {
        for path in ["/a b", "/caf\u{e9}/x", "/\u{1f600}", "C:\\zk\\zoo.cfg"] {
            let text = rewrite("a=1", path, false).expect("no escapes in it");
            assert_eq!(pointer(&text), Ok(Some(path.to_owned())));
            assert_eq!(super::text(&bytes(&text)), text);
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["a=\\u12", "a=1\nb=\\uzzzz\n"] {
            assert!(rewrite(text, "/x", false).is_err(), "{text:?}");
            assert!(pointer(text).is_err(), "{text:?}");
        }
    }
}
