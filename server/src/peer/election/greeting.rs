//! The first message of a connection: who dials.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use jute::quorum::election::{ADDRESSES_LEN_MAX, InitialForm, InitialMessage, first_initial};
use jute::quorum::{Endpoint, ServerId};
use jute::wire::Encode;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::complaints::Fault;

/// Room for the longest initial message, and for the start of what follows.
const READ_CHUNK: usize = 4096;

/// The largest id that session ids have room for. What is larger, and does not come with the
/// number of a protocol, is no id but the text of some other protocol.
const PLAIN_ID_MAX: i64 = 255;

/// The bytes with which this server introduces itself.
pub(super) fn own(me: ServerId, own: &[Endpoint], multi_address: bool) -> Bytes {
    let (form, mut told) = match own {
        [first, ..] if !multi_address => (InitialForm::V1, vec![first.clone()]),
        _ => (InitialForm::V2, own.to_vec()),
    };
    let len = |told: &[Endpoint]| -> usize {
        told.iter()
            .map(|address| address.to_string().len() + 1)
            .sum()
    };
    while told.len() > 1 && len(&told) > ADDRESSES_LEN_MAX {
        told.pop();
    }
    let message = InitialMessage {
        form,
        server: me,
        addresses: told,
    };
    let mut out = Vec::new();
    message.encode(&mut out);
    out.into()
}

/// Reads the initial message. What came behind it is left for the next reader.
pub(super) async fn receive(
    stream: &mut TcpStream,
    timeout: Duration,
) -> Result<(InitialMessage, BytesMut), Fault> {
    let mut input = BytesMut::with_capacity(READ_CHUNK);
    let message = tokio::time::timeout(timeout, async {
        loop {
            match stream.read_buf(&mut input).await {
                Ok(0) | Err(_) => return Err(Fault::Gone),
                Ok(_) => {}
            }
            if let Some((message, len)) = first_initial(&input).map_err(Fault::Foreign)? {
                return Ok((message, len));
            }
        }
    });
    let (message, len) = message.await.unwrap_or(Err(Fault::Silent(timeout)))?;
    input.advance(len);
    Ok((message, input))
}

/// Who dialled, and what becomes of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// Its id; none if it has none of its own.
    pub(super) server: Option<ServerId>,
    /// Where it can be dialled, sorted.
    pub(super) told: Vec<Endpoint>,
}

impl Caller {
    /// Judges an initial message.
    pub(super) fn from_message(
        message: InitialMessage,
        me: ServerId,
        is_member: impl Fn(ServerId) -> bool,
    ) -> Result<Self, Fault> {
        let server = message.server;
        let plain = message.form == InitialForm::Bare;
        if server == me {
            return Err(Fault::OwnId(me));
        }
        let anonymous = server == ServerId::ANONYMOUS;
        if !anonymous && !is_member(server) {
            if server.0 < 0 {
                return Err(Fault::NegativeId(server));
            }
            if plain && server.0 > PLAIN_ID_MAX {
                return Err(Fault::NoServerId(server.0));
            }
        }
        let mut told: Vec<_> = message.reachable().cloned().collect();
        told.sort();
        Ok(Self {
            server: (!anonymous).then_some(server),
            told,
        })
    }
}
