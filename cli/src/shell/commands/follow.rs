//! What goes on: watch, top.

use std::io::IsTerminal as _;
use std::time::Duration;

use client::{AddWatchMode, Notice, WatchEvent};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{argument, number};
use crate::shell::events::{event_json, kind_name};
use crate::shell::failure::Failure;
use crate::shell::options::Given;
use crate::shell::output::Format;
use crate::shell::{Shell, path, render};

/// Pause between two looks of `top`, seconds.
const INTERVAL: &str = "2";
/// How long a server may take to answer `top`.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest answer taken from a server, bytes.
const ANSWER_MAX: u64 = 64 * 1024;
const DEFAULT_PORT: u16 = 2181;

pub(crate) async fn watch(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let top = argument(given, 0);
    path::check(top)?;
    let mut left = given.value("n").map(number).transpose()?;
    let link = shell.link()?;
    let mode = AddWatchMode::PersistentRecursive;
    let watcher = link.client().add_watch(top, mode).await;
    let mut watcher = watcher.map_err(|error| crate::shell::link::failure(&error, Some(top)))?;
    while left != Some(0) {
        let notice = watcher.next().await;
        match notice.map_err(|end| Failure::new(end.to_string()))? {
            Notice::Event(event) => {
                let data = if given.has("d") {
                    data_after(shell, &event).await?
                } else {
                    None
                };
                show_event(shell, &event, data.as_deref())?;
                left = left.map(|left| left - 1);
            }
            Notice::Disconnected => {
                gap(
                    shell,
                    "the connection is lost: changes are missed from here on",
                )?;
            }
            Notice::Reconnected => gap(shell, "connected again")?,
            Notice::Lost(count) => gap(shell, &format!("{count} events came too fast"))?,
        }
    }
    Ok(())
}

/// The data of the node that an event is about, which may have changed again.
async fn data_after(shell: &Shell, event: &WatchEvent) -> Result<Option<Vec<u8>>, Failure> {
    match shell.link()?.get(&event.path, false).await {
        Ok((data, _)) => Ok(Some(data.unwrap_or_default())),
        Err(failure) if failure.code.is_some() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn show_event(shell: &Shell, event: &WatchEvent, data: Option<&[u8]>) -> Result<(), Failure> {
    let kind = kind_name(event.kind);
    let zxid = event.zxid.unwrap_or(-1);
    let mut line = format!("0x{zxid:x} {kind} {}", event.path);
    if let Some(data) = data {
        line.push_str(&format!(" = {}", String::from_utf8_lossy(data)));
    }
    shell.out.live(&line, || {
        let mut object = Map::new();
        object.insert(
            "event".to_owned(),
            event_json(kind, &event.path, event.zxid),
        );
        if data.is_some() {
            render::data_json(&mut object, data);
        }
        Value::Object(object)
    })
}

fn gap(shell: &Shell, reason: &str) -> Result<(), Failure> {
    shell
        .out
        .live(&format!("-- {reason}"), || json!({"gap": reason}))
}

pub(crate) async fn top(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let interval = given.value("i").unwrap_or(INTERVAL);
    let seconds = interval
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0);
    let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let pause = pause.ok_or_else(|| Failure::new(format!("{interval} is no number of seconds")))?;
    let mut left = given.value("n").map(number).transpose()?;
    let servers = servers(shell.server());
    let mut before: Vec<Option<Server>> = Vec::new();
    let clears = shell.out.format() == Format::Text && std::io::stdout().is_terminal();
    while left != Some(0) {
        let looks: Vec<_> = servers
            .iter()
            .map(|server| tokio::spawn(look(server.clone())))
            .collect();
        let mut now = Vec::new();
        for look in looks {
            now.push(look.await.unwrap_or_else(|error| Err(error.to_string())));
        }
        if clears {
            // Home, and everything below it empty.
            shell.out.prompt("\x1b[H\x1b[2J")?;
        }
        show_servers(shell, &servers, &now, &before, pause)?;
        before = now.into_iter().map(Result::ok).collect();
        left = left.map(|left| left - 1);
        if left != Some(0) {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

/// The servers of a connect string, each with its port.
fn servers(connect_string: &str) -> Vec<String> {
    let hosts = connect_string.split('/').next().unwrap_or_default();
    let hosts = hosts
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty());
    hosts
        .map(|host| match host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
            _ => format!("{host}:{DEFAULT_PORT}"),
        })
        .collect()
}

/// What a server says of itself in answer to `srvr`.
#[derive(Debug, Clone, Default, PartialEq)]
struct Server {
    mode: String,
    connections: u64,
    outstanding: u64,
    received: u64,
    sent: u64,
    /// Least, mean and greatest, milliseconds, as the server writes them.
    latency: String,
    nodes: u64,
    zxid: String,
}

async fn look(server: String) -> Result<Server, String> {
    let asking = async {
        let mut stream = TcpStream::connect(&server).await?;
        stream.write_all(b"srvr").await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, asking).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())?;
    let answer = answer.map_err(|error| error.to_string())?;
    let first = answer
        .lines()
        .next()
        .unwrap_or("an empty answer")
        .to_owned();
    Server::parse(&answer).ok_or(first)
}

impl Server {
    fn parse(answer: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut lines = answer.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        };
        let number = |key| value(key)?.parse().ok();
        Some(Self {
            mode: value("Mode")?.to_owned(),
            connections: number("Connections")?,
            outstanding: number("Outstanding")?,
            received: number("Received")?,
            sent: number("Sent")?,
            latency: value("Latency min/avg/max")?.to_owned(),
            nodes: number("Node count")?,
            zxid: value("Zxid")?.to_owned(),
        })
    }
}

fn show_servers(
    shell: &Shell,
    names: &[String],
    now: &[Result<Server, String>],
    before: &[Option<Server>],
    pause: Duration,
) -> Result<(), Failure> {
    let width = names.iter().map(String::len).max().unwrap_or(0).max(6);
    shell.out.chat(&format!(
        "{:width$}  {:10} {:>6} {:>6} {:>9} {:>9} {:>14} {:>9}  {}",
        "server", "mode", "conns", "outst", "recv/s", "sent/s", "ms min/avg/max", "nodes", "zxid"
    ))?;
    for (at, (name, server)) in names.iter().zip(now).enumerate() {
        let server = match server {
            Ok(server) => server,
            Err(reason) => {
                let value = || json!({"server": name, "error": reason});
                shell.out.live(&format!("{name:width$}  {reason}"), value)?;
                continue;
            }
        };
        let earlier = before.get(at).and_then(Option::as_ref);
        let rate = |now: u64, then: fn(&Server) -> u64| {
            let then = earlier.map(then)?;
            Some(now.saturating_sub(then) as f64 / pause.as_secs_f64())
        };
        let received = rate(server.received, |server| server.received);
        let sent = rate(server.sent, |server| server.sent);
        let shown =
            |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
        let line = format!(
            "{name:width$}  {:10} {:>6} {:>6} {:>9} {:>9} {:>14} {:>9}  {}",
            server.mode,
            server.connections,
            server.outstanding,
            shown(received),
            shown(sent),
            server.latency,
            server.nodes,
            server.zxid
        );
        shell.out.live(&line, || {
            json!({
                "server": name,
                "mode": server.mode,
                "connections": server.connections,
                "outstanding": server.outstanding,
                "receivedPerSecond": received,
                "sentPerSecond": sent,
                "latency": server.latency,
                "nodes": server.nodes,
                "zxid": server.zxid,
            })
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_ports() {
        assert_eq!(
            servers("a:1, b,[::1]:5,[::1]/x:9/y"),
            ["a:1", "b:2181", "[::1]:5", "[::1]:2181"]
        );
        assert_eq!(servers(""), Vec::<String>::new());
    }

    #[test]
    fn answers_are_read_by_their_keys() {
        let answer = "Zookeeper version: 3.9.5-x, built on y\nLatency min/avg/max: 0/0.25/7\n\
                      Received: 10\nSent: 9\nConnections: 2\nOutstanding: 1\nZxid: 0x1b\n\
                      Mode: standalone\nNode count: 8\n";
        let server = Server::parse(answer).expect("complete");
        assert_eq!(server.latency, "0/0.25/7");
        assert_eq!((server.received, server.sent), (10, 9));
        assert_eq!((server.connections, server.outstanding), (2, 1));
        assert_eq!((server.nodes, server.zxid.as_str()), (8, "0x1b"));
        assert_eq!(server.mode, "standalone");
        let refused = "srvr is not executed because it is not in the whitelist.";
        assert_eq!(Server::parse(refused), None);
    }
}
