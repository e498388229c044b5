//! The Java program that creates topics, produces and consumes: a line for a command, a line for
//! its answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::install::Installed;
use crate::process::{Kept, tail};

/// Longest time that an answer may take; the program gives up earlier, and says why.
const ANSWER_LIMIT: Duration = Duration::from_secs(300);
/// Answers that may wait: there is one for each command, and the next command waits for it.
const ANSWERS_MAX: usize = 4;

/// The values of an answer by their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer(BTreeMap<String, String>);

impl Answer {
    /// Reads `ok NAME=VALUE...`; `error REASON` is an error.
    fn parse(line: &str) -> Result<Self> {
        if let Some(reason) = line.strip_prefix("error ") {
            bail!("{reason}");
        }
        let Some(values) = line.strip_prefix("ok") else {
            bail!("the driver answered {line:?}");
        };
        let values = values.split_whitespace().map(|word| {
            let (name, value) = word.split_once('=').context("a word without a value")?;
            Ok((name.to_owned(), value.to_owned()))
        });
        values.collect::<Result<_>>().map(Self)
    }

    /// The text behind `name`.
    pub(super) fn text(&self, name: &str) -> Result<&str> {
        let value = self.0.get(name);
        value
            .map(String::as_str)
            .with_context(|| format!("the driver did not tell {name}"))
    }

    /// The number behind `name`.
    pub(super) fn number(&self, name: &str) -> Result<u64> {
        let text = self.text(name)?;
        text.parse().with_context(|| format!("{name} is {text:?}"))
    }
}

/// The running program; killed when dropped.
#[derive(Debug)]
pub(super) struct Driver {
    process: Kept,
    commands: ChildStdin,
    answers: Receiver<String>,
    log_path: PathBuf,
}

impl Driver {
    /// Starts it for the brokers at `bootstrap`; its log goes below `folder`.
    ///
    /// # Errors
    /// When it cannot be fetched, built or started.
    pub(super) fn start(installed: &Installed, bootstrap: &str, folder: &Path) -> Result<Self> {
        let log_path = folder.join("driver.err");
        let mut command = installed.kafka()?;
        let mut child = command
            .args(["compat.kafka.Main", bootstrap])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log_path)?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let commands = child.stdin.take().context("it has no input")?;
        let output = child.stdout.take().context("it has no output")?;
        let process = Kept::new(child);
        let (sender, answers) = sync_channel(ANSWERS_MAX);
        // A pipe has no read timeout. The thread ends with the program's output.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            process,
            commands,
            answers,
            log_path,
        })
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// When the command failed, or the program ended or hangs.
    pub(super) fn ask(&mut self, command: &str) -> Result<Answer> {
        let sent = writeln!(self.commands, "{command}").and_then(|()| self.commands.flush());
        let line = sent.ok().map(|()| self.answers.recv_timeout(ANSWER_LIMIT));
        match line {
            Some(Ok(line)) => Answer::parse(&line),
            Some(Err(RecvTimeoutError::Timeout)) => bail!("no answer to {command}\n{}", self.log()),
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                let status = self.process.ended()?;
                bail!("the driver ended ({status:?})\n{}", self.log())
            }
        }
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(&self.log_path).unwrap_or_default();
        tail(&String::from_utf8_lossy(&bytes)).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn answers_are_read_by_name() {
        let answer = Answer::parse("ok gap_ms=12 stopped=").expect("an answer");
        assert_eq!(answer.number("gap_ms").expect("a number"), 12);
        assert_eq!(answer.text("stopped").expect("a text"), "");
        assert!(answer.number("stopped").is_err());
        assert!(answer.text("missing").is_err());
        for (line, reason) in [
            ("error it broke", "it broke"),
            ("ok word", "a word without a value"),
            ("noise", "the driver answered \"noise\""),
        ] {
            let error = Answer::parse(line).expect_err("no answer");
            assert_eq!(error.to_string(), reason);
        }
    }
}
