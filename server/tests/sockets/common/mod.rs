//! A real server process and a small blocking client for it.

mod client;
mod ensemble;
mod process;

pub(crate) use client::{Client, Event, Reply, Wire, connect_request, frame};
pub(crate) use ensemble::{Ensemble, Learner};
pub(crate) use process::{Server, configure, run_to_end};

use jute::data::Acl;
use jute::proto::{CreateRequest, DeleteRequest, ExistsRequest, GetDataRequest, SetDataRequest};
use jute::wire::Encode;

/// The body of a request that has none.
pub(crate) struct Nothing;

impl Encode for Nothing {
    fn encode(&self, _: &mut Vec<u8>) {}
}

/// The bytes of a record.
pub(crate) fn bytes(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

pub(crate) fn create<'a>(path: &'a str, data: &'a [u8], flags: i32) -> CreateRequest<'a> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(data),
        acl: Some(vec![Acl::open()]),
        flags,
    }
}

pub(crate) fn delete(path: &str, version: i32) -> DeleteRequest<'_> {
    DeleteRequest {
        path: Some(path.into()),
        version,
    }
}

pub(crate) fn set<'a>(path: &'a str, data: &'a [u8], version: i32) -> SetDataRequest<'a> {
    SetDataRequest {
        path: Some(path.into()),
        data: Some(data),
        version,
    }
}

pub(crate) fn get(path: &str, watch: bool) -> GetDataRequest<'_> {
    GetDataRequest {
        path: Some(path.into()),
        watch,
    }
}

pub(crate) fn exists(path: &str, watch: bool) -> ExistsRequest<'_> {
    ExistsRequest {
        path: Some(path.into()),
        watch,
    }
}
