//! What Apache's client takes from system properties and its own file, as far as it is known
//! here. What is known and cannot be done is refused: a connection that somebody wants encrypted
//! is never opened in plain text.

use jute::properties;

use super::failure::Failure;

/// Settings of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// Longest packet taken from a server, bytes (`jute.maxbuffer`).
    pub(crate) max_frame: Option<usize>,
}

/// Where start scripts put system properties, the later ones over the earlier.
const VARIABLES: [&str; 2] = ["CLIENT_JVMFLAGS", "JVMFLAGS"];

/// A shell's file that cannot be read ends it with this code, as Apache's.
const EXIT_CONFIGURATION: u8 = 2;

impl Configuration {
    /// From the environment and, over it, a file.
    ///
    /// # Errors
    /// When the file cannot be read, or something is asked for that this client cannot do.
    pub(crate) fn read(file: Option<&str>) -> Result<Self, Failure> {
        let mut configuration = Self::default();
        for variable in VARIABLES {
            let flags = std::env::var(variable).unwrap_or_default();
            for (key, value) in system_properties(&flags) {
                configuration.set(key, value)?;
            }
        }
        if let Some(file) = file {
            let wrong = || Failure {
                exit_code: EXIT_CONFIGURATION,
                ..Failure::new(format!("Error while processing {file}"))
            };
            let text = std::fs::read_to_string(file).map_err(|_| wrong())?;
            for property in properties::parse(&text).map_err(|_| wrong())? {
                configuration.set(property.key.trim(), property.value.trim())?;
            }
        }
        Ok(configuration)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        match key {
            "jute.maxbuffer" => {
                let bytes = value.parse();
                let bytes = bytes.map_err(|_| Failure::new(format!("{key}={value} is no size")));
                self.max_frame = Some(bytes?);
                Ok(())
            }
            "zookeeper.client.secure" if value.eq_ignore_ascii_case("true") => {
                Err(Failure::new(format!("{key}: TLS is not in this release")))
            }
            "java.security.auth.login.config" => {
                Err(Failure::new(format!("{key}: SASL is not in this release")))
            }
            _ => Ok(()),
        }
    }
}

/// The `-Dkey=value` among a JVM's flags.
fn system_properties(flags: &str) -> impl Iterator<Item = (&str, &str)> {
    let properties = flags.split_whitespace();
    let properties = properties.filter_map(|flag| flag.strip_prefix("-D"));
    properties.map(|property| property.split_once('=').unwrap_or((property, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found_among_flags() {
        let found: Vec<_> = system_properties("-Xmx64m -Da=b=c  -Dd").collect();
        assert_eq!(found, [("a", "b=c"), ("d", "")]);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let mut configuration = Configuration::default();
        for (key, value, is_taken) in [
            ("jute.maxbuffer", "4194304", true),
            ("jute.maxbuffer", "x", false),
            ("zookeeper.client.secure", "false", true),
            ("zookeeper.client.secure", "TRUE", false),
            ("java.security.auth.login.config", "jaas.conf", false),
            ("zookeeper.clientCnxnSocket", "x", true),
        ] {
            assert_eq!(
                configuration.set(key, value).is_ok(),
                is_taken,
                "{key}={value}"
            );
        }
        assert_eq!(configuration.max_frame, Some(4_194_304));
    }

    #[test]
    fn a_file_that_cannot_be_read_has_its_exit_code() {
        let failure = Configuration::read(Some("/nonexist")).expect_err("no file");
        assert_eq!(failure.message, "Error while processing /nonexist");
        assert_eq!(failure.exit_code, 2);
    }
}
