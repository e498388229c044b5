use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

/// A host and a port of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// A name, or an address as Java writes it; without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is not an [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointFault {
    /// It does not have the form `host:port`.
    #[error("badly formed address")]
    Form,
    /// The port is no number from 0 to 65535.
    #[error("bad port number")]
    Port,
}

impl Endpoint {
    /// Parses `host:port`; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Result<Self, EndpointFault> {
        match split_host(text) {
            Some((host, rest)) => match *rest.as_slice() {
                [port] if is_host(host) => Ok(Self {
                    host: java_host(host),
                    port: parse_port(port)?,
                }),
                _ => Err(EndpointFault::Form),
            },
            None => Err(EndpointFault::Form),
        }
    }

    /// Is it every address of the machine, of which a peer learns nothing?
    pub fn is_wildcard(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.is_ok_and(|address| address.is_unspecified())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

/// A host as it stands before a colon.
pub(super) struct Bracketed<'a>(pub(super) &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// The host, which may stand in brackets, and what colons separate behind it. As Java splits,
/// empty parts at the end do not count.
pub(super) fn split_host(text: &str) -> Option<(&str, Vec<&str>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    let rest = rest.trim_end_matches(':');
    let parts = if rest.is_empty() {
        Vec::new()
    } else {
        rest.split(':').collect()
    };
    Some((host, parts))
}

pub(super) fn parse_port(text: &str) -> Result<u16, EndpointFault> {
    text.parse().map_err(|_| EndpointFault::Port)
}

/// Could it be a name or an address? What would not come through a line of text unchanged is
/// neither.
pub(super) fn is_host(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "[]|;\\".contains(c);
    !text.is_empty() && !text.contains(odd)
}

/// The host as Java remembers it: an IPv6 address in eight groups without leading zeros, a
/// name or an IPv4 address as it is.
pub(super) fn java_host(host: &str) -> String {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    let Ok(address) = address.parse::<Ipv6Addr>() else {
        return host.to_owned();
    };
    if let Some(v4) = address.to_ipv4_mapped() {
        return v4.to_string();
    }
    let groups = address.segments().map(|group| format!("{group:x}"));
    let text = groups.join(":");
    match zone {
        Some(zone) => format!("{text}%{zone}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, host, printed) in [
            ("h:1", "h", "h:1"),
            ("10.0.0.1:1", "10.0.0.1", "10.0.0.1:1"),
            ("[::1]:1", "0:0:0:0:0:0:0:1", "[0:0:0:0:0:0:0:1]:1"),
            (
                "[2001:DB8::0a]:1",
                "2001:db8:0:0:0:0:0:a",
                "[2001:db8:0:0:0:0:0:a]:1",
            ),
            ("[::ffff:1.2.3.4]:1", "1.2.3.4", "1.2.3.4:1"),
            (
                "[fe80::1%eth0]:1",
                "fe80:0:0:0:0:0:0:1%eth0",
                "[fe80:0:0:0:0:0:0:1%eth0]:1",
            ),
            ("[h]:1", "h", "h:1"),
            ("h:1:", "h", "h:1"),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.host, host, "{text}");
            assert_eq!(endpoint.to_string(), printed, "{text}");
            assert_eq!(Endpoint::parse(printed), Ok(endpoint), "{text}");
        }
        for (text, fault) in [
            ("", EndpointFault::Form),
            ("h", EndpointFault::Form),
            ("h:", EndpointFault::Form),
            (":1", EndpointFault::Form),
            ("h:1:2", EndpointFault::Form),
            ("::1:1", EndpointFault::Form),
            ("[::1:1", EndpointFault::Form),
            ("[::1]1", EndpointFault::Form),
            ("[::1]:", EndpointFault::Form),
            ("[]:1", EndpointFault::Form),
            ("a b:1", EndpointFault::Form),
            ("a\\b:1", EndpointFault::Form),
            ("h:x", EndpointFault::Port),
            ("h:65536", EndpointFault::Port),
            ("h:-1", EndpointFault::Port),
        ] {
            assert_eq!(Endpoint::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn wildcards() {
        for (text, expected) in [
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("[0:0:0:0:0:0:0:0]:1", true),
            ("127.0.0.1:1", false),
            ("h:1", false),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.is_wildcard(), expected, "{text}");
        }
    }
}
