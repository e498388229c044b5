use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jute::properties;

use crate::config::{Config, Env};

/// So many ticks of an ensemble that is slow for want of processors must not look like a fault.
const PATIENT_TICKS: u32 = 50;

/// What embedded servers are told.
#[derive(Clone, Debug)]
pub struct Settings {
    data_dir: Option<PathBuf>,
    tick_time: Duration,
    lines: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: None,
            tick_time: Duration::from_millis(200),
            lines: Vec::new(),
        }
    }
}

impl Settings {
    /// A directory for the data, which is made if it is missing, and stays. Writes are synced.
    /// Those of an ensemble have one directory each in it.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// `tickTime`: sessions expire at whole ticks, and last two of them at least.
    #[must_use]
    pub fn tick_time(mut self, tick: Duration) -> Self {
        self.tick_time = tick;
        self
    }

    /// One more line of `zoo.cfg`. The last line of a key counts.
    #[must_use]
    pub fn line(mut self, key: &str, value: &str) -> Self {
        self.lines.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn given_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The configuration of a standalone server in this directory.
    pub(super) fn standalone(&self, dir: &Path, port: u16) -> Result<Config> {
        let text = self.common(dir, port);
        Ok(Config::from_text(
            "embedded server",
            &text,
            &Env::default(),
        )?)
    }

    /// The configuration of a member, for which files are needed, in this directory.
    pub(super) fn member(&self, dir: &Path, me: usize, port: u16, servers: &str) -> Result<Config> {
        let mut text = self.common(dir, port);
        let _ = write!(
            text,
            "initLimit={PATIENT_TICKS}\nsyncLimit={PATIENT_TICKS}\n{servers}"
        );
        let path = dir.join("zoo.cfg");
        let failed = || format!("cannot write the configuration in {}", dir.display());
        fs::create_dir_all(dir).with_context(failed)?;
        fs::write(dir.join("myid"), me.to_string()).with_context(failed)?;
        fs::write(&path, text).with_context(failed)?;
        Ok(Config::load(&path, &Env::default())?)
    }

    fn common(&self, dir: &Path, port: u16) -> String {
        let dir = properties::escaped(&dir.display().to_string());
        let tick_ms = self.tick_time.as_millis();
        let mut text = format!(
            "tickTime={tick_ms}\nminSessionTimeout={}\nmaxSessionTimeout=60000\n\
             dataDir={dir}\nclientPort={port}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n",
            tick_ms * 2,
        );
        if self.data_dir.is_none() {
            text.push_str("forceSync=no\n");
        }
        for (key, value) in &self.lines {
            let value = properties::escaped(value);
            let _ = writeln!(text, "{key}={value}");
        }
        text
    }
}
