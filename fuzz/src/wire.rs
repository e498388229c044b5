//! Decoders of the wire format: what decodes has an encoded form that decodes to the same.

use jute::data::{Acl, Id, Stat, StatPersisted};
use jute::frame::Frames;
use jute::proto::*;
use jute::txn::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, ErrorTxn, LogEntry, SetAclTxn, SetDataTxn, Txn, TxnDigest, TxnHeader,
};
use jute::wire::{Decode, DecodeError, Encode, Limits, Reader};

/// Checks one record type against `bytes`: decoded, encoded and decoded again it is equal,
/// and nothing is left over.
macro_rules! round_trips {
    ($bytes:expr, $limits:expr; $($record:ty),* $(,)?) => {{
        $(
            let mut reader = Reader::new($bytes, $limits);
            let decoded = <$record as Decode<'_>>::decode(&mut reader);
            check_end(decoded.as_ref().err(), &reader, $bytes);
            if let Ok(record) = decoded {
                let mut encoded = Vec::new();
                record.encode(&mut encoded);
                let mut reader = Reader::new(&encoded, Limits::default());
                let again = <$record as Decode<'_>>::decode(&mut reader);
                assert_eq!(again.as_ref(), Ok(&record), stringify!($record));
                assert_eq!(reader.remaining(), 0, stringify!($record));
            }
        )*
    }};
}

/// Offsets point into the bytes, so that a log line can name them.
fn check_end(error: Option<&DecodeError>, reader: &Reader<'_>, bytes: &[u8]) {
    assert!(reader.position() <= bytes.len());
    if let Some(error) = error {
        assert!(error.offset <= bytes.len(), "{error}");
    }
}

/// Every request and reply of the client port, and the records they are made of.
fn records(bytes: &[u8], limits: Limits) {
    round_trips!(bytes, limits;
        RequestHeader, ReplyHeader, ConnectRequest<'_>, ConnectResponse<'_>,
        CreateRequest<'_>, CreateTtlRequest<'_>, CreateResponse<'_>, Create2Response<'_>,
        DeleteRequest<'_>, DeleteContainerRequest<'_>, SetDataRequest<'_>, SetDataResponse,
        SetAclRequest<'_>, SetAclResponse, CheckVersionRequest<'_>,
        ExistsRequest<'_>, ExistsResponse, GetDataRequest<'_>, GetDataResponse<'_>,
        GetChildrenRequest<'_>, GetChildrenResponse<'_>, GetChildren2Response<'_>,
        GetAclRequest<'_>, GetAclResponse<'_>, GetEphemeralsRequest<'_>,
        GetEphemeralsResponse<'_>, GetAllChildrenNumberRequest<'_>,
        GetAllChildrenNumberResponse, SetWatches<'_>, SetWatches2<'_>, AddWatchRequest<'_>,
        CheckWatchesRequest<'_>, WatcherEvent<'_>, SyncRequest<'_>, SyncResponse<'_>,
        AuthPacket<'_>, ClientInfo<'_>, WhoAmIResponse<'_>, GetSaslRequest<'_>,
        SetSaslResponse<'_>, ReconfigRequest<'_>, MultiHeader, ErrorResponse,
        MultiReadRequest<'_>, Id<'_>, Acl<'_>, Stat, StatPersisted,
    );
}

/// Records of the log.
fn txn_records(bytes: &[u8], limits: Limits) {
    round_trips!(bytes, limits;
        TxnHeader, TxnDigest, CreateTxn<'_>, CreateContainerTxn<'_>, CreateTtlTxn<'_>,
        DeleteTxn<'_>, SetDataTxn<'_>, SetAclTxn<'_>, CheckVersionTxn<'_>, CreateSessionTxn,
        CloseSessionTxn<'_>, ErrorTxn,
    );
}

/// A client's stream: frames, and in each a header and any request.
pub fn client_frame(input: &[u8]) {
    for body in Frames::new(input, Limits::DEFAULT_MAX_BUFFER).map_while(Result::ok) {
        let mut reader = Reader::new(body, Limits::default());
        if RequestHeader::decode(&mut reader).is_ok() {
            records(reader.rest(), Limits::default());
            records(reader.rest(), SMALL);
        }
    }
}

/// Limits that the short inputs of a fuzzer reach.
pub(crate) const SMALL: Limits = Limits {
    max_len: 16,
    max_depth: 1,
};

/// The first packet of a connection, and the answer to it.
pub fn connect(input: &[u8]) {
    round_trips!(input, Limits::default(); ConnectRequest<'_>, ConnectResponse<'_>);
    round_trips!(input, SMALL; ConnectRequest<'_>, ConnectResponse<'_>);
}

/// The operations of a multi and of a multiRead.
pub fn multi(input: &[u8]) {
    round_trips!(input, Limits::default(); MultiReadRequest<'_>);
    let Some(first) = multi_request(input) else {
        return;
    };
    // Flags may decide over the type of an operation, so it is the second form that is
    // stable.
    let encoded = encoded(&first);
    let second = multi_request(&encoded).expect("an encoded multi decodes");
    assert_eq!(first.ops.len(), second.ops.len());
    let encoded = self::encoded(&second);
    assert_eq!(multi_request(&encoded).as_ref(), Some(&second));
}

fn multi_request(bytes: &[u8]) -> Option<MultiRequest<'_>> {
    MultiRequest::decode(&mut Reader::new(bytes, Limits::default())).ok()
}

pub(crate) fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

/// An entry of the log, parts of a multi included.
pub fn txn_entry(input: &[u8]) {
    txn_records(input, Limits::default());
    txn_records(input, SMALL);
    let Ok(entry) = LogEntry::from_bytes(input, Limits::default()) else {
        return;
    };
    let bytes = entry.to_bytes();
    let again = LogEntry::from_bytes(&bytes, Limits::default());
    if is_canonical(&entry) {
        assert_eq!(again.as_ref(), Ok(&entry));
    }
    if let Txn::Multi(parts) = &entry.txn {
        for part in parts {
            if let Ok(txn) = part.decode_body(Limits::default()) {
                assert_eq!(txn.op().as_i32(), part.kind);
                encoded(&txn);
            }
        }
    }
}

/// A bare closeSession cannot be told from one with a list by anything but its length, so
/// only a digest that servers write survives.
fn is_canonical(entry: &LogEntry<'_>) -> bool {
    match (&entry.txn, &entry.digest) {
        (Txn::CloseSession(None), Some(digest)) => digest.version == TxnDigest::VERSION,
        _ => true,
    }
}
