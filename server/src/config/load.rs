//! From files and arguments to a [`Config`].

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use jute::properties;

use super::ensemble::{ClientAddress, standalone_member};
use super::error::ConfigError;
use super::named;
use super::properties::{MAX_FILE_BYTES, Properties, latin1};
use super::settings::Config;
use super::source::Source;
use super::sysprops::{Env, SystemProperties};

/// The tick of a server that was started without any file, that of Apache's sample file.
const SAMPLE_TICK_TIME_MS: i32 = 2000;

/// More arguments than this fit no form.
const MAX_ARGUMENTS: usize = 4;

impl Config {
    /// Reads a `zoo.cfg`.
    ///
    /// # Errors
    /// What [`ConfigError`] lists; nothing is created or changed on disk.
    pub fn load(path: &Path, env: &Env) -> Result<Self, ConfigError> {
        let bytes = read_bounded(path)?;
        let file = Properties::parse(&file_name(path), &bytes)?;
        let dynamic = match file.get("dynamicConfigFile") {
            None => None,
            Some(entry) => Some(load_dynamic(Path::new(&entry.value))?),
        };
        let mut config = Self::from_properties(&file, dynamic.as_ref(), env)?;
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

    /// A configuration from text alone; `dynamicConfigFile` is not followed.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_text(origin: &str, text: &str, env: &Env) -> Result<Self, ConfigError> {
        let file = Properties::parse(origin, text.as_bytes())?;
        Self::from_properties(&file, None, env)
    }

    fn from_properties(
        file: &Properties,
        dynamic: Option<&Properties>,
        env: &Env,
    ) -> Result<Self, ConfigError> {
        let mut source = Source::new(file, SystemProperties::from_env(env));
        if file.get("dynamicConfigFile").is_some() {
            for (key, _) in file.iter() {
                let member = key.starts_with("server.") && key != "server.realm";
                if member || key.starts_with("group") || key.starts_with("weight") {
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
        let standalone_enabled = source.bool("standaloneEnabled", true)?;
        let member = standalone_member(&mut source, dynamic.unwrap_or(file), standalone_enabled)?;
        if let Some(address) = member {
            adopt(&mut config, &source, address)?;
        }
        config.warnings = source.warnings;
        Ok(config)
    }
}

/// The client address of the only `server.N` line is used where the static keys name none; where both
/// do they must agree.
fn adopt(
    config: &mut Config,
    source: &Source<'_>,
    address: ClientAddress,
) -> Result<(), ConfigError> {
    let Some(port) = config.client_port else {
        config.client_port = Some(address.port);
        config.client_port_address = address.host;
        return Ok(());
    };
    let wildcard = config
        .client_port_address
        .as_deref()
        .is_none_or(|h| matches!(h, "0.0.0.0" | "::"));
    if port != address.port || !(wildcard || config.client_port_address == address.host) {
        let stated = address.host.as_deref().unwrap_or("0.0.0.0");
        return Err(source.invalid(
            "clientPort",
            format!(
                "server line names another client address, {stated}:{}",
                address.port
            ),
            "the same address in both places, or in one",
        ));
    }
    config.client_port_address = address.host;
    Ok(())
}

fn load_dynamic(path: &Path) -> Result<Properties, ConfigError> {
    let members = Properties::parse(&file_name(path), &read_bounded(path)?)?;
    for (key, entry) in members.iter() {
        let reason = if key == "version" {
            "dynamic file shouldn't have version inside".to_owned()
        } else if ["server.", "group", "weight"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
        {
            continue;
        } else {
            format!("Unrecognised parameter: {key}")
        };
        return Err(ConfigError::Invalid {
            origin: format!("{}:{}", members.origin, entry.line),
            key: key.to_owned(),
            value: entry.value.clone(),
            reason,
            allowed: "server.N, group.N and weight.N".to_owned(),
        });
    }
    Ok(members)
}

/// Reads no more than a configuration may have, whatever the path leads to.
fn read_bounded(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: path.into() },
        _ => ConfigError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        },
    };
    let mut bytes = Vec::new();
    // One byte more than allowed shows the parser that the file is too long.
    let limit = MAX_FILE_BYTES as u64 + 1;
    File::open(path)
        .map_err(failed)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn file_name(path: &Path) -> String {
    path.display().to_string()
}
