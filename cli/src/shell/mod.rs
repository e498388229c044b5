//! `zabkeeper shell`: the command line client of any ZooKeeper, a replacement for `zkCli.sh`.
//!
//! * [`startup`]: the shell's own arguments; [`line`]: the words of a typed line
//! * [`table`]: all commands; [`options`]: theirs; [`commands`]: what they do, by family
//! * [`link`]: the session, [`events`]: watches that fire, [`walk`]: many nodes
//! * [`configuration`]: what the client is configured with
//! * [`render`]: what answers look like; [`output`]: where they go, as text or JSON
//! * [`terminal`]: a line editor with completion and history
//!
//! What is printed, and on which stream, is what Apache's shell of 3.9 prints; where it is not,
//! COMPAT.md says so.

mod acl;
mod commands;
mod configuration;
mod events;
mod failure;
mod history;
mod line;
mod link;
mod options;
mod output;
mod path;
mod render;
mod startup;
mod table;
mod terminal;
mod walk;

#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use events::Printer;
use failure::Failure;
use history::History;
use link::Link;
use options::Given;
use output::{Format, Output};
use render::Clock;
use startup::Startup;
use table::Reading;
use terminal::Terminal;

/// What `version` prints. Who parses it takes what stands before the dash.
const VERSION: &str = concat!("3.9.5-zabkeeper-", env!("CARGO_PKG_VERSION"));

/// Exit code after an interruption, as of a process that SIGINT ended.
const EXIT_INTERRUPTED: u8 = 130;
/// How long the first prompt waits for the connection that it tells of.
const PROMPT_PATIENCE: Duration = Duration::from_millis(500);
/// Longest line taken from a pipe, bytes.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Runs the shell with the arguments of `zkCli.sh`; the exit code is that of its last command.
pub fn main(arguments: &[String]) -> ExitCode {
    let startup = Startup::parse(arguments);
    if let Some(option) = &startup.without_value {
        eprintln!("Error: no argument found for option {option}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(startup));
    // A thread that waits for a line would be waited for.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run(startup: Startup) -> u8 {
    let out = Output::stdio(startup.format);
    let mut shell = Shell::new(startup, &out);
    let begun = match out.chat(&format!("Connecting to {}", shell.startup.server)) {
        Ok(()) => shell.begin().await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = begun {
        // There is nothing more to say when this cannot be told.
        let _ = out.finish("connect", &Err(failure.clone()));
        return failure.exit_code;
    }
    match shell.startup.command.take() {
        Some(words) => shell.run_words(&words).await,
        None if std::io::stdin().is_terminal() => shell.converse().await,
        None => {
            shell
                .read(tokio::io::BufReader::new(tokio::io::stdin()))
                .await
        }
    }
    shell.end().await;
    shell.exit_code
}

/// A shell: its session, and what its lines have left behind.
struct Shell {
    out: Output,
    clock: Clock,
    startup: Startup,
    printer: Printer,
    /// The server last connected to.
    server: String,
    link: Option<Link>,
    history: History,
    exit_code: u8,
    has_quit: bool,
    /// Ephemerals live for as long as the session: one that was created by a single command, or
    /// a script, stays until the session times out, as with Apache's shell.
    has_ephemerals: bool,
}

impl Shell {
    fn new(startup: Startup, out: &Output) -> Self {
        Self {
            out: out.clone(),
            clock: Clock::system(),
            printer: Printer::new(out),
            server: startup.server.clone(),
            startup,
            link: None,
            history: History::default(),
            exit_code: 0,
            has_quit: false,
            has_ephemerals: false,
        }
    }

    /// Connects for the first time.
    async fn begin(&mut self) -> Result<(), Failure> {
        self.connect(None).await
    }

    /// Gives the session up and begins one with a server, the last one unless told.
    async fn connect(&mut self, server: Option<String>) -> Result<(), Failure> {
        if let Some(link) = self.link.take()
            && !link.status().has_ended()
        {
            link.close().await;
        }
        if let Some(server) = server {
            self.server = server;
        }
        let timeout = &self.startup.timeout;
        let ms: i32 = timeout
            .parse()
            .map_err(|_| Failure::new(format!("For input string: \"{timeout}\"")))?;
        let timeout = Duration::from_millis(ms.unsigned_abs().into());
        let link = Link::open(&self.server, timeout, &self.startup, &self.printer)?;
        let waits = self.startup.waits_for_connection;
        if waits && !link.wait_for_connection(timeout).await {
            link.close().await;
            let code = jute::ErrorCode::ConnectionLoss;
            return Err(Failure::refused(code, None));
        }
        self.link = Some(link);
        Ok(())
    }

    /// The session. Commands that need one run only while there is one.
    fn link(&self) -> Result<Link, Failure> {
        let link = self.link.clone();
        link.ok_or_else(|| Failure::new("Not connected"))
    }

    /// The server last connected to, as it was typed.
    fn server(&self) -> &str {
        &self.server
    }

    fn is_connected(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| !link.status().has_ended())
    }

    /// Closes the session; nothing is read any more.
    async fn quit(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.has_quit = true;
    }

    /// Leaves no session behind, unless it keeps ephemerals.
    async fn end(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        self.printer.set_on(false);
        if self.has_ephemerals {
            // Dropping it would close the session.
            std::mem::forget(link);
        } else if link.status().is_connected() {
            link.close().await;
        }
    }

    /// Reads lines until there are no more, or one of them ends the shell.
    async fn read(&mut self, mut lines: impl AsyncBufRead + Unpin) {
        if self.greet(false).await.is_err() {
            return;
        }
        let mut line = Vec::new();
        while !self.has_quit {
            line.clear();
            if self.out.prompt(&self.prompt()).is_err() {
                return;
            }
            let read = tokio::select! {
                read = read_line(&mut lines, &mut line) => read,
                () = interrupted() => {
                    self.exit_code = EXIT_INTERRUPTED;
                    break;
                }
            };
            match read {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.out.note(&error.to_string());
                    self.exit_code = 1;
                    break;
                }
            }
            self.run_line(&String::from_utf8_lossy(&line)).await;
        }
    }

    /// Talks with somebody at a terminal.
    async fn converse(&mut self) {
        let mut terminal = match Terminal::open(&self.out) {
            Ok(terminal) => terminal,
            Err(error) => {
                self.out.note(&error.to_string());
                self.exit_code = 1;
                return;
            }
        };
        if self.greet(true).await.is_err() {
            return;
        }
        while !self.has_quit {
            let line = terminal.line(self.prompt(), self.link.clone()).await;
            let Some(line) = line else {
                break;
            };
            self.run_line(&line).await;
        }
    }

    async fn greet(&mut self, is_terminal: bool) -> Result<(), Failure> {
        self.out.chat("Welcome to ZooKeeper!")?;
        if is_terminal && let Some(link) = &self.link {
            link.wait_for_connection(PROMPT_PATIENCE).await;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn prompt(&self) -> String {
        use client::Status;
        let state = match self.link.as_ref().map(Link::status) {
            Some(Status::Connecting | Status::Disconnected) => "CONNECTING",
            Some(Status::Connected) => "CONNECTED",
            Some(Status::ConnectedReadOnly) => "CONNECTEDREADONLY",
            Some(Status::AuthFailed) => "AUTH_FAILED",
            Some(Status::Expired | Status::Closed) | None => "CLOSED",
        };
        format!("[zk: {}({state}) {}] ", self.server, self.history.now())
    }

    async fn run_line(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        self.history.begin(line);
        self.run_words(&line::words(line)).await;
        self.history.end();
    }

    /// Runs a command and tells what came of it.
    async fn run_words(&mut self, words: &[String]) {
        let Some(name) = words.first() else {
            return;
        };
        let ended = tokio::select! {
            outcome = self.run(words) => Some(outcome),
            () = interrupted() => None,
        };
        let outcome = ended.unwrap_or_else(|| {
            Err(Failure {
                exit_code: EXIT_INTERRUPTED,
                ..Failure::new("Interrupted")
            })
        });
        let told = self.out.finish(name, &outcome);
        // It ends with the code of the command before it.
        if self.has_quit {
            return;
        }
        self.exit_code = match outcome.and(told) {
            Ok(()) => 0,
            Err(failure) => {
                // Whoever read the answers has gone.
                self.has_quit |= failure.is_silent;
                failure.exit_code
            }
        };
    }

    async fn run(&mut self, words: &[String]) -> Result<(), Failure> {
        let name = words.first().map_or("", String::as_str);
        let Some(command) = table::find(name) else {
            if self.out.format() == Format::Text {
                self.out.note(&table::usage());
            }
            return Err(Failure::not_found(name));
        };
        if command.reading == Reading::Own {
            let given = Given::plain(words);
            (command.run)(self, &given).await?;
            if self.has_quit {
                return Ok(());
            }
        }
        if !self.is_connected() {
            self.out.note_on_output("Not connected")?;
            return Ok(());
        }
        if command.reading == Reading::Own {
            return Ok(());
        }
        let given = command.read(words, &self.out)?;
        (command.run)(self, &given).await
    }
}

/// Ctrl-C. Never, where signals cannot be had.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Reads a line without its end; false when there are no more.
async fn read_line(
    lines: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    loop {
        let available = lines.fill_buf().await?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&available[..end.unwrap_or(available.len())]);
        let used = end.map_or(available.len(), |end| end + 1);
        lines.consume(used);
        if line.len() > LINE_BYTES_MAX {
            let message = format!("a line is longer than {LINE_BYTES_MAX} bytes");
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                message,
            ));
        }
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(true);
        }
    }
}
