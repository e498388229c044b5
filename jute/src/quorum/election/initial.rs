use crate::quorum::{Endpoint, ServerId};
use crate::wire::{DecodeError, DecodeErrorKind, Encode, Limits, Reader};

/// Longest list of addresses in bytes. An empty one is not allowed either.
pub const ADDRESSES_LEN_MAX: usize = 2048;

/// First long of the message with one address.
const V1: i64 = -65536;
/// First long of the message with several.
const V2: i64 = -65535;
/// Between two addresses.
const SEPARATOR: char = '|';

const LIMITS: Limits = Limits {
    max_len: ADDRESSES_LEN_MAX,
    max_depth: 1,
};

/// The forms of an [`InitialMessage`]. Every server reads all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialForm {
    /// The id alone, from servers before 3.5.
    Bare,
    /// With one address.
    V1,
    /// With any number of addresses, where `multiAddress.enabled` is set.
    V2,
}

/// The first message of a connection to the election port. It is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMessage {
    /// Its form.
    pub form: InitialForm,
    /// Who dials.
    pub server: ServerId,
    /// Where the dialler can be dialled; empty in the bare form. May contain wildcards,
    /// which say nothing.
    pub addresses: Vec<Endpoint>,
}

impl InitialMessage {
    /// The addresses that can be dialled.
    pub fn reachable(&self) -> impl Iterator<Item = &Endpoint> {
        let addresses = self.addresses.iter();
        addresses.filter(|address| !address.is_wildcard())
    }
}

impl Encode for InitialMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        let form = match self.form {
            InitialForm::Bare => return self.server.0.encode(out),
            InitialForm::V1 => V1,
            InitialForm::V2 => V2,
        };
        form.encode(out);
        self.server.0.encode(out);
        let addresses: Vec<_> = self.addresses.iter().map(Endpoint::to_string).collect();
        let text = addresses.join(&SEPARATOR.to_string());
        Some(text.as_bytes()).encode(out);
    }
}

/// The initial message at the front of `buf` and its length in bytes, or `None` while it is
/// incomplete.
///
/// # Errors
/// An unknown protocol, a list of addresses that is empty or longer than [`ADDRESSES_LEN_MAX`], or
/// an address that is not `host:port`: the connection must be closed.
pub fn first_initial(buf: &[u8]) -> Result<Option<(InitialMessage, usize)>, DecodeError> {
    let mut reader = Reader::new(buf, LIMITS);
    match decode(&mut reader) {
        Ok(message) => Ok(Some((message, reader.position()))),
        Err(error) if matches!(error.kind, DecodeErrorKind::Truncated { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn decode(reader: &mut Reader<'_>) -> Result<InitialMessage, DecodeError> {
    let first = reader.i64()?;
    let form = match first {
        0.. => {
            return Ok(InitialMessage {
                form: InitialForm::Bare,
                server: ServerId(first),
                addresses: Vec::new(),
            });
        }
        V1 => InitialForm::V1,
        V2 => InitialForm::V2,
        _ => return Err(reader.error(DecodeErrorKind::InvalidField("protocol"))),
    };
    let server = ServerId(reader.i64()?);
    let empty = reader.error(DecodeErrorKind::BadLength(0));
    let text = reader.buffer()?.filter(|text| !text.is_empty());
    let text = String::from_utf8_lossy(text.ok_or(empty)?);
    let parsed = text
        .trim_end_matches(SEPARATOR)
        .split(SEPARATOR)
        .map(Endpoint::parse);
    let addresses = parsed
        .collect::<Result<_, _>>()
        .map_err(|_| reader.error(DecodeErrorKind::InvalidField("address")))?;
    Ok(InitialMessage {
        form,
        server,
        addresses,
    })
}
