//! What a server tells of itself.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The answer to a four-letter word.
pub(crate) async fn ask(server: SocketAddr, word: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(word.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A number that `mntr` tells.
pub(crate) async fn gauge(server: SocketAddr, name: &str) -> Result<i64> {
    let answer = ask(server, "mntr").await?;
    let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
    let value = lines
        .find(|(told, _)| *told == name)
        .map(|(_, value)| value);
    let value = value.with_context(|| format!("mntr does not tell {name}"))?;
    Ok(value.parse()?)
}
