//! What each connection sends. Requests are stamped from templates: per request one copy,
//! two patched fields, no allocation.

use jute::data::{Acl, Id, perms};
use jute::proto::{CreateRequest, GetDataRequest, RequestHeader, SetDataRequest};
use jute::wire::Encode;
use jute::{CreateMode, OpCode, frame};

use super::Op;

/// Digits that a numbered path ends in.
const DIGITS: usize = 10;
/// Where the xid stands in a request frame.
const XID_AT: usize = frame::PREFIX_LEN;
/// Where the text of a request's first string stands: prefix, header, length.
const PATH_AT: usize = frame::PREFIX_LEN + 8 + 4;

/// Children that fill puts below one parent.
pub(super) const FILL_CHILDREN: u64 = 1_000;

/// Appends a request frame.
pub(super) fn append(out: &mut Vec<u8>, xid: i32, op: OpCode, body: impl Encode) {
    frame::append(out, |out| {
        let op = op.as_i32();
        RequestHeader { xid, op }.encode(out);
        body.encode(out);
    });
}

/// Appends a request that has no body.
pub(super) fn append_bare(out: &mut Vec<u8>, xid: i32, op: OpCode) {
    frame::append(out, |out| {
        let op = op.as_i32();
        RequestHeader { xid, op }.encode(out);
    });
}

/// The request that creates an open znode.
pub(super) fn create<'a>(path: &'a str, data: &'a [u8], mode: CreateMode) -> CreateRequest<'a> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(data),
        acl: Some(vec![Acl {
            perms: perms::ALL,
            id: Id::new("world", "anyone"),
        }]),
        flags: mode.as_i32(),
    }
}

/// The path of a numbered znode.
pub(super) fn numbered(stem: &str, number: u64) -> String {
    format!("{stem}{number:0DIGITS$}")
}

/// A request frame whose path ends in a number of [`DIGITS`] digits.
#[derive(Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    digits_end: usize,
}

impl Template {
    pub(super) fn get(stem: &str) -> Self {
        Self::new(stem, OpCode::GetData, |path| GetDataRequest {
            path: Some(path.to_owned().into()),
            watch: false,
        })
    }

    pub(super) fn set(stem: &str, data: &[u8]) -> Self {
        Self::new(stem, OpCode::SetData, |path| SetDataRequest {
            path: Some(path.to_owned().into()),
            data: Some(data),
            version: -1,
        })
    }

    pub(super) fn create(stem: &str, data: &[u8]) -> Self {
        let path = numbered(stem, 0);
        Self::new(stem, OpCode::Create, |_| {
            create(&path, data, CreateMode::Persistent)
        })
    }

    fn new<B: Encode>(stem: &str, op: OpCode, body: impl FnOnce(&str) -> B) -> Self {
        let path = numbered(stem, 0);
        let mut bytes = Vec::new();
        append(&mut bytes, 0, op, body(&path));
        let digits_end = PATH_AT + path.len();
        assert_eq!(&bytes[PATH_AT..digits_end], path.as_bytes());
        Self { bytes, digits_end }
    }

    /// Appends the frame with this xid and path number.
    pub(super) fn stamp(&self, out: &mut Vec<u8>, xid: i32, mut number: u64) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let copy = &mut out[start..];
        copy[XID_AT..XID_AT + 4].copy_from_slice(&xid.to_be_bytes());
        for digit in copy[self.digits_end - DIGITS..self.digits_end]
            .iter_mut()
            .rev()
        {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
}

/// Deterministic numbers (splitmix64); the load needs speed and a seed, not secrecy.
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`, by multiplication instead of division.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(bound)) >> 64) as u64
    }
}

/// Data of a znode: letters, which neither compress to nothing nor upset a terminal.
pub(super) fn data(size: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..size).map(|_| b'a' + dice.below(26) as u8).collect()
}

/// An endless or bounded stream of requests for one connection.
pub(super) enum Requests {
    /// Reads and writes of random keys.
    Keyed {
        get: Template,
        set: Template,
        keys: u64,
        read_percent: u64,
        dice: Dice,
    },
    /// New znodes below one parent.
    Create { template: Template, next: u64 },
    /// The share of one connection in a two-level tree.
    Fill(Fill),
}

impl Requests {
    /// The stream of a get, set or mix.
    pub(super) fn keyed(op: Op, stem: &str, keys: u64, data: &[u8], seed: u64) -> Self {
        let read_percent = match op {
            Op::Set => 0,
            Op::Mix { read_percent } => u64::from(read_percent),
            _ => 100,
        };
        Self::Keyed {
            get: Template::get(stem),
            set: Template::set(stem, data),
            keys,
            read_percent,
            dice: Dice::new(seed),
        }
    }

    /// Appends the next request; `false` when there is none.
    pub(super) fn append_next(&mut self, xid: i32, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Keyed {
                get,
                set,
                keys,
                read_percent,
                dice,
            } => {
                let template = match *read_percent {
                    100 => get,
                    0 => set,
                    percent if dice.below(100) < percent => get,
                    _ => set,
                };
                template.stamp(out, xid, dice.below(*keys));
            }
            Self::Create { template, next } => {
                template.stamp(out, xid, *next);
                *next += 1;
            }
            Self::Fill(fill) => return fill.append_next(xid, out),
        }
        true
    }
}

/// Creates the children of every n-th parent, n being the number of connections.
pub(super) struct Fill {
    prefix: String,
    data: Vec<u8>,
    keys: u64,
    parent: u64,
    stride: u64,
    child: u64,
    template: Template,
}

impl Fill {
    pub(super) fn new(prefix: &str, data: &[u8], keys: u64, first: u64, stride: u64) -> Self {
        Self {
            prefix: prefix.to_owned(),
            data: data.to_owned(),
            keys,
            parent: first,
            stride,
            child: 0,
            template: Self::template(prefix, first, data),
        }
    }

    /// The parents' stem; parents are numbered from 0.
    pub(super) fn parent_stem(prefix: &str) -> String {
        format!("{prefix}/d")
    }

    fn template(prefix: &str, parent: u64, data: &[u8]) -> Template {
        let parent = numbered(&Self::parent_stem(prefix), parent);
        Template::create(&format!("{parent}/n"), data)
    }

    fn append_next(&mut self, xid: i32, out: &mut Vec<u8>) -> bool {
        if self.child == FILL_CHILDREN {
            self.child = 0;
            self.parent += self.stride;
            self.template = Self::template(&self.prefix, self.parent, &self.data);
        }
        if self.parent * FILL_CHILDREN + self.child >= self.keys {
            return false;
        }
        self.template.stamp(out, xid, self.child);
        self.child += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jute::wire::{Decode, Limits, Reader};

    #[test]
    fn a_stamped_template_is_the_request() {
        let data = data(20, 7);
        let mut out = Vec::new();
        Template::set("/p/k", &data).stamp(&mut out, 77, 1_234_567_890);
        let body = frame::first(&out, 1 << 20).unwrap().unwrap();
        let mut reader = Reader::new(body, Limits::default());
        let header = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!((header.xid, header.op), (77, OpCode::SetData.as_i32()));
        let request = SetDataRequest::decode(&mut reader).unwrap();
        assert_eq!(request.path.as_deref(), Some("/p/k1234567890"));
        assert_eq!(request.data, Some(&data[..]));
    }

    #[test]
    fn fill_covers_every_key_once() {
        let mut paths = std::collections::BTreeSet::new();
        let keys = 2_500;
        for first in 0..4 {
            let mut fill = Fill::new("/f", b"", keys, first, 4);
            let mut out = Vec::new();
            while fill.append_next(1, &mut out) {
                let body = frame::first(&out, 1 << 20).unwrap().unwrap();
                let mut reader = Reader::new(&body[8..], Limits::default());
                let path = CreateRequest::decode(&mut reader).unwrap().path.unwrap();
                assert!(paths.insert(path.into_owned()));
                out.clear();
            }
        }
        assert_eq!(paths.len() as u64, keys);
        assert!(paths.contains("/f/d0000000002/n0000000499"));
    }
}
