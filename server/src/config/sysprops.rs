//! Java system properties: where they come from and how Java reads them.

use std::collections::BTreeMap;

/// What surrounds the process, handed in so that tests can choose it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    /// `SERVER_JVMFLAGS`; of its words only `-Dname=value` matter.
    pub server_jvmflags: String,
    /// `JVMFLAGS`. The start scripts put it after `SERVER_JVMFLAGS`, so it wins.
    pub jvmflags: String,
    /// `ZOO_DATADIR_AUTOCREATE_DISABLE`: any text that is not empty switches it off.
    pub datadir_autocreate_disable: String,
    /// Properties of our own command line; they win over the variables.
    pub command_line: Vec<(String, String)>,
}

impl Env {
    /// Reads the variables of this process.
    #[must_use]
    pub fn from_process() -> Self {
        let read = |name| {
            std::env::var_os(name).map_or_else(String::new, |v| v.to_string_lossy().into_owned())
        };
        Self {
            server_jvmflags: read("SERVER_JVMFLAGS"),
            jvmflags: read("JVMFLAGS"),
            datadir_autocreate_disable: read("ZOO_DATADIR_AUTOCREATE_DISABLE"),
            command_line: Vec::new(),
        }
    }
}

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Property {
    value: String,
    origin: String,
}

/// The properties of the would-be JVM. Later settings replace earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemProperties {
    values: BTreeMap<String, Property>,
}

impl SystemProperties {
    /// The properties that Apache's start scripts would have passed on.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        let mut properties = Self::default();
        if !env.datadir_autocreate_disable.is_empty() {
            let origin = "ZOO_DATADIR_AUTOCREATE_DISABLE";
            properties.set("zookeeper.datadir.autocreate", "false", origin);
        }
        // The scripts expand the variables without quotes and without eval: words end at blanks,
        // and quotes are ordinary characters.
        for (origin, flags) in [
            ("SERVER_JVMFLAGS", &env.server_jvmflags),
            ("JVMFLAGS", &env.jvmflags),
        ] {
            for word in flags.split_ascii_whitespace() {
                if let Some(definition) = word.strip_prefix("-D") {
                    let (name, value) = definition.split_once('=').unwrap_or((definition, ""));
                    properties.set(name, value, &format!("-D in {origin}"));
                }
            }
        }
        for (name, value) in &env.command_line {
            properties.set(name, value, "command line");
        }
        properties
    }

    /// Sets a property; `origin` is for messages.
    pub fn set(&mut self, name: &str, value: &str, origin: &str) {
        let property = Property {
            value: value.to_owned(),
            origin: origin.to_owned(),
        };
        self.values.insert(name.to_owned(), property);
    }

    /// The text of a property.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(|property| property.value.as_str())
    }

    /// Where a property was set, for messages.
    #[must_use]
    pub fn origin(&self, name: &str) -> &str {
        self.values
            .get(name)
            .map_or("default", |property| property.origin.as_str())
    }

    /// Names, values and origins, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.values
            .iter()
            .map(|(name, p)| (name.as_str(), p.value.as_str(), p.origin.as_str()))
    }
}

/// `Long.decode`: a sign, then `0x`, `0X` or `#` for hex, a leading `0` for octal, else decimal.
/// No blanks. `None` is Java's NumberFormatException.
#[must_use]
pub fn decode_i64(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let hex = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix));
    let (radix, digits) = match (hex, digits.strip_prefix('0')) {
        (Some(rest), _) => (16, rest),
        (None, Some(rest)) if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None; // a second sign, or nothing
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `Integer.decode`, see [`decode_i64`].
#[must_use]
pub fn decode_i32(text: &str) -> Option<i32> {
    i32::try_from(decode_i64(text)?).ok()
}

/// `Integer.parseInt`: decimal digits with an optional sign, nothing else.
#[must_use]
pub fn parse_i32(text: &str) -> Option<i32> {
    text.parse().ok()
}

/// `Boolean.parseBoolean`: true in any case is true, everything else is false.
#[must_use]
pub fn parse_bool(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_java_decodes_them() {
        for (text, expected) in [
            ("7", Some(7)),
            ("+7", Some(7)),
            ("-7", Some(-7)),
            ("0", Some(0)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0X1f", Some(31)),
            ("#1f", Some(31)),
            ("-0x10", Some(-16)),
            ("2147483647", Some(i32::MAX)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483648", None),
            ("", None),
            ("-", None),
            ("0x", None),
            ("08", None),
            ("--7", None),
            ("0x-1", None),
            (" 7", None),
            ("7k", None),
            ("é", None),
        ] {
            assert_eq!(decode_i32(text), expected, "{text:?}");
        }
        assert_eq!(decode_i64("9223372036854775807"), Some(i64::MAX));
        assert_eq!(decode_i64("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(decode_i64("9223372036854775808"), None);
    }

    #[test]
    fn plain_integers_and_booleans() {
        for (text, expected) in [
            ("5", Some(5)),
            ("+5", Some(5)),
            ("-5", Some(-5)),
            ("010", Some(10)),
            ("0x5", None),
            ("", None),
        ] {
            assert_eq!(parse_i32(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("true", true),
            ("TrUe", true),
            ("yes", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(parse_bool(text), expected, "{text:?}");
        }
    }

    #[test]
    fn later_words_win_as_in_the_start_scripts() {
        let env = Env {
            server_jvmflags: "-Xmx1g -Dzookeeper.snapCount=1 -Da=s -Dempty -D=".to_owned(),
            jvmflags: "-Da=j -Dquoted=\"x y\" Dnot=1".to_owned(),
            datadir_autocreate_disable: "1".to_owned(),
            command_line: vec![("b".to_owned(), "c".to_owned())],
        };
        let properties = SystemProperties::from_env(&env);
        for (name, value) in [
            ("zookeeper.snapCount", Some("1")),
            ("a", Some("j")),
            ("b", Some("c")),
            ("empty", Some("")),
            ("quoted", Some("\"x")),
            ("not", None),
            ("zookeeper.datadir.autocreate", Some("false")),
        ] {
            assert_eq!(properties.get(name), value, "{name}");
        }
        assert_eq!(properties.origin("a"), "-D in JVMFLAGS");
    }
}
