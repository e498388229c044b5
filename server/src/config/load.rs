//! From files and arguments to a [`Config`].

use std::path::Path;

use jute::properties;

use super::beside;
use super::ensemble;
use super::error::ConfigError;
use super::named;
use super::properties::{Properties, latin1};
use super::settings::Config;
use super::source::Source;
use super::sysprops::{Env, SystemProperties};

/// The tick of a server that was started without any file, that of Apache's sample file.
const SAMPLE_TICK_TIME_MS: i32 = 2000;

/// More arguments than this fit no form.
const MAX_ARGUMENTS: usize = 4;

impl Config {
    /// Reads a `zoo.cfg` and what belongs to it: the dynamic configuration files and `myid`.
    ///
    /// # Errors
    /// What [`ConfigError`] lists; nothing is created or changed on disk.
    pub fn load(path: &Path, env: &Env) -> Result<Self, ConfigError> {
        let bytes = beside::read_bounded(path)?;
        let file = Properties::parse(&path.display().to_string(), &bytes)?;
        let mut config = Self::from_properties(&file, Some(path), env)?;
        config.raw_text = latin1(&bytes);
        Ok(config)
    }

    /// The server that starts without a file: 127.0.0.1:2181, `./data`, and the tick of Apache's
    /// sample file; Java's defaults elsewhere.
    ///
    /// # Errors
    /// System properties in `env` that no server starts with.
    pub fn default_standalone(env: &Env) -> Result<Self, ConfigError> {
        let text = format!(
            "dataDir=./data\nclientPort=2181\nclientPortAddress=127.0.0.1\ntickTime={SAMPLE_TICK_TIME_MS}\n"
        );
        Self::from_text("built-in defaults", &text, env)
    }

    /// The forms of Apache's main class: nothing, `<zoo.cfg>`, or
    /// `<port> <datadir> [ticktime] [maxcnxns]`.
    ///
    /// # Errors
    /// [`ConfigError::Arguments`] for any other form, otherwise as [`Self::load`].
    pub fn from_arguments(arguments: &[String], env: &Env) -> Result<Self, ConfigError> {
        match arguments {
            [] => Self::default_standalone(env),
            [path] => Self::load(Path::new(path), env),
            [port, data_dir, rest @ ..] if arguments.len() <= MAX_ARGUMENTS => {
                let mut text = format!(
                    "clientPort={port}\ndataDir={}\n",
                    properties::escaped(data_dir)
                );
                for (key, value) in ["tickTime", "maxClientCnxns"].iter().zip(rest) {
                    text.push_str(&format!("{key}={}\n", properties::escaped(value)));
                }
                let numbers = std::iter::once(port).chain(rest);
                for number in numbers {
                    if number.parse::<i32>().is_err() {
                        let reason = format!("For input string: \"{number}\"");
                        return Err(ConfigError::Arguments { reason });
                    }
                }
                Self::from_text("arguments", &text, env)
            }
            _ => Err(ConfigError::Arguments {
                reason: format!("Invalid number of arguments: {}", arguments.len()),
            }),
        }
    }

    /// A configuration from text alone; no other file is looked at, so there is no `myid`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_text(origin: &str, text: &str, env: &Env) -> Result<Self, ConfigError> {
        let file = Properties::parse(origin, text.as_bytes())?;
        Self::from_properties(&file, None, env)
    }

    /// `path`: where the properties were, if in a file, and so where others are that belong to it.
    fn from_properties(
        file: &Properties,
        path: Option<&Path>,
        env: &Env,
    ) -> Result<Self, ConfigError> {
        let mut source = Source::new(file, SystemProperties::from_env(env));
        if file.get("dynamicConfigFile").is_some() {
            for (key, _) in file.iter() {
                if ensemble::is_member_key(key) {
                    let reason =
                        format!("parameter: {key} must be in a separate dynamic config file");
                    return Err(source.invalid(
                        key,
                        reason,
                        "no dynamicConfigFile, or no such line",
                    ));
                }
            }
        }
        let mut config = named::build(&mut source)?;
        let beside = path.map(|path| beside::read(path, file)).transpose()?;
        ensemble::complete(&mut config, &mut source, beside.as_ref())?;
        config.warnings = source.warnings;
        Ok(config)
    }
}
