//! The configuration of the ensemble, in Apache's files beside `zoo.cfg`.
//!
//! | File | Holds |
//! | --- | --- |
//! | `zoo.cfg` | `dynamicConfigFile=` with the path of the next one, and what is not the ensemble's |
//! | `zoo.cfg.dynamic.<hex version>` | an established one, without its version; never removed |
//! | `zoo.cfg.dynamic.next` | one that was proposed and is not established yet, with its version |
//! | `zoo.cfg.bak` | the static file of the first start, before the members moved out of it |
//!
//! # Order, and why
//!
//! Every file is replaced as a whole: temporary file, sync, rename, sync of the directory. A
//! configuration is established when the static file points to it; its own file is durable before,
//! and `.next` goes after. So a crash finds the old one with the proposed one beside it, or the new
//! one. The votes of the next start depend on it: a server that forgot a configuration it
//! acknowledged could elect a leader with the members of an older one.
//!
//! # Without a static file
//!
//! Tests and simulations start without `zoo.cfg`. It is taken for empty then, and made when the
//! first configuration is established: the pair of files is the same, so nothing here is special.

mod static_file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;
use jute::properties;
use storage::{Disk, StorageError};
use zab::ServerId;
use zab::parse_config;
use zab::quorum::Config;

use crate::settings::ConfigSettings;

/// Longest file that is taken for a configuration, in bytes. Real ones have a few thousand.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Apache's words for a dynamic file that states its version: that is in its name.
pub const VERSION_INSIDE: &str = "dynamic file shouldn't have version inside";

/// What the files say.
#[derive(Clone, Debug)]
pub struct Configurations {
    /// The established one.
    pub committed: Config,
    /// A newer one that was proposed.
    pub last_seen: Option<Config>,
}

/// The configuration files of one member.
pub struct ConfigFiles {
    disk: Arc<dyn Disk>,
    file: PathBuf,
    me: ServerId,
    enabled: bool,
    committed: Zxid,
    /// Version of what `.next` holds.
    next: Option<Zxid>,
}

impl ConfigFiles {
    /// Reads what there is. A static file that holds the members itself is copied to `.bak`, as in
    /// Apache, since it is going to be rewritten.
    ///
    /// # Errors
    /// A file that is damaged, or that a static file points to in vain.
    pub fn open(
        disk: Arc<dyn Disk>,
        settings: &ConfigSettings,
        me: ServerId,
    ) -> Result<(Self, Configurations), StorageError> {
        let mut files = Self {
            disk,
            file: settings.file.clone(),
            me,
            enabled: settings.reconfig_enabled,
            committed: Zxid::ZERO,
            next: None,
        };
        let text = files.read_static()?;
        let pointer = static_file::pointer(text.as_deref().unwrap_or_default())
            .map_err(|found| bad(&files.file, found))?;
        let committed = match pointer {
            Some(path) => files.read_dynamic(Path::new(&path))?,
            None => {
                if let Some(text) = text.filter(|_| files.enabled) {
                    files.replace(&files.beside(".bak"), &static_file::bytes(&text))?;
                }
                settings.initial.clone()
            }
        };
        files.committed = committed.version();
        let next = files.read_next()?;
        files.next = next.as_ref().map(Config::version);
        let last_seen = next.filter(|config| config.version() > committed.version());
        Ok((
            files,
            Configurations {
                committed,
                last_seen,
            },
        ))
    }

    /// Makes a configuration the established one ([`zab::Store::CommittedConfig`]); durable when it
    /// returns.
    ///
    /// # Errors
    /// Those of the disk, and a static file that was broken meanwhile.
    pub(crate) fn commit(&mut self, config: &Config) -> Result<(), StorageError> {
        let version = config.version();
        assert!(
            version >= self.committed,
            "configurations are committed in order"
        );
        self.committed = version;
        if !self.enabled {
            return Ok(());
        }
        let dynamic = self.beside(&format!(".dynamic.{version}"));
        self.replace(&dynamic, listing(config, false).as_bytes())?;
        let text = self.read_static()?.unwrap_or_default();
        let client_elsewhere = config
            .members
            .get(&self.me)
            .is_some_and(|member| member.client.is_some());
        let text = static_file::rewrite(&text, &dynamic.to_string_lossy(), client_elsewhere)
            .map_err(|found| bad(&self.file, found))?;
        self.replace(&self.file, &static_file::bytes(&text))?;
        self.forget_next()
    }

    /// Keeps a configuration that is proposed, or forgets one: then it is told the established one
    /// again ([`zab::Store::LastSeenConfig`]). Durable when it returns.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn see(&mut self, config: &Config) -> Result<(), StorageError> {
        if !self.enabled {
            return Ok(());
        }
        if config.version() <= self.committed {
            self.next = self.next.map(|_| config.version());
            return self.forget_next();
        }
        self.replace(&self.next_path(), listing(config, true).as_bytes())?;
        self.next = Some(config.version());
        Ok(())
    }

    /// Removes `.next` unless it holds something newer than what is established.
    fn forget_next(&mut self) -> Result<(), StorageError> {
        if self.next.is_none_or(|next| next > self.committed) {
            return Ok(());
        }
        let path = self.next_path();
        match self.disk.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(StorageError::io("remove", &path))?,
        }
        let dir = self.dir();
        self.disk
            .sync_dir(dir)
            .map_err(StorageError::io("sync", dir))?;
        self.next = None;
        Ok(())
    }

    fn next_path(&self) -> PathBuf {
        next_path(&self.file)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.file, suffix)
    }

    fn dir(&self) -> &Path {
        self.file.parent().expect("a file is in a directory")
    }

    fn read_static(&self) -> Result<Option<String>, StorageError> {
        let bytes = self.read(&self.file)?;
        Ok(bytes.map(|bytes| static_file::text(&bytes)))
    }

    /// A file that the static one points to. Its version is in its name.
    fn read_dynamic(&self, path: &Path) -> Result<Config, StorageError> {
        let bytes = self.read(path)?.ok_or_else(|| {
            let file = self.file.display();
            bad(path, format!("{file} points to it, and it is not there"))
        })?;
        let lines = properties::parse(&static_file::text(&bytes));
        let lines = lines.map_err(|error| bad(path, error.to_string()))?;
        if lines.iter().any(|line| line.key.trim() == "version") {
            return Err(bad(path, VERSION_INSIDE.to_owned()));
        }
        let config = parse_config(&bytes).map_err(|error| bad(path, error.to_string()))?;
        Ok(config.under(version_in_name(path)))
    }

    fn read_next(&self) -> Result<Option<Config>, StorageError> {
        let path = self.next_path();
        let Some(bytes) = self.read(&path)? else {
            return Ok(None);
        };
        let config = parse_config(&bytes).map_err(|error| bad(&path, error.to_string()))?;
        Ok(Some(config))
    }

    /// `None` if there is no such file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
        let size = match self.disk.size(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(StorageError::io("look at", path))?,
        };
        if size > FILE_BYTES_MAX {
            return Err(bad(path, format!("longer than {FILE_BYTES_MAX} bytes")));
        }
        let bytes = self.disk.read_all(path);
        bytes.map(Some).map_err(StorageError::io("read", path))
    }

    /// Replaces a file as a whole; durable when it returns.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        let mut tmp = path.as_os_str().to_owned();
        tmp.push(".tmp");
        let tmp = PathBuf::from(tmp);
        let write = || {
            let file = self.disk.create(&tmp)?;
            file.write_at(0, bytes)?;
            file.sync_data()?;
            self.disk.rename(&tmp, path)?;
            self.disk.sync_dir(self.dir())
        };
        write().map_err(StorageError::io("write", path))
    }
}

/// The lines of a configuration, sorted as text and without a final newline, as Apache's
/// `writeDynamicConfig`.
fn listing(config: &Config, with_version: bool) -> String {
    let text = config.to_string();
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| with_version || !line.starts_with("version="))
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Where a configuration that is proposed stands, beside the static file.
pub fn next_path(file: &Path) -> PathBuf {
    beside(file, ".dynamic.next")
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The version of the configuration in a dynamic file: what stands behind the last dot of its name,
/// if it is a hexadecimal number; else 0, as in Apache.
pub fn version_in_name(path: &Path) -> Zxid {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.rsplit_once('.').map(|(_, digits)| digits);
    let version = digits.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    Zxid(version.filter(|version| *version >= 0).unwrap_or_default())
}

fn bad(path: &Path, found: String) -> StorageError {
    StorageError::Config {
        path: path.to_path_buf(),
        found,
    }
}
