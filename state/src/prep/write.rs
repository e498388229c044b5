//! delete, setData, setACL and check (3.4 to 3.7). The order of the checks is the sheet's.

use jute::data::perms;
use jute::proto::{CheckVersionRequest, DeleteRequest, SetAclRequest, SetDataRequest};
use jute::txn::{CheckVersionTxn, DeleteTxn, SetAclTxn, SetDataTxn, Txn};
use jute::{ErrorCode, path};

use super::draft::{Draft, next_version, parent_of, shared, validated};

impl Draft<'_> {
    /// 3.4: the permission is the parent's, and tested before the node is looked for; the
    /// version before the children.
    pub(super) fn delete<'r>(&mut self, request: DeleteRequest<'r>) -> Result<Txn<'r>, ErrorCode> {
        let path = request.path.ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of(&path)?;
        if path::is_special(&path) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.node(parent_path)?;
        self.require(&parent, perms::DELETE)?;
        let node = self.node(&path)?;
        next_version(node.stat.version, request.version)?;
        if node.child_count > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove(&path, &node, parent_path, &parent);
        Ok(Txn::Delete(DeleteTxn { path: Some(path) }))
    }

    /// 3.5: the quota comes before the version.
    pub(super) fn set_data<'r>(
        &mut self,
        request: SetDataRequest<'r>,
    ) -> Result<Txn<'r>, ErrorCode> {
        let path = validated(request.path.as_deref())?;
        let node = self.node(path)?;
        self.require(&node, perms::WRITE)?;
        let data_len = request.data.map_or(0, <[u8]>::len);
        self.check_quota(path, 0, data_len as i64 - node.data_len as i64)?;
        let version = next_version(node.stat.version, request.version)?;

        let (zxid, time) = (self.zxid.0, self.origin.now_ms);
        let content_crc = self.content_crc(path, request.data);
        self.update(path, &node, |node| {
            node.stat.version = version;
            node.stat.mzxid = zxid;
            node.stat.mtime = time;
            node.content_crc = content_crc;
            node.data_len = data_len;
        });
        Ok(Txn::SetData(SetDataTxn {
            path: request.path,
            data: request.data,
            version,
        }))
    }

    /// 3.6: the version is that of the ACL, and nothing else changes.
    pub(super) fn set_acl<'r>(&mut self, request: SetAclRequest<'r>) -> Result<Txn<'r>, ErrorCode> {
        let path = validated(request.path.as_deref())?;
        let acl = self.fixup(request.acl.as_deref())?;
        let node = self.node(path)?;
        self.require(&node, perms::ADMIN)?;
        let version = next_version(node.stat.aversion, request.version)?;

        let list = shared(&acl);
        self.update(path, &node, |node| {
            node.stat.aversion = version;
            node.acl = Some(list);
        });
        Ok(Txn::SetAcl(SetAclTxn {
            path: request.path,
            acl: Some(acl),
            version,
        }))
    }

    /// 3.7: nothing changes. The transaction holds the version after the one that was found.
    pub(super) fn check_version<'r>(
        &mut self,
        request: CheckVersionRequest<'r>,
    ) -> Result<Txn<'r>, ErrorCode> {
        let path = validated(request.path.as_deref())?;
        let node = self.node(path)?;
        self.require(&node, perms::READ)?;
        let version = next_version(node.stat.version, request.version)?;
        Ok(Txn::Check(CheckVersionTxn {
            path: request.path,
            version,
        }))
    }
}
