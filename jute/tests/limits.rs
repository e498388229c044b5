//! Null and empty, and what bounds a decoder: lengths, counts, depth.

mod common;

use common::{encoded, exactly};
use jute::data::Acl;
use jute::frame;
use jute::proto::{
    CreateRequest, GetDataRequest, MultiHeader, MultiReadRequest, MultiRequest, SetDataRequest,
    WhoAmIResponse,
};
use jute::txn::{SubTxn, Txn};
use jute::wire::{Decode, DecodeErrorKind, Limits, Reader};
use jute::{Buffer, OpCode, Ustring};

const NULL: [u8; 4] = [0xff; 4];
const EMPTY: [u8; 4] = [0; 4];

fn limits(max_len: usize, max_depth: u32) -> Limits {
    Limits { max_len, max_depth }
}

fn error<'a, T: Decode<'a>>(bytes: &'a [u8], limits: Limits) -> Option<DecodeErrorKind> {
    let mut reader = Reader::new(bytes, limits);
    T::decode(&mut reader).err().map(|error| error.kind)
}

#[test]
fn null_is_not_empty() {
    assert_eq!(exactly::<Ustring<'_>>(&NULL), None);
    assert_eq!(exactly::<Ustring<'_>>(&EMPTY), Some("".into()));
    assert_eq!(exactly::<Buffer<'_>>(&NULL), None);
    assert_eq!(exactly::<Buffer<'_>>(&EMPTY), Some(&[][..]));
    assert_eq!(exactly::<Option<Vec<i32>>>(&NULL), None);
    assert_eq!(exactly::<Option<Vec<i32>>>(&EMPTY), Some(Vec::new()));
}

#[test]
fn lengths_out_of_range() {
    for len in [i32::MIN, -2, 6, i32::MAX] {
        let bytes = [&len.to_be_bytes()[..], b"sixsix"].concat();
        let expected = Some(DecodeErrorKind::BadLength(len));
        assert_eq!(error::<Buffer<'_>>(&bytes, limits(5, 1)), expected);
        assert_eq!(error::<Ustring<'_>>(&bytes, limits(5, 1)), expected);
    }
    let bytes = encoded(&Some(&b"fives"[..]));
    assert_eq!(error::<Buffer<'_>>(&bytes, limits(5, 1)), None);
}

#[test]
fn a_length_beyond_the_end() {
    let bytes = [&5_i32.to_be_bytes()[..], b"four"].concat();
    let expected = DecodeErrorKind::Truncated {
        wanted: 5,
        available: 4,
    };
    assert_eq!(error::<Buffer<'_>>(&bytes, limits(5, 1)), Some(expected));
}

/// A count says how many items come, and is a lie as often as not: only items that are
/// there take memory.
#[test]
fn counts_that_lie() {
    for count in [1, 1000, i32::MAX] {
        let bytes = count.to_be_bytes();
        let truncated = |error| matches!(error, Some(DecodeErrorKind::Truncated { .. }));
        assert!(truncated(error::<Option<Vec<i64>>>(&bytes, limits(5, 1))));
        assert!(truncated(error::<WhoAmIResponse<'_>>(&bytes, limits(5, 1))));
    }
    // As Java reads them.
    for count in [i32::MIN, -2] {
        let bytes = count.to_be_bytes();
        let mut reader = Reader::new(&bytes, limits(5, 1));
        assert_eq!(reader.vector::<i64>(), Ok(Some(Vec::new())));
    }
}

/// Vectors inside vectors, as deep as a type can say.
#[derive(Debug)]
struct Nested;

impl Decode<'_> for Nested {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, jute::wire::DecodeError> {
        reader.vector::<Self>().map(|_| Self)
    }
}

#[test]
fn depth_is_bounded() {
    let one = 1_i32.to_be_bytes();
    let nested = |depth: usize| [one.repeat(depth), EMPTY.to_vec()].concat();
    assert_eq!(error::<Nested>(&nested(3), limits(5, 4)), None);
    let too_deep = Some(DecodeErrorKind::TooDeep);
    assert_eq!(error::<Nested>(&nested(4), limits(5, 4)), too_deep);
    // Far deeper than a stack would bear.
    assert_eq!(
        error::<Nested>(&nested(1 << 20), Limits::default()),
        too_deep
    );
}

#[test]
fn a_level_ends_with_its_vector() {
    let mut reader = Reader::new(&[0; 8], limits(5, 1));
    assert_eq!(reader.vector::<i32>(), Ok(Some(Vec::new())));
    assert_eq!(reader.vector::<i32>(), Ok(Some(Vec::new())));
}

#[test]
fn a_multi_does_not_nest() {
    let part = SubTxn {
        kind: OpCode::Multi.as_i32(),
        data: &[0; 4],
    };
    let kind = part
        .decode_body(Limits::default())
        .map_err(|error| error.kind);
    assert_eq!(kind, Err(DecodeErrorKind::TooDeep));
    let nested = encoded(&MultiHeader::request(OpCode::Multi));
    let unknown = Some(DecodeErrorKind::UnknownType(OpCode::Multi.as_i32()));
    assert_eq!(
        error::<MultiRequest<'_>>(&nested, Limits::default()),
        unknown
    );
}

#[test]
fn multis_refuse_what_is_not_theirs() {
    let header = |kind: i32| MultiHeader {
        kind,
        done: false,
        err: -1,
    };
    let reads = [OpCode::GetData, OpCode::GetChildren].map(OpCode::as_i32);
    let writes = [OpCode::Create, OpCode::Delete, OpCode::Check].map(OpCode::as_i32);
    let neither = [OpCode::Exists.as_i32(), OpCode::Error.as_i32(), 4711];
    let unknown = |kind| Some(DecodeErrorKind::UnknownType(kind));
    for kind in neither {
        let bytes = encoded(&header(kind));
        let found = error::<MultiRequest<'_>>(&bytes, Limits::default());
        assert_eq!(found, unknown(kind));
    }
    for kind in reads {
        let mut bytes = encoded(&header(kind));
        bytes.extend(encoded(&GetDataRequest {
            path: Some("/a".into()),
            watch: false,
        }));
        bytes.extend(encoded(&MultiHeader::END));
        let found = error::<MultiRequest<'_>>(&bytes, Limits::default());
        assert_eq!(found, unknown(kind));
    }
    for kind in writes.into_iter().chain(neither) {
        let bytes = encoded(&header(kind));
        let found = error::<MultiReadRequest<'_>>(&bytes, Limits::default());
        assert_eq!(found, unknown(kind));
    }
}

#[test]
fn flags_that_a_multi_refuses() {
    for (flags, refused) in [
        (-1, true),
        (0, false),
        (4, false),
        (5, true),
        (6, true),
        (7, true),
    ] {
        let create = CreateRequest {
            path: Some("/a".into()),
            data: None,
            acl: Some(vec![Acl::open()]),
            flags,
        };
        let mut bytes = encoded(&MultiHeader::request(OpCode::Create));
        bytes.extend(encoded(&create));
        bytes.extend(encoded(&MultiHeader::END));
        let expected = refused.then_some(DecodeErrorKind::InvalidField("flags"));
        assert_eq!(
            error::<MultiRequest<'_>>(&bytes, Limits::default()),
            expected,
            "{flags}"
        );
    }
}

#[test]
fn nulls_that_a_multi_refuses() {
    let create = |path: Option<&str>, acl| CreateRequest {
        path: path.map(|path| path.to_owned().into()),
        data: None,
        acl,
        flags: 0,
    };
    let open = || Some(vec![Acl::open()]);
    for (request, refused) in [
        (create(Some("/a"), open()), None),
        (
            create(None, open()),
            Some(DecodeErrorKind::InvalidField("path")),
        ),
        (create(Some("/a"), None), Some(MultiRequest::NULL_ACL)),
    ] {
        let mut bytes = encoded(&MultiHeader::request(OpCode::Create));
        bytes.extend(encoded(&request));
        bytes.extend(encoded(&MultiHeader::END));
        let found = error::<MultiRequest<'_>>(&bytes, Limits::default());
        assert_eq!(found, refused, "{request:?}");
    }
}

#[test]
fn unknown_transactions() {
    for kind in [0, 3, 4, 9, 11, 22, 100, 4711, i32::MIN] {
        let mut reader = Reader::new(&[0; 64], Limits::default());
        let found = Txn::decode(kind, &mut reader).map_err(|error| error.kind);
        assert_eq!(found, Err(DecodeErrorKind::UnknownType(kind)));
    }
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    let bytes = encoded(&Some(&b"/a\xff\xfeb"[..]));
    let mut reader = Reader::new(&bytes, Limits::default());
    assert_eq!(reader.ustring(), Ok(Some("/a\u{fffd}\u{fffd}b".into())));
}

#[test]
fn errors_say_where() {
    let request = SetDataRequest {
        path: Some("/abc".into()),
        data: Some(b"data"),
        version: 7,
    };
    let bytes = encoded(&request);
    // Where each read begins: the path's length and text, the data's, the version.
    let starts = [0, 4, 8, 12, 16];
    for end in 0..bytes.len() {
        let mut reader = Reader::new(&bytes[..end], Limits::default());
        let error = SetDataRequest::decode(&mut reader).expect_err("it is cut");
        let expected = starts.into_iter().rfind(|start| *start <= end);
        assert_eq!(Some(error.offset), expected, "{end}: {error}");
    }
}

#[test]
fn the_longest_frame() {
    let mut frame = Vec::new();
    frame::append(&mut frame, |out| out.extend_from_slice(&[0; 10]));
    assert_eq!(
        frame::first(&frame, 10).map(|body| body.map(<[u8]>::len)),
        Ok(Some(10))
    );
    assert!(frame::first(&frame, 9).is_err());
    assert!(frame::first(&i32::MAX.to_be_bytes(), 9).is_err());
}
