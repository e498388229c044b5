//! Typed access to the file and the system properties, with errors that name the place.

use std::time::Duration;

use super::error::{ConfigError, one_line};
use super::keys::{self, Handling, InEnsemble, Scope};
use super::properties::Properties;
use super::sysprops::{SystemProperties, decode_i64, parse_bool, parse_i32};

/// What a configuration is built from, and the warnings that building it left.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Properties,
    pub(super) system: SystemProperties,
    pub(super) warnings: Vec<String>,
}

impl<'a> Source<'a> {
    /// Passes the keys that the parser does not read on to the system properties, as Apache does,
    /// and warns about those that will have no effect.
    pub(super) fn new(file: &'a Properties, mut system: SystemProperties) -> Self {
        let mut warnings = Vec::new();
        for (name, value, origin) in system.iter() {
            // Other properties belong to the JVM or its libraries.
            if name.starts_with("zookeeper.") || keys::find_property(name).is_some() {
                let at = format!("{origin}: {name}");
                warn_about(&mut warnings, &at, name, value, keys::find_property(name));
            }
        }
        for (key, entry) in file.iter() {
            let at = format!("{}:{}: {key}", file.origin, entry.line);
            let found = keys::find(key);
            match found {
                Some((Scope::File, handling)) => {
                    warn_about(&mut warnings, &at, key, &entry.value, Some(handling));
                    continue;
                }
                Some((Scope::Bare, _)) if key == "readonlymode.enabled" => {
                    // Apache cannot be told this way; that nobody could mean anything else by the
                    // line is why it is honoured here.
                    system.set(
                        key,
                        &entry.value,
                        &format!("{}:{}", file.origin, entry.line),
                    );
                }
                Some((Scope::Bare, _)) => warnings.push(format!(
                    "{at} has no effect in a file; set -D{key}={} in SERVER_JVMFLAGS",
                    entry.value
                )),
                Some((Scope::Property, handling)) => {
                    warn_about(&mut warnings, &at, key, &entry.value, Some(handling));
                }
                None => warn_about(&mut warnings, &at, key, &entry.value, None),
            }
            let origin = format!("{}:{}", file.origin, entry.line);
            system.set(&format!("zookeeper.{key}"), &entry.value, &origin);
        }
        let warnings = warnings.iter().map(|warning| one_line(warning)).collect();
        Self {
            file,
            system,
            warnings,
        }
    }

    /// Warns about what a member of an ensemble, unlike a standalone server, might be expected to
    /// heed.
    pub(super) fn warn_of_ensemble_keys(&mut self) {
        let mut warnings = Vec::new();
        let mut look = |at: &str, key: &str, value: &str, found: Option<Handling>| {
            let handling = match found {
                Some(Handling::Ensemble(InEnsemble::Ignored)) => Handling::Ignored,
                Some(Handling::Ensemble(InEnsemble::NotYet)) => Handling::NotYet,
                _ => return,
            };
            warn_about(&mut warnings, at, key, value, Some(handling));
        };
        for (name, value, origin) in self.system.iter() {
            // What the file set is looked at under its own name.
            let of_file = name
                .strip_prefix("zookeeper.")
                .is_some_and(|key| self.file.get(key).is_some());
            if !of_file {
                let at = format!("{origin}: {name}");
                look(&at, name, value, keys::find_property(name));
            }
        }
        for (key, entry) in self.file.iter() {
            // Of those that a file cannot set it was said already.
            if let Some((Scope::File | Scope::Property, handling)) = keys::find(key) {
                let at = format!("{}:{}: {key}", self.file.origin, entry.line);
                look(&at, key, &entry.value, Some(handling));
            }
        }
        for warning in warnings {
            self.warn(warning);
        }
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(one_line(&text.into()));
    }

    /// An error about a key of the file.
    pub(super) fn invalid(
        &self,
        key: &str,
        reason: impl Into<String>,
        allowed: impl Into<String>,
    ) -> ConfigError {
        let entry = self.file.get(key);
        let origin = &self.file.origin;
        ConfigError::Invalid {
            origin: entry.map_or_else(|| origin.clone(), |e| format!("{origin}:{}", e.line)),
            key: key.to_owned(),
            value: entry.map_or_else(String::new, |e| e.value.clone()),
            reason: reason.into(),
            allowed: allowed.into(),
        }
    }

    /// An error about a system property.
    pub(super) fn invalid_property(
        &self,
        name: &str,
        reason: impl Into<String>,
        allowed: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Invalid {
            origin: self.system.origin(name).to_owned(),
            key: name.to_owned(),
            value: self.system.get(name).unwrap_or_default().to_owned(),
            reason: reason.into(),
            allowed: allowed.into(),
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.file.get(key).map(|entry| entry.value.as_str())
    }

    /// `Integer.parseInt` of a key of the file.
    pub(super) fn int(&self, key: &str, default: i32, allowed: &str) -> Result<i32, ConfigError> {
        self.text(key).map_or(Ok(default), |text| {
            parse_i32(text)
                .ok_or_else(|| self.invalid(key, format!("For input string: \"{text}\""), allowed))
        })
    }

    /// A TCP port of the file; 0 and absence are `None`.
    pub(super) fn port(&self, key: &str) -> Result<Option<u16>, ConfigError> {
        const ALLOWED: &str = "a port from 1 to 65535, or 0 for none";
        let number = self.int(key, 0, ALLOWED)?;
        match u16::try_from(number) {
            Ok(0) => Ok(None),
            Ok(port) => Ok(Some(port)),
            Err(_) => Err(self.invalid(key, format!("port out of range:{number}"), ALLOWED)),
        }
    }

    /// A boolean of the file: here Java is strict.
    pub(super) fn bool(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        match self.text(key) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(self.invalid(
                key,
                format!("Invalid option {text} for {key}. Choose 'true' or 'false.'"),
                "true or false",
            )),
        }
    }

    /// `Long.getLong`: what is not a number is the default. Java does not say so; we warn.
    pub(super) fn property_i64(&mut self, name: &str, default: i64) -> i64 {
        let Some(text) = self.system.get(name) else {
            return default;
        };
        if let Some(number) = decode_i64(text) {
            return number;
        }
        let text = format!(
            "{}: {name}={text} is not a number; the default {default} is used",
            self.system.origin(name)
        );
        self.warn(text);
        default
    }

    /// `Integer.getInteger`, see [`Self::property_i64`].
    pub(super) fn property_i32(&mut self, name: &str, default: i32) -> i32 {
        let number = self.property_i64(name, i64::from(default));
        i32::try_from(number).unwrap_or_else(|_| {
            self.warn(format!(
                "{name}={number} is out of range; the default {default} is used"
            ));
            default
        })
    }

    /// A count for which everything below `least` means the same as `least`.
    pub(super) fn property_count(&mut self, name: &str, default: i32, least: u32) -> u32 {
        u32::try_from(self.property_i32(name, default))
            .unwrap_or(0)
            .max(least)
    }

    /// A count for which 0 and less is "off".
    pub(super) fn property_limit(&mut self, name: &str, default: i32) -> Option<u32> {
        u32::try_from(self.property_i32(name, default))
            .ok()
            .filter(|limit| *limit > 0)
    }

    /// Milliseconds; less than 0 is 0.
    pub(super) fn property_millis(&mut self, name: &str, default: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.property_i64(name, default)).unwrap_or(0))
    }

    /// A share from 0 to 1; anything else is the default, with a warning.
    pub(super) fn property_share(&mut self, name: &str, default: f64) -> f64 {
        let Some(text) = self.system.get(name) else {
            return default;
        };
        match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => share,
            _ => {
                let text = format!(
                    "{name}={text} is not a number from 0 to 1; the default {default} is used"
                );
                self.warn(text);
                default
            }
        }
    }

    /// Booleans among the properties: anything but true is false, never an error.
    pub(super) fn property_bool(&self, name: &str, default: bool) -> bool {
        self.system.get(name).map_or(default, parse_bool)
    }
}

fn warn_about(
    warnings: &mut Vec<String>,
    at: &str,
    key: &str,
    value: &str,
    handling: Option<Handling>,
) {
    // That the admin server is off is what such a line asks for.
    if key.ends_with("admin.enableServer") && value.eq_ignore_ascii_case("false") {
        return;
    }
    match handling {
        Some(Handling::Used | Handling::Ensemble(_)) => {}
        Some(Handling::Ignored) => {
            warnings.push(format!("{at} is accepted and has no effect here"))
        }
        Some(Handling::NotYet) => {
            warnings.push(format!("{at} is not supported yet and has no effect"))
        }
        Some(Handling::NeverRead(instead)) => warnings.push(format!(
            "{at} is documented, but ZooKeeper ignores it; did you mean {instead}?"
        )),
        None => {
            let property = key.strip_prefix("zookeeper.").map_or_else(
                || format!("is taken as the system property zookeeper.{key}, which"),
                |_| "is a system property that".to_owned(),
            );
            let hint =
                keys::suggest(key).map_or_else(String::new, |k| format!("; did you mean {k}?"));
            warnings.push(format!("{at} {property} is not known{hint}"));
        }
    }
}
