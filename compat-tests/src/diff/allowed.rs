//! Where the two servers may differ: the whole list, each with its reason.
//!
//! A row is either *left out* (the generator never makes it) or *not compared*. Nothing else is
//! forgiven. The table is printed by `diff --list-allowed`.

/// How a row is kept from being a divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Never generated: it harms the reference server, or copying it would be wrong.
    LeftOut,
    /// Generated; the named part of the answer is not compared, or compared in another form.
    Normalised,
}

/// One permitted difference.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// What it concerns.
    pub(crate) what: &'static str,
    /// How it is treated.
    pub(crate) treatment: Treatment,
    /// Why no client library can trip over it.
    pub(crate) reason: &'static str,
}

const fn left_out(what: &'static str, reason: &'static str) -> Allowed {
    Allowed {
        what,
        treatment: Treatment::LeftOut,
        reason,
    }
}

const fn normalised(what: &'static str, reason: &'static str) -> Allowed {
    Allowed {
        what,
        treatment: Treatment::Normalised,
        reason,
    }
}

/// Every permitted difference.
pub(crate) const TABLE: &[Allowed] = &[
    left_out(
        "opcode -10 from a client",
        "internal; the reference answers with a second connect response",
    ),
    left_out(
        "opcode 20 from a client",
        "internal; the reference deletes nodes without any ACL check",
    ),
    left_out(
        "opcode 21 with a plain flag and ttl -1",
        "kills the reference server for good",
    ),
    left_out(
        "setData on /zookeeper/config as super",
        "the reference accepts it; refusing is safer",
    ),
    left_out(
        "requests pipelined behind closeSession",
        "served or dropped by a race in the reference",
    ),
    left_out(
        "auth, and requests that close the connection, behind others",
        "their replies overtake in the reference; they are sent alone",
    ),
    left_out(
        "writes pipelined behind setACL",
        "the reference checks them against the old ACL until the new one is applied, a race",
    ),
    left_out(
        "writes pipelined behind multi",
        "when the multi fails, versions and sequence numbers of what follows depend on a race in the reference",
    ),
    left_out(
        "requests pipelined behind createContainer with an ephemeral flag",
        "the reference refuses children of the new container until it is applied, a race",
    ),
    left_out(
        "pipelined writes below a hard quota",
        "the reference checks against what was applied so far, a race; they are sent alone",
    ),
    left_out(
        "characters above U+FFFF in ids and echoed paths",
        "the reference writes CESU-8, which strict readers refuse",
    ),
    normalised(
        "session ids and passwords",
        "opaque to clients; ids are named in order of creation",
    ),
    normalised(
        "ctime and mtime",
        "wall clocks; checked to be near now, ctime <= mtime, equal while czxid = mzxid",
    ),
    normalised(
        "order of children, ephemerals and identities",
        "hash order, unspecified; compared as sets",
    ),
    normalised(
        "order of the identities that an auth entry of an ACL stands for",
        "hash order in the reference; runs of entries alike but for the id are compared as sets",
    ),
    normalised(
        "order of events of one closing or expiring session",
        "the reference deletes ephemerals in hash order; compared as sets",
    ),
    normalised(
        "zxid of the reply to a truncated single write",
        "the reference logs an error under a used zxid; a replacement makes no transaction",
    ),
    normalised(
        "body behind an error of multiRead",
        "the reference leaves a stray terminator there; clients do not read behind an error",
    ),
];
