//! Looks for a server that takes writes, as Java's client does: each is asked `isro`.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::ReadBuf;

use super::hosts::{self, Candidate, Host};
use super::transport::Connector;

/// Rest before the servers are first asked; it doubles with each round.
const REST_MIN: Duration = Duration::from_millis(100);

/// Bound of the doubled rest.
const REST_MAX: Duration = Duration::from_secs(60);

/// So long a server has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The first server that is found to take writes.
pub(super) async fn writable(servers: Vec<Host>, connector: Connector) -> Candidate {
    let mut rest = REST_MIN;
    loop {
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(REST_MAX);
        for candidate in hosts::resolve(&servers, &connector)
            .await
            .unwrap_or_default()
        {
            let asked = tokio::time::timeout(PATIENCE, ask(&candidate, &connector)).await;
            if matches!(asked, Ok(Ok(true))) {
                return candidate;
            }
        }
    }
}

/// Does the server take writes?
async fn ask(candidate: &Candidate, connector: &Connector) -> io::Result<bool> {
    let mut transport = connector.connect(candidate).await?;
    let question = b"isro";
    let mut sent = 0;
    while sent < question.len() {
        sent += poll_fn(|context| transport.poll_write(context, &question[sent..])).await?;
    }
    poll_fn(|context| transport.poll_flush(context)).await?;
    let mut bytes = [0; 2];
    let mut answer = ReadBuf::new(&mut bytes);
    while answer.remaining() > 0 {
        let before = answer.filled().len();
        poll_fn(|context| transport.poll_read(context, &mut answer)).await?;
        if answer.filled().len() == before {
            break;
        }
    }
    Ok(answer.filled() == b"rw")
}
