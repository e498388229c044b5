//! Frames over a connection that stands.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use jute::frame::{BadFrameLength, PREFIX_LEN};
use jute::quorum::election::{FRAME_LEN_MAX, first_frame};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::ElectionOptions;
use super::mailbox::{Arrival, Connection, Mail, Mailbox};
use crate::net::socket;

/// Room that is made before a read.
const READ_CHUNK: usize = 4096;
/// An input buffer that grew beyond this is given back once it is empty.
const INPUT_KEPT: usize = 16 * READ_CHUNK;

/// Options of every connection. A peer that takes nothing for as long as a dial may last is gone:
/// its machine would at least acknowledge the bytes.
pub(super) fn prepare(stream: &TcpStream, options: &ElectionOptions) -> io::Result<()> {
    socket::set_options(stream, options.tcp_keep_alive)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(options.cnx_timeout))
}

/// How a conversation ends.
pub(super) enum Ending {
    /// The peer is gone: closed by it, or an error.
    Lost(Option<io::Error>),
    /// The peer dialled anew.
    Replaced(Arrival),
    /// It sent what is no frame.
    BadFrame(BadFrameLength),
}

/// What outlives a connection to a peer.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The last frame that was written, as a whole or in part.
    pub(super) last: Option<Bytes>,
    /// Whether it may be lost with its connection, and that was not looked after yet.
    pub(super) at_risk: bool,
}

/// Sends what is in the mailbox and hands on what is received, until it ends. `receive` gets the
/// body of each frame; each takes one of `places`.
pub(super) async fn hold(
    connection: Connection,
    mailbox: &Mailbox,
    sent: &mut Sent,
    places: &Arc<Semaphore>,
    mut receive: impl FnMut(&[u8], tokio::sync::OwnedSemaphorePermit),
) -> Ending {
    let Connection {
        mut stream,
        mut input,
        ..
    } = connection;
    let (mut reader, mut writer) = stream.split();
    let mut output = Bytes::new();
    let mut first = true;
    loop {
        let (arrival, message) = mailbox.with(|mail| {
            let message = output.is_empty().then(|| take_message(mail));
            (mail.arrival.take(), message.flatten())
        });
        if let Some(arrival) = arrival {
            return Ending::Replaced(arrival);
        }
        if let Some(message) = message {
            sent.last = Some(message.clone());
            sent.at_risk = true;
            output = message;
        } else if first && let Some(last) = &sent.last {
            output = last.clone();
        }
        first = false;
        let frame_len = match first_frame(&input) {
            Ok(frame) => frame.map(<[u8]>::len),
            Err(bad) => return Ending::BadFrame(bad),
        };
        tokio::select! {
            place = Arc::clone(places).acquire_owned(), if frame_len.is_some() => {
                let len = frame_len.unwrap_or_default();
                if let Ok(place) = place {
                    receive(&input[PREFIX_LEN..PREFIX_LEN + len], place);
                }
                consume(&mut input, PREFIX_LEN + len);
            }
            read = read(&mut reader, &mut input), if frame_len.is_none() => match read {
                Ok(0) => return Ending::Lost(None),
                Ok(_) => {}
                Err(error) => return Ending::Lost(Some(error)),
            },
            written = writer.write_buf(&mut output), if !output.is_empty() => {
                if let Err(error) = written {
                    return Ending::Lost(Some(error));
                }
            }
            () = mailbox.changed() => {}
        }
    }
}

fn take_message(mail: &mut Mail) -> Option<Bytes> {
    let message = mail.message.take()?;
    mail.wanted = false;
    Some(message)
}

/// What was received is never longer than a frame and what one read brought with it.
async fn read(
    reader: &mut (impl tokio::io::AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<usize> {
    assert!(input.len() < PREFIX_LEN + FRAME_LEN_MAX, "a frame ended");
    input.reserve(READ_CHUNK);
    reader.read_buf(input).await
}

fn consume(input: &mut BytesMut, len: usize) {
    input.advance(len);
    if input.is_empty() && input.capacity() > INPUT_KEPT {
        *input = BytesMut::new();
    }
}
