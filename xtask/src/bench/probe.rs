//! The smallest client: is there an answer to a read yet?

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use jute::proto::{ConnectRequest, GetDataRequest, ReplyHeader, RequestHeader};
use jute::wire::{Decode, Encode, Limits, Reader};
use jute::{OpCode, frame};

/// How long a server may take to its first read.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pause between attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// How long one attempt may take.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// Longest reply accepted, bytes.
const REPLY_MAX: usize = 1 << 20;

/// Waits until a read of this znode is answered; returns the time since `start`.
pub(super) fn first_read(server: SocketAddr, path: &str, start: Instant) -> Result<Duration> {
    while start.elapsed() < PATIENCE {
        match read(server, path) {
            Ok(0) => return Ok(start.elapsed()),
            Ok(err) => bail!("getData {path}: error {err}"),
            Err(_) => thread::sleep(RETRY_INTERVAL),
        }
    }
    bail!("no answer to a read within {PATIENCE:?}")
}

/// The answer to a four-letter word.
pub(super) fn word(server: SocketAddr, word: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(ATTEMPT_LIMIT))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.take(REPLY_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

/// Opens a session and reads; returns the reply's error code.
fn read(server: SocketAddr, path: &str) -> Result<i32> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ATTEMPT_LIMIT))?;
    let mut out = Vec::new();
    frame::append(&mut out, |out| {
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id: 0,
            passwd: Some(&[0; 16]),
            read_only: Some(false),
        }
        .encode(out);
    });
    for op in [OpCode::GetData, OpCode::CloseSession] {
        frame::append(&mut out, |out| {
            let (xid, op) = (op.as_i32(), op.as_i32());
            RequestHeader { xid, op }.encode(out);
            if op == OpCode::GetData.as_i32() {
                let path = Some(path.into());
                GetDataRequest { path, watch: false }.encode(out);
            }
        });
    }
    stream.write_all(&out)?;
    frame_body(&mut stream)?;
    let body = frame_body(&mut stream)?;
    Ok(ReplyHeader::decode(&mut Reader::new(&body, Limits::default()))?.err)
}

fn frame_body(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut prefix = [0; frame::PREFIX_LEN];
    stream.read_exact(&mut prefix)?;
    let len = usize::try_from(i32::from_be_bytes(prefix))?;
    ensure!(len <= REPLY_MAX, "a reply of {len} bytes");
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok(body)
}
