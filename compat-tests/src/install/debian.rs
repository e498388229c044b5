//! Apache ZooKeeper 3.8.0 as Debian packages it, unpacked without being installed.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::{require, step};

/// Version of the part.
pub(super) const VERSION: &str = "3.8.0-1";

const PACKAGE: &str = "libzookeeper-java";

/// Downloads the package and unpacks it to `folder/root`.
pub(super) fn fetch(folder: &Path) -> Result<()> {
    require("apt-get", "3.8.0 comes from Debian's archive")?;
    let download = || {
        let mut command = Command::new("apt-get");
        command
            .current_dir(folder)
            .args(["-q", "download", PACKAGE]);
        command
    };
    let what = "Apache ZooKeeper 3.8.0, from Debian";
    if step(what, &mut download()).is_err() {
        // A fresh container has no package lists yet.
        step(
            "Debian's package lists",
            Command::new("apt-get").args(["-q", "update"]),
        )?;
        step(what, &mut download())?;
    }
    let package = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let Some(package) = package else {
        bail!("apt-get left no package in {}", folder.display());
    };
    step(
        "unpacking it",
        Command::new("dpkg")
            .arg("-x")
            .arg(package)
            .arg(folder.join("root")),
    )
}

/// Its own two jars, and every library of the newer version in place of Debian's.
/// The libraries come first: Debian's jar names others in its manifest.
pub(super) fn class_path(folder: &Path, newest: &Path) -> Result<String> {
    let mut jars = Vec::new();
    for entry in std::fs::read_dir(newest.join("lib"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with("zookeeper") {
            jars.push(path.display().to_string());
        }
    }
    for name in ["zookeeper.jar", "zookeeper-jute.jar"] {
        let jar = folder.join("root/usr/share/java").join(name);
        jars.push(jar.display().to_string());
    }
    Ok(jars.join(":"))
}
