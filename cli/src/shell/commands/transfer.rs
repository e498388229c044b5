//! Subtrees as files: export, import.
//!
//! A file has a line of JSON for each node, parents before their children, behind a line that
//! says what it is. Names, data and access control lists are kept. Times, versions and the
//! counters of sequential nodes are the new nodes' own, and what was a container or had a time to
//! live becomes persistent: servers do not tell clients of it. Who writes a file by hand may give
//! a node `"kind":"container"`, or `"kind":"ttl"` with `"ttl"` in milliseconds.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::Payload;
use jute::data::{Acl, Stat};
use jute::path::{ROOT, ZOOKEEPER};
use jute::{CreateMode, ErrorCode};
use serde_json::{Map, Value, json};

use super::argument;
use crate::shell::failure::Failure;
use crate::shell::link::Link;
use crate::shell::options::Given;
use crate::shell::walk::{Survey, WINDOW};
use crate::shell::{Shell, acl, path, render};

/// Of the first line.
const FORMAT: &str = "zabkeeper-export";
const FORMAT_VERSION: u64 = 1;
/// Data on their way at a time, bytes.
const BYTES_ON_THE_WAY: usize = 4 * 1024 * 1024;
/// Longest line of a file, bytes: a node of 16 MiB in base64 fits.
const LINE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What servers answer instead of a password's hash to those who may not see it.
const MASKED: &str = ":x";

pub(crate) async fn export(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let (top, file) = (argument(given, 0), argument(given, 1));
    path::check(top)?;
    let link = shell.link()?;
    link.get(top, false).await?;
    let told = |error: std::io::Error| Failure::new(format!("{file}: {error}"));
    // What is there already may be the only copy of something.
    let out = File::create_new(file).map_err(told)?;
    let mut export = Export {
        link,
        shell,
        top,
        out: BufWriter::new(out),
        with_ephemerals: given.has("e"),
        waiting: Vec::new(),
        waiting_bytes: 0,
        nodes: 0,
        ephemerals: 0,
        unreadable: 0,
        masked: 0,
    };
    let written = export.run().await;
    let synced = export
        .out
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error);
    let synced = synced.and_then(|out| out.sync_all());
    let (nodes, ephemerals) = (export.nodes, export.ephemerals);
    let (unreadable, masked) = (export.unreadable, export.masked);
    written?;
    synced.map_err(told)?;
    if ephemerals > 0 {
        let line = format!("{ephemerals} ephemerals are left out; -e takes them");
        shell.out.note(&line);
    }
    if masked > 0 {
        shell.out.note(&format!(
            "{masked} nodes have ACLs whose hashes this session may not see: they are not usable"
        ));
    }
    let text = || format!("Exported {nodes} nodes");
    shell.out.say("exported", || json!(nodes), text)?;
    if unreadable > 0 {
        let message = format!("{unreadable} nodes could not be read and are missing");
        return Err(Failure::new(message));
    }
    Ok(())
}

struct Export<'a> {
    link: Link,
    shell: &'a Shell,
    top: &'a str,
    out: BufWriter<File>,
    with_ephemerals: bool,
    /// Nodes whose data are not asked for yet.
    waiting: Vec<(String, Stat)>,
    waiting_bytes: usize,
    nodes: u64,
    ephemerals: u64,
    unreadable: u64,
    masked: u64,
}

impl Export<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        self.line(&json!({"format": FORMAT, "version": FORMAT_VERSION, "root": self.top}))?;
        let mut survey = Survey::from(self.top, usize::MAX);
        while let Some(node) = survey.next(&self.link).await {
            if self.top == ROOT && is_systems(&node.path) {
                continue;
            }
            let stat = match node.stat {
                Ok(stat) => stat,
                Err(failure) => {
                    self.cannot_read(&failure)?;
                    continue;
                }
            };
            if stat.ephemeral_owner != 0 && !self.with_ephemerals {
                self.ephemerals += 1;
                continue;
            }
            self.waiting_bytes += usize::try_from(stat.data_length).unwrap_or_default();
            self.waiting.push((node.path, stat));
            if self.waiting.len() == WINDOW || self.waiting_bytes > BYTES_ON_THE_WAY {
                self.write_waiting().await?;
            }
        }
        self.write_waiting().await
    }

    /// A refusal leaves the node out; anything else ends the export.
    fn cannot_read(&mut self, failure: &Failure) -> Result<(), Failure> {
        match failure.code {
            Some(ErrorCode::NoNode) => Ok(()),
            Some(ErrorCode::NoAuth) => {
                self.unreadable += 1;
                self.shell.out.note(&failure.message);
                Ok(())
            }
            _ => Err(failure.clone()),
        }
    }

    async fn write_waiting(&mut self) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let paths: Vec<&str> = waiting.iter().map(|(path, _)| path.as_str()).collect();
        let acls = self.link.acl_of_each(&paths).await;
        let nodes = self.link.get_each(&paths).await;
        for (path, (acl, node)) in paths.into_iter().zip(acls.into_iter().zip(nodes)) {
            let both = acl.and_then(|acl| Ok((acl, node?)));
            let (acl, (data, _)) = match both {
                Ok(both) => both,
                Err(failure) => {
                    self.cannot_read(&failure)?;
                    continue;
                }
            };
            self.node(path, data.as_deref(), &acl)?;
        }
        Ok(())
    }

    fn node(&mut self, path: &str, data: Option<&[u8]>, acl: &[Acl<'_>]) -> Result<(), Failure> {
        let is_masked = |entry: &Acl<'_>| {
            let (scheme, id) = acl::who(entry);
            scheme == "digest" && id.ends_with(MASKED)
        };
        self.masked += u64::from(acl.iter().any(is_masked));
        let mut line = Map::new();
        line.insert("path".to_owned(), json!(below(path, self.top)));
        render::data_json(&mut line, data);
        line.insert("acl".to_owned(), render::acl_json(acl));
        self.line(&Value::Object(line))?;
        self.nodes += 1;
        Ok(())
    }

    fn line(&mut self, value: &Value) -> Result<(), Failure> {
        let written = writeln!(self.out, "{value}");
        written.map_err(|error| Failure::new(format!("the export cannot be written: {error}")))
    }
}

/// Nodes that every server has, and keeps itself.
fn is_systems(path: &str) -> bool {
    let below = path.strip_prefix(ZOOKEEPER);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path as seen from the top: "/" for the top itself.
fn below<'a>(path: &'a str, top: &str) -> &'a str {
    match top {
        ROOT => path,
        _ => match path.strip_prefix(top) {
            None | Some("") => ROOT,
            Some(rest) => rest,
        },
    }
}

/// What is done with nodes that exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Overwrite,
    Keep,
}

pub(crate) async fn import(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let file = argument(given, 0);
    let existing = match (given.has("f"), given.has("k")) {
        (true, _) => Existing::Overwrite,
        (_, true) => Existing::Keep,
        _ => Existing::Refuse,
    };
    let opened = File::open(file).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    let mut lines = Lines::new(file, BufReader::new(opened));
    let root = lines.root()?;
    let top = given.argument(1).unwrap_or(&root).to_owned();
    path::check(&top)?;
    let mut import = Import {
        link: shell.link()?,
        top,
        existing,
        created: 0,
        overwritten: 0,
        kept: 0,
    };
    let outcome = import.run(&mut lines).await;
    let Import {
        created,
        overwritten,
        kept,
        ..
    } = import;
    let text = || format!("Imported {created} nodes, set {overwritten}, kept {kept}");
    let value = || json!({"created": created, "set": overwritten, "kept": kept});
    shell.out.say("imported", value, text)?;
    outcome
}

struct Import {
    link: Link,
    top: String,
    existing: Existing,
    created: u64,
    overwritten: u64,
    kept: u64,
}

impl Import {
    async fn run<R: BufRead>(&mut self, lines: &mut Lines<'_, R>) -> Result<(), Failure> {
        self.create_above().await?;
        let mut window = Vec::new();
        let mut bytes = 0;
        while let Some(node) = lines.node()? {
            bytes += node.data.as_ref().map_or(0, Vec::len);
            window.push(node);
            if window.len() == WINDOW || bytes > BYTES_ON_THE_WAY {
                self.write(&mut window).await?;
                bytes = 0;
            }
        }
        self.write(&mut window).await
    }

    /// What stands above the top, if it is missing.
    async fn create_above(&self) -> Result<(), Failure> {
        for (end, _) in self.top.match_indices('/').skip(1) {
            let above = &self.top[..end];
            let acl = vec![Acl::open()];
            let mode = CreateMode::Persistent;
            match self.link.create(above, None, acl, mode, None).await {
                Err(failure) if failure.code == Some(ErrorCode::NodeExists) => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Creates the nodes, all at once: a server creates them in their order, so parents are
    /// there in time.
    async fn write(&mut self, window: &mut Vec<Node>) -> Result<(), Failure> {
        let nodes: Vec<(String, Node)> = window
            .drain(..)
            .map(|node| (self.place(&node.path), node))
            .collect();
        let calls: Vec<_> = nodes
            .iter()
            .map(|(path, node)| {
                let options = crate::shell::link::options(node.mode, node.ttl);
                let data = Payload::from(node.data.clone());
                let client = self.link.client();
                client.create(path, data, &options.acl(node.acl.clone()))
            })
            .collect();
        let mut outcome = Ok(());
        for (call, (path, node)) in calls.into_iter().zip(&nodes) {
            let created = call.await;
            if outcome.is_err() {
                // It was on its way when another one failed; whether it is there is known.
                self.created += u64::from(created.is_ok());
                continue;
            }
            let created = created.map_err(|error| {
                let failure = crate::shell::link::failure(&error, Some(path));
                (failure.code, failure)
            });
            outcome = match created {
                Ok(_) => {
                    self.created += 1;
                    Ok(())
                }
                Err((Some(ErrorCode::NodeExists), failure)) => self.meet(path, node, failure).await,
                Err((_, failure)) => Err(failure),
            };
        }
        outcome
    }

    async fn meet(&mut self, path: &str, node: &Node, failure: Failure) -> Result<(), Failure> {
        match self.existing {
            // There is always a root; what an export says of it is not worth a refusal.
            Existing::Refuse if path != ROOT => return Err(failure),
            Existing::Refuse | Existing::Keep => self.kept += 1,
            Existing::Overwrite => {
                let data = node.data.as_deref().unwrap_or_default();
                self.link.set(path, data, -1).await?;
                self.link.set_acl(path, node.acl.clone(), -1).await?;
                self.overwritten += 1;
            }
        }
        Ok(())
    }

    fn place(&self, below: &str) -> String {
        match (self.top.as_str(), below) {
            (ROOT, below) => below.to_owned(),
            (top, ROOT) => top.to_owned(),
            (top, below) => format!("{top}{below}"),
        }
    }
}

/// A node as a file has it.
#[derive(Debug, PartialEq)]
struct Node {
    path: String,
    data: Option<Vec<u8>>,
    acl: Vec<Acl<'static>>,
    mode: CreateMode,
    ttl: Option<i64>,
}

/// The lines of a file.
struct Lines<'a, R> {
    file: &'a str,
    reader: R,
    number: usize,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(file: &'a str, reader: R) -> Self {
        Self {
            file,
            reader,
            number: 0,
        }
    }

    /// The first line: the top of what was exported.
    fn root(&mut self) -> Result<String, Failure> {
        let line = self.next()?.unwrap_or_default();
        if line["format"] != FORMAT || line["version"] != FORMAT_VERSION {
            return Err(self.wrong("the file is no export, or of another version"));
        }
        let root = line["root"].as_str().map(str::to_owned);
        root.ok_or_else(|| self.wrong("no root"))
    }

    fn node(&mut self) -> Result<Option<Node>, Failure> {
        let Some(line) = self.next()? else {
            return Ok(None);
        };
        let node = node(&line).map_err(|reason| self.wrong(&reason))?;
        Ok(Some(node))
    }

    fn next(&mut self) -> Result<Option<Value>, Failure> {
        let mut line = String::new();
        self.number += 1;
        let mut limited = (&mut self.reader).take(LINE_BYTES_MAX);
        let length = limited.read_line(&mut line);
        let length = length.map_err(|error| self.wrong(&error.to_string()))?;
        if length == 0 {
            return Ok(None);
        }
        let value = serde_json::from_str(&line).map_err(|error| self.wrong(&error.to_string()))?;
        Ok(Some(value))
    }

    fn wrong(&self, reason: &str) -> Failure {
        Failure::new(format!("{}, line {}: {reason}", self.file, self.number))
    }
}

fn node(line: &Value) -> Result<Node, String> {
    let path = line["path"].as_str().ok_or("no path")?.to_owned();
    path::check(&path).map_err(|failure| failure.message)?;
    let data = match (&line["data"], &line["dataBase64"]) {
        (Value::String(text), Value::Null) => Some(text.clone().into_bytes()),
        (Value::Null, Value::String(text)) => {
            let data = STANDARD.decode(text).map_err(|error| error.to_string())?;
            Some(data)
        }
        (Value::Null, Value::Null) => None,
        _ => return Err("data are neither text nor null".to_owned()),
    };
    let entries = line["acl"].as_array().ok_or("no acl")?;
    let mut list = Vec::with_capacity(entries.len());
    for entry in entries {
        let entry = entry.as_str().ok_or("an entry of the acl is no text")?;
        list.push(acl::parse_one(entry)?);
    }
    let ttl = line["ttl"].as_i64();
    let mode = match line["kind"].as_str() {
        None | Some("persistent") => CreateMode::Persistent,
        Some("container") => CreateMode::Container,
        Some("ttl") if ttl.is_some() => CreateMode::PersistentWithTtl,
        Some(other) => return Err(format!("{other} is no kind of node that can be imported")),
    };
    Ok(Node {
        path,
        data,
        acl: list,
        mode,
        ttl,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_kept_as_seen_from_the_top() {
        for (path, top, expected) in [
            ("/a/b", "/a", "/b"),
            ("/a", "/a", "/"),
            ("/a", "/", "/a"),
            ("/", "/", "/"),
        ] {
            assert_eq!(below(path, top), expected);
        }
        assert!(is_systems("/zookeeper"));
        assert!(is_systems("/zookeeper/quota"));
        assert!(!is_systems("/zookeepers"));
    }

    fn read(text: &str) -> Result<(String, Vec<Node>), String> {
        let mut lines = Lines::new("f", text.as_bytes());
        let mut read = || {
            let root = lines.root()?;
            let mut nodes = Vec::new();
            while let Some(node) = lines.node()? {
                nodes.push(node);
            }
            Ok((root, nodes))
        };
        read().map_err(|failure: Failure| failure.message)
    }

    const HEAD: &str = r#"{"format":"zabkeeper-export","version":1,"root":"/app"}"#;

    #[test]
    fn files_are_read_back() {
        let text = format!(
            "{HEAD}\n{}\n{}\n{}\n",
            r#"{"path":"/","data":"x","acl":["world:anyone:cdrwa"]}"#,
            r#"{"path":"/b","dataBase64":"/wA=","acl":["digest:bob:h=:r"],"kind":"container"}"#,
            r#"{"path":"/b/c","data":null,"acl":["ip:::1:w"],"kind":"ttl","ttl":70}"#,
        );
        let (root, nodes) = read(&text).expect("valid");
        assert_eq!(root, "/app");
        let shown: Vec<_> = nodes
            .iter()
            .map(|node| (node.path.as_str(), node.data.clone(), node.mode, node.ttl))
            .collect();
        assert_eq!(
            shown,
            [
                ("/", Some(b"x".to_vec()), CreateMode::Persistent, None),
                ("/b", Some(vec![0xff, 0]), CreateMode::Container, None),
                ("/b/c", None, CreateMode::PersistentWithTtl, Some(70)),
            ]
        );
        assert_eq!(acl::entry_text(&nodes[2].acl[0]), "ip:::1:w");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let table = [
            (
                "",
                "f, line 1: the file is no export, or of another version",
            ),
            (
                "{}",
                "f, line 1: the file is no export, or of another version",
            ),
            (
                r#"{"path":"b","data":"x","acl":[]}"#,
                "f, line 2: Path must start with / character",
            ),
            (r#"{"data":"x","acl":[]}"#, "f, line 2: no path"),
            (r#"{"path":"/b","data":"x"}"#, "f, line 2: no acl"),
            (
                r#"{"path":"/b","data":7,"acl":[]}"#,
                "f, line 2: data are neither text nor null",
            ),
            (
                r#"{"path":"/b","data":"x","acl":["world:anyone:q"]}"#,
                "f, line 2: Unknown perm type: q",
            ),
            (
                r#"{"path":"/b","data":"x","acl":[],"kind":"ephemeral"}"#,
                "f, line 2: ephemeral is no kind of node that can be imported",
            ),
        ];
        for (line, expected) in table {
            let text = match line {
                "" | "{}" => line.to_owned(),
                line => format!("{HEAD}\n{line}\n"),
            };
            assert_eq!(read(&text), Err(expected.to_owned()), "{line}");
        }
    }
}
