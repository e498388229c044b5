//! kazoo, in a virtual environment of its own.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{require, step};

/// Version of the part.
pub(super) const VERSION: &str = "kazoo-2.10.0-1";

/// Builds `folder/venv`.
pub(super) fn build(folder: &Path) -> Result<()> {
    require("python3", "on Debian: apt-get install python3-venv")?;
    let venv = folder.join("venv");
    step(
        "a Python environment",
        Command::new("python3").args(["-m", "venv"]).arg(&venv),
    )?;
    step(
        "kazoo 2.10.0, from PyPI",
        Command::new(venv.join("bin/pip")).args(["install", "-q", "kazoo==2.10.0"]),
    )
}
