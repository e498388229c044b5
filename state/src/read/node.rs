//! Reads of nodes. Paths are not validated, a node with a bad one just does not exist; ""
//! finds the root.

use jute::ErrorCode;
use jute::data::perms;
use jute::proto::{
    ExistsRequest, GetAclRequest, GetAllChildrenNumberRequest, GetAllChildrenNumberResponse,
    GetChildrenRequest, GetDataRequest,
};
use jute::wire::Encode;

use super::listing::{ORDERED_MAX, ordered};
use super::{ReadContext, given};
use crate::acl;
use crate::apply::acl_list;
use crate::state::State;
use crate::tree::NodeId;
use crate::watch::WatchKind;

impl State {
    /// Watches also a node that is not there, but none that must not be read.
    pub(super) fn exists(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: ExistsRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let found = self.permitted(context, path, perms::READ);
        if found == Err(ErrorCode::NoAuth) {
            return Err(ErrorCode::NoAuth);
        }
        self.watch_if(request.watch, context, path, WatchKind::Data);
        self.client_stat(found?).encode(out);
        Ok(())
    }

    pub(super) fn get_data(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: GetDataRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        let id = self.permitted(context, path, perms::READ)?;
        self.watch_if(request.watch, context, path, WatchKind::Data);
        self.encode_data(id, out);
        Ok(())
    }

    /// Digests are shown to administrators of the node only.
    pub(super) fn get_acl(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: GetAclRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        let id = self.permitted(context, path, perms::READ | perms::ADMIN)?;
        let list = acl_list(&self.acls, self.tree.acl(id));
        if self.permits(context, id, perms::ADMIN) {
            list.encode(out);
        } else {
            acl::mask_digests(list).as_slice().encode(out);
        }
        self.client_stat(id).encode(out);
        Ok(())
    }

    pub(super) fn get_children(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        self.list_children(context, body, out)?;
        Ok(())
    }

    pub(super) fn get_children2(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.list_children(context, body, out)?;
        self.client_stat(id).encode(out);
        Ok(())
    }

    pub(super) fn get_all_children_number(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: GetAllChildrenNumberRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        let id = self.permitted(context, path, perms::READ)?;
        // Under its empty name Apache counts the root among its own descendants.
        let itself = u32::from(path.is_empty());
        let total_number = self.tree.descendant_count(id).saturating_add(itself);
        GetAllChildrenNumberResponse {
            total_number: i32::try_from(total_number).unwrap_or(i32::MAX),
        }
        .encode(out);
        Ok(())
    }

    fn list_children(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<NodeId, ErrorCode> {
        let request: GetChildrenRequest<'_> = self.decode(body)?;
        let path = given(request.path.as_deref())?;
        let id = self.permitted(context, path, perms::READ)?;
        self.watch_if(request.watch, context, path, WatchKind::Child);
        self.encode_children(id, out);
        Ok(id)
    }

    /// The record of getData.
    pub(super) fn encode_data(&self, id: NodeId, out: &mut Vec<u8>) {
        self.tree.data(id).encode(out);
        self.client_stat(id).encode(out);
    }

    /// The record of getChildren.
    pub(super) fn encode_children(&self, id: NodeId, out: &mut Vec<u8>) {
        let count = self.tree.child_count(id);
        // The number of nodes is below 2^31 long before memory ends, see NodeId.
        (count as i32).encode(out);
        let mut list = |child| Some(self.tree.name(child).as_bytes()).encode(out);
        match count as usize <= ORDERED_MAX {
            true => ordered(&self.tree, id).for_each(&mut list),
            false => self.tree.children(id).for_each(&mut list),
        }
    }

    fn watch_if(&self, wanted: bool, context: &ReadContext<'_>, path: &str, kind: WatchKind) {
        if wanted {
            self.watches.lock().add(context.watcher, path, kind);
        }
    }
}
