use std::time::Duration;

use jute::CreateMode;
use jute::data::{Acl, Stat};

use super::Payload;
use crate::session::{NodeKind, Reply, Request, WritePart};
use crate::shell::call::Call;
use crate::shell::chroot::Chroot;
use crate::shell::client::{Client, pick};
use crate::shell::error::Error;

/// Longest time to live that the protocol can say, milliseconds.
const TTL_MS_MAX: u128 = (1 << 40) - 1;

/// What kind of node to create, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    kind: Kind,
    sequential: bool,
    acl: Vec<Acl<'static>>,
    with_stat: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Persistent,
    Ephemeral,
    Container,
    Ttl(Duration),
}

impl CreateOptions {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            sequential: false,
            acl: vec![Acl::open()],
            with_stat: true,
        }
    }

    /// A node that stays until it is deleted; open to everyone until [`acl`](Self::acl) says
    /// otherwise.
    pub fn persistent() -> Self {
        Self::of(Kind::Persistent)
    }

    /// A node that goes with the session.
    pub fn ephemeral() -> Self {
        Self::of(Kind::Ephemeral)
    }

    /// A node that the server deletes some time after its last child has gone. Needs a server
    /// of 3.5.1 or later.
    pub fn container() -> Self {
        Self::of(Kind::Container)
    }

    /// A node that the server deletes when it has no children and its data were not changed for
    /// so long: 1 to 2^40 - 1 ms. Needs a server of 3.5.3 or later with
    /// `extendedTypesEnabled`.
    pub fn ttl(time_to_live: Duration) -> Self {
        Self::of(Kind::Ttl(time_to_live))
    }

    /// Appends a number that grows with each child of the parent, ten digits wide. Containers
    /// have none.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.sequential = true;
        self
    }

    /// The access control list.
    #[must_use]
    pub fn acl(mut self, acl: Vec<Acl<'static>>) -> Self {
        self.acl = acl;
        self
    }

    /// Does not ask for the Stat, which servers before 3.5 cannot give: that of
    /// [`Created`] is `None` then.
    #[must_use]
    pub fn without_stat(mut self) -> Self {
        self.with_stat = false;
        self
    }

    fn kind(&self) -> Result<NodeKind, Error> {
        let mode = match (self.kind, self.sequential) {
            (Kind::Persistent, false) => CreateMode::Persistent,
            (Kind::Persistent, true) => CreateMode::PersistentSequential,
            (Kind::Ephemeral, false) => CreateMode::Ephemeral,
            (Kind::Ephemeral, true) => CreateMode::EphemeralSequential,
            (Kind::Container, _) => CreateMode::Container,
            (Kind::Ttl(_), false) => CreateMode::PersistentWithTtl,
            (Kind::Ttl(_), true) => CreateMode::PersistentSequentialWithTtl,
        };
        let Kind::Ttl(ttl) = self.kind else {
            return Ok(NodeKind::of(mode));
        };
        match ttl.as_millis() {
            ttl_ms @ 1..=TTL_MS_MAX => Ok(NodeKind {
                mode,
                ttl_ms: ttl_ms as i64,
            }),
            _ => Err(Error::InvalidTtl),
        }
    }

    pub(super) fn part(
        &self,
        root: &Chroot,
        path: &str,
        data: Payload,
    ) -> Result<WritePart, Error> {
        let kind = self.kind()?;
        let path = match kind.mode.is_sequential() {
            true => root.full_sequential(path)?,
            false => root.full(path)?,
        };
        Ok(WritePart::Create {
            path,
            data: data.0,
            acl: self.acl.clone(),
            kind,
            with_stat: self.with_stat,
        })
    }
}

/// A new node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its path, with the number of a sequential one.
    pub path: String,
    /// Its Stat, unless it was not asked for.
    pub stat: Option<Stat>,
}

impl Client {
    /// Creates a node.
    ///
    /// Cancellation: see [`Call`]; what was sent may create the node without telling anybody.
    pub fn create(
        &self,
        path: &str,
        data: impl Into<Payload>,
        options: &CreateOptions,
    ) -> Call<Created> {
        let part = options.part(self.root(), path, data.into());
        let request = part.map(Request::Write);
        self.call(request, |answer, root| {
            let (path, stat) = pick(answer.outcome, |reply| match reply {
                Reply::Created(path, stat) => Some((path, Some(stat))),
                Reply::Path(path) => Some((path, None)),
                _ => None,
            })?;
            let path = root.answered(path)?;
            Ok(Created { path, stat })
        })
    }
}
