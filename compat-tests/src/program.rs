//! Programs in other languages that are told by lines what to do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::Kept;

/// What a program prints when it waits for the next line.
const READY: &str = "READY";

/// A program that does what lines tell it, and says when it is ready for the next one.
pub(crate) struct Program {
    child: Kept,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// When that is not possible.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let input = child.stdin.take().context("a piped input")?;
        let output = child.stdout.take().context("a piped output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child: Kept::new(child),
            input,
            lines,
        })
    }

    /// Tells it what to do next.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").context("the program has ended")?;
        Ok(self.input.flush()?)
    }

    /// What it prints until it is ready for the next line.
    ///
    /// # Errors
    /// When it ends instead, or takes longer than `limit`.
    pub(crate) fn until_ready(&mut self, limit: Duration) -> Result<Vec<String>> {
        let (deadline, mut seen) = (Instant::now() + limit, Vec::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line == READY => return Ok(seen),
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => bail!("a program hangs behind {seen:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("a program ended behind {seen:?}"),
            }
        }
    }

    /// Ends its input, and takes what it prints to the end.
    ///
    /// # Errors
    /// When it fails, prints nothing, or takes longer than `limit`.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Vec<String>> {
        drop(self.input);
        let status = self.child.wait(limit)?;
        let status = status.context("a program does not end")?;
        let lines: Vec<String> = self.lines.iter().collect();
        ensure!(
            status.success(),
            "a program ended with {status} behind {lines:?}"
        );
        ensure!(!lines.is_empty(), "a program printed no summary");
        Ok(lines)
    }
}
