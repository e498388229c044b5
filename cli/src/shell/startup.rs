//! The shell's own arguments, as Apache's `zkCli.sh` takes them.

use super::output::Format;

const DEFAULT_SERVER: &str = "localhost:2181";
const DEFAULT_TIMEOUT: &str = "30000";

/// What the shell was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Startup {
    /// The connect string.
    pub(crate) server: String,
    /// The session's timeout, milliseconds, as it was typed.
    pub(crate) timeout: String,
    /// May the server be one without a quorum?
    pub(crate) is_read_only: bool,
    /// Wait for the connection before anything is read or run.
    pub(crate) waits_for_connection: bool,
    /// A properties file for the client.
    pub(crate) client_configuration: Option<String>,
    /// How answers are written.
    pub(crate) format: Format,
    /// The one command to run, with its arguments; none for a session.
    pub(crate) command: Option<Vec<String>>,
    /// The option at the end that has no value. What stands before it counts.
    pub(crate) without_value: Option<String>,
}

impl Startup {
    /// Reads the arguments. The first that does not begin with a dash is the command; options
    /// that are not known are passed over, as Apache's shell does.
    pub(crate) fn parse(arguments: &[String]) -> Self {
        let mut startup = Self {
            server: DEFAULT_SERVER.to_owned(),
            timeout: DEFAULT_TIMEOUT.to_owned(),
            is_read_only: false,
            waits_for_connection: false,
            client_configuration: None,
            format: Format::Text,
            command: None,
            without_value: None,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let slot = match argument.as_str() {
                "-server" => &mut startup.server,
                "-timeout" => &mut startup.timeout,
                "-client-configuration" => {
                    startup.client_configuration.get_or_insert_with(String::new)
                }
                other => {
                    if !other.starts_with('-') {
                        let words = std::iter::once(argument).chain(rest).cloned();
                        startup.command = Some(words.collect());
                        return startup;
                    }
                    startup.switch(other);
                    continue;
                }
            };
            match rest.next() {
                Some(value) => value.clone_into(slot),
                None => {
                    startup.client_configuration.take_if(|file| file.is_empty());
                    startup.without_value = Some(argument.clone());
                }
            }
        }
        startup
    }

    fn switch(&mut self, option: &str) {
        match option {
            "-r" => self.is_read_only = true,
            "-waitforconnection" => self.waits_for_connection = true,
            "-json" => self.format = Format::Json,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Startup {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Startup::parse(&arguments)
    }

    #[test]
    fn arguments_are_read_as_apache_reads_them() {
        let usual = parse("");
        assert_eq!(usual.server, "localhost:2181");
        assert_eq!(usual.timeout, "30000");
        assert_eq!(usual.command, None);

        let all = parse(
            "-server h:1,i/c -timeout 500 -r -waitforconnection -unknown -json \
             -client-configuration f get -s /a -r",
        );
        assert_eq!(all.server, "h:1,i/c");
        assert_eq!(all.timeout, "500");
        assert!(all.is_read_only && all.waits_for_connection);
        assert_eq!(all.client_configuration.as_deref(), Some("f"));
        assert_eq!(all.format, Format::Json);
        assert_eq!(
            all.command,
            Some(["get", "-s", "/a", "-r"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn an_option_without_its_value_is_told_and_the_rest_counts() {
        for option in ["-server", "-timeout", "-client-configuration"] {
            let startup = parse(&format!("-r {option}"));
            assert_eq!(startup.without_value.as_deref(), Some(option));
            assert!(startup.is_read_only);
            assert_eq!(startup.server, "localhost:2181");
            assert_eq!(startup.client_configuration, None);
        }
    }
}
