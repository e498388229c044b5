//! A terminal: a line editor with completion and history.
//!
//! The editor waits for keys in a thread of its own, so that the session lives on. It is told
//! to read a line, and sends it back.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter as _, Helper};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::link::Link;
use super::output::Output;
use super::path;
use super::table::COMMANDS;

/// Lines kept from session to session.
const HISTORY_LINES: usize = 1000;
/// The file that keeps them, in the user's home; `ZABKEEPER_HISTORY` names another one.
const HISTORY_FILE: &str = ".zabkeeper_history";
/// How long completion waits for the names of nodes.
const PATIENCE: Duration = Duration::from_secs(1);
/// Commands that hold secrets, which no file keeps.
const SECRET: &[&str] = &["addauth"];

/// Where lines are typed.
pub(crate) struct Terminal {
    out: Output,
    link: Arc<Mutex<Option<Link>>>,
    prompts: std::sync::mpsc::SyncSender<String>,
    lines: mpsc::Receiver<Option<String>>,
}

impl Terminal {
    /// Starts the editor.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub(crate) fn open(out: &Output) -> io::Result<Self> {
        let link = Arc::new(Mutex::new(None));
        let helper = Completing {
            link: Arc::clone(&link),
            runtime: Handle::current(),
        };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_LINES)
            .map_err(io::Error::other)?
            .build();
        let mut editor: Editor<Completing, FileHistory> =
            Editor::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(helper));
        // Events are printed above the line that is being edited.
        if let Ok(mut printer) = editor.create_external_printer() {
            out.set_above_prompt(Some(Box::new(move |text| {
                printer.print(text).map_err(io::Error::other)
            })));
        }
        let (prompts, prompted) = std::sync::mpsc::sync_channel::<String>(1);
        let (typed, lines) = mpsc::channel(1);
        thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || edit(editor, &prompted, &typed))?;
        Ok(Self {
            out: out.clone(),
            link,
            prompts,
            lines,
        })
    }

    /// Reads a line; `None` at the end. `link` is asked for the names of nodes meanwhile.
    pub(crate) async fn line(&mut self, prompt: String, link: Option<Link>) -> Option<String> {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
        self.prompts.try_send(prompt).ok()?;
        self.lines.recv().await?
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.out.set_above_prompt(None);
    }
}

fn edit(
    mut editor: Editor<Completing, FileHistory>,
    prompts: &std::sync::mpsc::Receiver<String>,
    typed: &mpsc::Sender<Option<String>>,
) {
    let file = history_file();
    if let Some(file) = &file {
        // There may be none yet.
        let _ = editor.load_history(file);
    }
    while let Ok(prompt) = prompts.recv() {
        let line = loop {
            match editor.readline(&prompt) {
                Ok(line) => break Some(line),
                // Ctrl-C gives the line up.
                Err(ReadlineError::Interrupted) => {}
                // A terminal that cannot be read is at its end too.
                Err(_) => break None,
            }
        };
        if let Some(line) = &line
            && !is_secret(line)
        {
            let _ = editor.add_history_entry(line);
            if let Some(file) = &file {
                let _ = editor.append_history(file);
            }
        }
        if typed.blocking_send(line).is_err() {
            break;
        }
    }
}

fn is_secret(line: &str) -> bool {
    let command = line.split_whitespace().next().unwrap_or_default();
    SECRET.contains(&command)
}

fn history_file() -> Option<PathBuf> {
    let named = std::env::var_os("ZABKEEPER_HISTORY").map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(HISTORY_FILE));
    named.or_else(usual)
}

/// Completes the names of commands and nodes.
struct Completing {
    link: Arc<Mutex<Option<Link>>>,
    runtime: Handle,
}

impl Completer for Completing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..position];
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &before[start..];
        let names = if word.starts_with('/') {
            self.nodes(word)
        } else if before[..start].trim().is_empty() || is_help(before) {
            commands(word)
        } else {
            Vec::new()
        };
        Ok((start, names))
    }
}

impl Completing {
    /// The nodes whose paths begin with `word`.
    fn nodes(&self, word: &str) -> Vec<String> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(link) = link.clone() else {
            return Vec::new();
        };
        let (parent, prefix) = split(word);
        let children = link.children(parent, false);
        let children = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, children).await });
        let Ok(Ok((mut children, _))) = children else {
            return Vec::new();
        };
        children.retain(|name| name.starts_with(prefix));
        children.sort_unstable();
        let paths = children.iter().map(|name| path::child(parent, name));
        paths.collect()
    }
}

/// The parent of the nodes that a word may become, and what their names begin with.
fn split(word: &str) -> (&str, &str) {
    let at = word.rfind('/').unwrap_or_default();
    let parent = if at == 0 { "/" } else { &word[..at] };
    (parent, &word[at + 1..])
}

fn is_help(line: &str) -> bool {
    line.split_whitespace().next() == Some("help")
}

fn commands(word: &str) -> Vec<String> {
    let mut names: Vec<String> = COMMANDS
        .iter()
        .map(|command| command.name.to_owned())
        .filter(|name| name.starts_with(word))
        .collect();
    names.sort_unstable();
    names
}

impl Helper for Completing {}

impl Hinter for Completing {
    type Hint = String;
}

impl Highlighter for Completing {}

impl Validator for Completing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_completed_below_their_last_slash() {
        for (word, parent, prefix) in [
            ("/", "/", ""),
            ("/a", "/", "a"),
            ("/a/", "/a", ""),
            ("/a/b", "/a", "b"),
            ("/a/b/cd", "/a/b", "cd"),
        ] {
            assert_eq!(split(word), (parent, prefix), "{word}");
        }
    }

    #[test]
    fn commands_are_completed_by_their_beginning() {
        assert_eq!(commands("getA"), ["getAcl", "getAllChildrenNumber"]);
        assert_eq!(commands("w"), ["watch", "whoami"]);
        assert_eq!(commands("zz"), Vec::<String>::new());
    }

    #[test]
    fn passwords_are_not_kept() {
        assert!(is_secret("addauth digest bob:pw"));
        assert!(is_secret("  addauth digest bob:pw"));
        assert!(!is_secret("ls /addauth"));
    }
}
