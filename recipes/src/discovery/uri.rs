//! How to reach an instance, with places for what differs between instances.

use thiserror::Error as ThisError;

use super::ServiceInstance;

/// A URI with variables in braces: `{scheme}://{address}:{port}`.
///
/// Known variables are those of Curator: `scheme` (`https` if there is a port for TLS, else
/// `http`), `name`, `id`, `address`, `port`, `ssl-port`, `registration-time-utc`, `service-type`,
/// and `[` and `]` for braces.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UriSpec {
    parts: Vec<Part>,
}

/// A piece of text, or the name of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) value: String,
    pub(super) is_variable: bool,
}

/// The braces of a [`UriSpec`] are not in pairs, or one pair is inside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("the braces are not in pairs, at byte {at}")]
pub struct UriSpecError {
    /// The byte of the text at which that shows.
    pub at: usize,
}

impl UriSpec {
    /// Reads the text with its braces.
    ///
    /// # Errors
    /// When the braces are not in pairs.
    pub fn parse(text: &str) -> Result<Self, UriSpecError> {
        let mut parts = Vec::new();
        let (mut is_variable, mut from) = (false, 0);
        for (at, brace) in text.match_indices(['{', '}']) {
            if is_variable == (brace == "{") {
                return Err(UriSpecError { at });
            }
            parts.extend(Part::new(&text[from..at], is_variable));
            is_variable = !is_variable;
            from = at + 1;
        }
        if is_variable {
            return Err(UriSpecError { at: text.len() });
        }
        parts.extend(Part::new(&text[from..], false));
        Ok(Self { parts })
    }

    /// The URI of an instance. `variables` come before those that are known; what neither has
    /// becomes nothing, as in Curator.
    #[must_use]
    pub fn build<P>(&self, instance: &ServiceInstance<P>, variables: &[(&str, &str)]) -> String {
        let mut uri = String::new();
        for part in &self.parts {
            let given = variables.iter().find(|(name, _)| *name == part.value);
            match given {
                _ if !part.is_variable => uri.push_str(&part.value),
                Some((_, value)) => uri.push_str(value),
                None => uri.push_str(&known(&part.value, instance)),
            }
        }
        uri
    }

    pub(super) fn from_parts(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Part {
    /// `None` if there is nothing.
    fn new(text: &str, is_variable: bool) -> Option<Self> {
        let value = if is_variable { text.trim() } else { text };
        let value = value.to_owned();
        (!text.is_empty()).then_some(Self { value, is_variable })
    }
}

fn known<P>(name: &str, instance: &ServiceInstance<P>) -> String {
    let number = |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
    match name {
        "[" => "{".to_owned(),
        "]" => "}".to_owned(),
        "scheme" if instance.ssl_port.is_some() => "https".to_owned(),
        "scheme" => "http".to_owned(),
        "name" => instance.name.clone(),
        "id" => instance.id.clone(),
        "address" => instance.address.clone().unwrap_or_default(),
        "port" => number(instance.port),
        "ssl-port" => number(instance.ssl_port),
        "registration-time-utc" => instance.registered_ms.to_string(),
        "service-type" => instance.service_type.name().to_lowercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn variables_are_filled_in() {
        let mut instance = ServiceInstance::<()>::new("web", "id-1", SystemTime::UNIX_EPOCH);
        instance.address = Some("10.0.0.1".to_owned());
        instance.port = Some(80);
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{scheme}://{address}:{ port }/x", "http://10.0.0.1:80/x"),
            ("{name}/{id}/{service-type}", "web/id-1/dynamic"),
            (
                "{ssl-port}|{registration-time-utc}|{nothing}|{given}",
                "|0||yes",
            ),
            ("{[}{]}", "{}"),
            ("{}", ""),
        ] {
            let spec = UriSpec::parse(text).expect(text);
            assert_eq!(spec.build(&instance, &[("given", "yes")]), expected);
        }
        instance.ssl_port = Some(443);
        let spec = UriSpec::parse("{scheme}:{ssl-port}").expect("pairs");
        assert_eq!(spec.build(&instance, &[]), "https:443");
        assert_eq!(spec.build(&instance, &[("scheme", "ftp")]), "ftp:443");
    }

    #[test]
    fn braces_come_in_pairs() {
        for (text, at) in [("{", 1), ("}", 0), ("a{b{c}}", 3), ("{a}}", 3), ("{a", 2)] {
            assert_eq!(UriSpec::parse(text), Err(UriSpecError { at }), "{text}");
        }
    }
}
