//! Where things are, and how cargo is called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a folder of the workspace")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The release binary of the server.
pub(crate) fn server_binary() -> PathBuf {
    target().join("release/zabkeeper")
}

/// Builds [`server_binary`].
pub(crate) fn build_server() -> Result<()> {
    cargo(["build", "--release", "-p", "server"]).run()
}

/// A child process that must succeed.
pub(crate) struct Step(Command);

/// A call of cargo in the root of the workspace.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Step {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Step::new(cargo, args)
}

impl Step {
    pub(crate) fn new<const N: usize>(program: impl AsRef<OsStr>, args: [&str; N]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(root());
        Self(command)
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it with our own input and output.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self
            .0
            .status()
            .with_context(|| format!("start {}", self.0.get_program().display()))?;
        ensure!(status.success(), "{:?}: {status}", self.0);
        Ok(())
    }

    /// Does it run and succeed? Its output is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.output().is_ok_and(|output| output.status.success())
    }
}
