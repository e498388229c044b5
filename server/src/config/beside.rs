//! The files that belong to a static one: `dynamicConfigFile`, `.dynamic.next`, `myid`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::properties::{MAX_FILE_BYTES, Properties, latin1};

/// Longest first line of `myid` that is looked at; no number is longer.
const MY_ID_BYTES_MAX: usize = 256;

/// What the files say, not yet understood.
#[derive(Debug)]
pub(super) struct Beside {
    /// The static file, absolute.
    pub(super) file: PathBuf,
    /// What it points to.
    pub(super) dynamic: Option<Dynamic>,
    /// A configuration that was proposed, if there is one. Only a member of an ensemble minds that
    /// it cannot be read.
    pub(super) next: Result<Option<Properties>, ConfigError>,
    /// Where the own id should be.
    pub(super) my_id_path: PathBuf,
    /// The first line there; `None` if there is no such file.
    pub(super) my_id: Option<String>,
}

/// A configuration in a file of its own.
#[derive(Debug)]
pub(super) struct Dynamic {
    /// The path as the static file has it.
    pub(super) path: PathBuf,
    pub(super) lines: Properties,
}

/// Reads what belongs to the file `path` with the keys `keys`.
///
/// # Errors
/// Files that cannot be read, or are no properties. That a dynamic file is missing is an error,
/// that one of the others is missing is not.
pub(super) fn read(path: &Path, keys: &Properties) -> Result<Beside, ConfigError> {
    let file = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let dynamic = keys.get("dynamicConfigFile").map(|entry| {
        let path = PathBuf::from(&entry.value);
        let lines = properties(&path)?;
        Ok(Dynamic { path, lines })
    });
    let next = match properties(&journal::config::next_path(path)) {
        Err(ConfigError::Missing { .. }) => Ok(None),
        read => read.map(Some),
    };
    let data_dir = keys.get("dataDir").map_or("", |entry| &entry.value);
    let my_id_path = Path::new(data_dir).join("myid");
    Ok(Beside {
        file,
        dynamic: dynamic.transpose()?,
        next,
        my_id: my_id(&my_id_path)?,
        my_id_path,
    })
}

fn properties(path: &Path) -> Result<Properties, ConfigError> {
    Properties::parse(&path.display().to_string(), &read_bounded(path)?)
}

/// The first line as Java's reader takes it. An empty file has none, which Java prints as null.
fn my_id(path: &Path) -> Result<Option<String>, ConfigError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read_up_to(path, MY_ID_BYTES_MAX)?;
    let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    Ok(Some(match line {
        Some(line) if !bytes.is_empty() => latin1(line),
        _ => "null".to_owned(),
    }))
}

/// Reads no more than a configuration may have, whatever the path leads to.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, ConfigError> {
    // One byte more than allowed shows the parser that the file is too long.
    read_up_to(path, MAX_FILE_BYTES + 1)
}

fn read_up_to(path: &Path, limit: usize) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(limit as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    match error.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: path.into() },
        _ => ConfigError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        },
    }
}
