//! Requests that change nothing: nodes, watches, and what a session or connection has.
//!
//! A read runs under the shared half of the state's lock and writes its reply's body
//! straight from the tree. The lock on the watches is taken only if one is set, tested or
//! removed, and inside the other one.

mod listing;
mod multi;
mod node;
mod own;
mod watch;

#[cfg(test)]
mod tests;

use jute::data::Id;
use jute::wire::{Decode, Reader};
use jute::{ErrorCode, OpCode};
use parking_lot::MutexGuard;

use crate::acl::{self, AclId, AuthConfig};
use crate::state::State;
use crate::tree::NodeId;
use crate::watch::{EventSink, WatcherId, Watches};

/// Who asks.
#[derive(Clone, Copy)]
pub struct ReadContext<'a> {
    /// The session.
    pub session: i64,
    /// The connection, which watches are set for.
    pub watcher: WatcherId,
    /// The connection's identities when the request arrived.
    pub identities: &'a [Id<'static>],
    /// The server's rules for them.
    pub auth: &'a AuthConfig,
}

impl State {
    /// Executes a read: appends the reply's body to `out` and sets the watch it asks for.
    /// The events by which setWatches makes up for a lost connection go to `sink`; they
    /// come before the reply.
    ///
    /// # Errors
    /// The code for the reply's header; the caller cuts off what was appended.
    /// [`ErrorCode::Unimplemented`] for an operation that is not a read.
    pub fn read(
        &self,
        context: &ReadContext<'_>,
        op: OpCode,
        body: &[u8],
        out: &mut Vec<u8>,
        sink: &mut impl EventSink,
    ) -> Result<(), ErrorCode> {
        match op {
            OpCode::Exists => self.exists(context, body, out),
            OpCode::GetData => self.get_data(context, body, out),
            OpCode::GetAcl => self.get_acl(context, body, out),
            OpCode::GetChildren => self.get_children(context, body, out),
            OpCode::GetChildren2 => self.get_children2(context, body, out),
            OpCode::GetAllChildrenNumber => self.get_all_children_number(context, body, out),
            OpCode::GetEphemerals => self.get_ephemerals(context, body, out),
            OpCode::MultiRead => self.multi_read(context, body, out),
            OpCode::WhoAmI => {
                own::who_am_i(context, out);
                Ok(())
            }
            OpCode::Sync => self.sync(body, out),
            OpCode::SetWatches => self.set_watches(context, body, sink),
            OpCode::SetWatches2 => self.set_watches2(context, body, sink),
            OpCode::AddWatch => self.add_watch(context, body, out),
            OpCode::CheckWatches => self.check_watches(context, body),
            OpCode::RemoveWatches => self.remove_watches(context, body),
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// The watches. Whoever holds the guard must not wait for the state's lock.
    pub fn watches(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock()
    }

    fn decode<'a, T: Decode<'a>>(&self, body: &'a [u8]) -> Result<T, ErrorCode> {
        T::decode(&mut Reader::new(body, self.options.limits))
            .map_err(|_| ErrorCode::MarshallingError)
    }

    /// The node, if it is there and the connection has one of these permissions on it.
    fn permitted(
        &self,
        context: &ReadContext<'_>,
        path: &str,
        perms: i32,
    ) -> Result<NodeId, ErrorCode> {
        let id = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        if self.permits(context, id, perms) {
            Ok(id)
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    fn permits(&self, context: &ReadContext<'_>, id: NodeId, perms: i32) -> bool {
        // The list of nearly every node, and open is open to all.
        self.tree.acl(id) == AclId::OPEN
            || acl::node_allows(self.acl_of(id), perms, context.identities, context.auth)
    }
}

/// The path of a request; Apache answers a null one as if it could not be decoded.
fn given<T>(path: Option<T>) -> Result<T, ErrorCode> {
    path.ok_or(ErrorCode::MarshallingError)
}
