//! Child processes: run one to its end, or keep one and never leak it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How much of a failed program's output is worth repeating.
const TAIL_BYTES: usize = 4000;
/// Pause between two looks at something that is awaited.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// What a finished program left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Standard output as text.
    pub(crate) stdout: String,
    /// Standard error as text.
    pub(crate) stderr: String,
}

/// Runs `command` to its end, killing it after `limit`.
///
/// # Errors
/// When it cannot be started, or did not end in time.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    let scratch = tempfile::tempdir()?;
    let (out_path, err_path) = (scratch.path().join("out"), scratch.path().join("err"));
    let child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out_path)?)
        .stderr(File::create(&err_path)?)
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut child = Kept::new(child);
    let status = child.wait(limit)?;
    let read = |path: &Path| -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
    };
    let (stdout, stderr) = (read(&out_path)?, read(&err_path)?);
    let Some(status) = status else {
        bail!(
            "{command:?} did not end within {limit:?}\n{}\n{}",
            tail(&stdout),
            tail(&stderr)
        );
    };
    Ok(Finished {
        status,
        stdout,
        stderr,
    })
}

/// Runs `command` and insists on success; returns its standard output.
///
/// # Errors
/// As [`run`], or when it exits with a failure.
pub(crate) fn run_ok(command: &mut Command, limit: Duration) -> Result<String> {
    let done = run(command, limit)?;
    if !done.status.success() {
        bail!(
            "{command:?} failed with {}\n{}\n{}",
            done.status,
            tail(&done.stdout),
            tail(&done.stderr)
        );
    }
    Ok(done.stdout)
}

/// The last bytes of `text`, cut at a character boundary.
pub(crate) fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    child: Child,
}

impl Kept {
    /// Takes over `child`.
    pub(crate) fn new(child: Child) -> Self {
        Self { child }
    }

    /// The exit status, if the child has ended.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits at most `limit` for the end.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Asks the child to stop (SIGTERM) and waits; the status, or none if it stayed.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub(crate) fn terminate(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        self.signal(Signal::TERM)?;
        self.wait(limit)
    }

    /// Sends a signal; nothing happens if the child has ended.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let pid = pid.context("the child has no process id")?;
            kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// SIGKILL, then reaps the child.
    ///
    /// # Errors
    /// When the child cannot be signalled or reaped.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Nothing more can be done about a child that refuses SIGKILL.
        let _ = self.kill();
    }
}

/// Copies a directory tree of plain files.
///
/// # Errors
/// On any failure of the file system.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("listing {}", from.display()))? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("copying {}", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Duration, copy_tree, run, tail};
    use std::process::Command;

    #[test]
    fn tail_keeps_whole_characters() {
        let long = "é".repeat(super::TAIL_BYTES);
        assert!(tail(&long).len() <= super::TAIL_BYTES);
        assert_eq!(tail("short"), "short");
    }

    #[test]
    fn output_and_status_come_back() {
        let mut command = Command::new("sh");
        let done = run(
            command.args(["-c", "echo out; echo err >&2; exit 3"]),
            Duration::from_secs(20),
        );
        let done = done.expect("sh runs");
        assert_eq!(
            (
                done.status.code(),
                done.stdout.as_str(),
                done.stderr.as_str()
            ),
            (Some(3), "out\n", "err\n")
        );
    }

    #[test]
    fn a_tree_is_copied_with_its_folders() {
        let (from, to) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        std::fs::create_dir(from.path().join("in")).expect("mkdir");
        std::fs::write(from.path().join("in/file"), b"x").expect("write");
        copy_tree(from.path(), &to.path().join("copy")).expect("copy");
        assert_eq!(
            std::fs::read(to.path().join("copy/in/file")).expect("read"),
            b"x"
        );
    }
}
