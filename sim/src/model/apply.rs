//! What each transaction does, and when it cannot have been made.

use std::rc::Rc;

use jute::data::{Acl, StatPersisted};
use jute::proto::EventType;
use jute::txn::{LogEntry, Txn, TxnHeader};
use jute::wire::Limits;
use state::tree::Owner;

use super::view::owner;
use super::{AclList, Change, Model, Node, parent};

/// A node to be made.
struct NewNode<'a> {
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &'a [Acl<'a>],
    owner: i64,
    parent_cversion: i32,
}

impl Model {
    /// Applies the next transaction.
    ///
    /// # Errors
    /// When no valid history has this transaction here.
    pub(crate) fn apply(&mut self, bytes: &[u8]) -> Result<(), String> {
        let entry = LogEntry::from_bytes(bytes, Limits::default());
        let entry = entry.map_err(|error| format!("unreadable transaction: {error}"))?;
        let header = entry.header;
        let last = self.last_zxid;
        let begins_epoch = header.zxid >> 32 > last >> 32 && header.zxid as i32 == 1;
        if header.zxid != last + 1 && !begins_epoch {
            return Err(format!("zxid {:#x} follows {last:#x}", header.zxid));
        }
        self.last_zxid = header.zxid;
        match entry.txn {
            Txn::Multi(parts) => {
                let mut txns = Vec::new();
                for part in &parts {
                    let body = part.decode_body(Limits::default());
                    txns.push(body.map_err(|error| format!("unreadable part: {error}"))?);
                }
                let failed = txns.iter().any(|txn| matches!(txn, Txn::Error(_)));
                if failed {
                    return Ok(());
                }
                txns.into_iter().try_for_each(|txn| self.one(&header, txn))
            }
            txn => self.one(&header, txn),
        }
    }

    fn one(&mut self, header: &TxnHeader, txn: Txn<'_>) -> Result<(), String> {
        match &txn {
            Txn::Create(txn) | Txn::Create2(txn) => {
                let owner = if txn.ephemeral { header.client_id } else { 0 };
                self.create(
                    header,
                    NewNode {
                        path: txn.path.as_deref().unwrap_or_default(),
                        data: txn.data,
                        acl: txn.acl.as_deref().unwrap_or_default(),
                        owner,
                        parent_cversion: txn.parent_cversion,
                    },
                )
            }
            Txn::CreateContainer(txn) => self.create(
                header,
                NewNode {
                    path: txn.path.as_deref().unwrap_or_default(),
                    data: txn.data,
                    acl: txn.acl.as_deref().unwrap_or_default(),
                    owner: Owner::CONTAINER_RAW,
                    parent_cversion: txn.parent_cversion,
                },
            ),
            Txn::CreateTtl(txn) => self.create(
                header,
                NewNode {
                    path: txn.path.as_deref().unwrap_or_default(),
                    data: txn.data,
                    acl: txn.acl.as_deref().unwrap_or_default(),
                    owner: Owner::ttl_raw(txn.ttl),
                    parent_cversion: txn.parent_cversion,
                },
            ),
            Txn::Delete(txn) => self.delete(header, txn.path.as_deref().unwrap_or_default()),
            Txn::DeleteContainer(txn) => {
                let path = txn.path.as_deref().unwrap_or_default();
                let kept = self.now(path).map(owner);
                match kept {
                    Some(Owner::Container | Owner::Ttl(_)) => self.delete(header, path),
                    other => Err(format!("{path} was reaped and is {other:?}")),
                }
            }
            Txn::SetData(txn) => {
                let path = txn.path.as_deref().unwrap_or_default();
                self.set_data(header, path, txn.data, txn.version)
            }
            Txn::SetAcl(txn) => {
                let acl = txn.acl.as_deref().unwrap_or_default();
                self.set_acl(
                    header,
                    txn.path.as_deref().unwrap_or_default(),
                    acl,
                    txn.version,
                )
            }
            Txn::CreateSession(txn) => {
                let old = self.sessions.insert(header.client_id, txn.timeout_ms);
                match old {
                    None => Ok(()),
                    Some(_) => Err(format!("session {:#x} opened twice", header.client_id)),
                }
            }
            Txn::CloseSession(txn) => {
                let listed = txn.as_ref().and_then(|txn| txn.paths_to_delete.as_deref());
                let listed = listed.unwrap_or_default().iter().flatten();
                self.close_session(header, listed.map(|path| path.as_ref()))
            }
            // The configuration's node is none of the model's: each server also writes it by
            // itself.
            Txn::Check(_) | Txn::Error(_) | Txn::Reconfig(_) => Ok(()),
            Txn::Multi(_) => Err(format!("{txn:?} is not expected here")),
        }
    }

    fn create(&mut self, header: &TxnHeader, new: NewNode<'_>) -> Result<(), String> {
        let path = new.path;
        if self.now(path).is_some() {
            return Err(format!("{path} created although it exists"));
        }
        let parent_path = parent(path).ok_or("a node without a parent")?;
        let parent = self.now(parent_path);
        let mut parent = parent
            .ok_or_else(|| format!("{path} created without a parent"))?
            .clone();
        if matches!(owner(&parent), Owner::Session(_)) {
            return Err(format!("{path} created below an ephemeral"));
        }
        if new.parent_cversion != parent.stat.cversion + 1 {
            let (found, before) = (new.parent_cversion, parent.stat.cversion);
            return Err(format!("{path}: cversion {found} follows {before}"));
        }
        parent.stat.cversion = new.parent_cversion;
        parent.stat.pzxid = header.zxid;
        let acl: AclList = new.acl.iter().cloned().map(Acl::into_owned).collect();
        self.change(header.zxid, EventType::NodeCreated, path, &acl, &parent.acl);
        let node = Node {
            data: new.data.map(Rc::from),
            acl,
            stat: StatPersisted {
                czxid: header.zxid,
                mzxid: header.zxid,
                ctime: header.time,
                mtime: header.time,
                ephemeral_owner: new.owner,
                pzxid: header.zxid,
                ..StatPersisted::default()
            },
        };
        self.put(parent_path, header.zxid, Some(parent));
        self.put(path, header.zxid, Some(node));
        Ok(())
    }

    fn delete(&mut self, header: &TxnHeader, path: &str) -> Result<(), String> {
        let node = self.now(path);
        let acl = Rc::clone(&node.ok_or_else(|| format!("{path} deleted twice"))?.acl);
        if !self.children(path, header.zxid).is_empty() {
            return Err(format!("{path} deleted although it has children"));
        }
        let parent_path = parent(path).ok_or("the root was deleted")?;
        let parent = self.now(parent_path);
        let mut parent = parent
            .ok_or_else(|| format!("{path} has no parent"))?
            .clone();
        parent.stat.pzxid = header.zxid;
        self.change(header.zxid, EventType::NodeDeleted, path, &acl, &parent.acl);
        self.put(parent_path, header.zxid, Some(parent));
        self.put(path, header.zxid, None);
        Ok(())
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
    ) -> Result<(), String> {
        let node = self.now(path);
        let mut node = node
            .ok_or_else(|| format!("{path} written and missing"))?
            .clone();
        if version != node.stat.version + 1 {
            let before = node.stat.version;
            return Err(format!("{path}: version {version} follows {before}"));
        }
        node.data = data.map(Rc::from);
        node.stat.version = version;
        node.stat.mzxid = header.zxid;
        node.stat.mtime = header.time;
        let acl = Rc::clone(&node.acl);
        self.change(header.zxid, EventType::NodeDataChanged, path, &acl, &acl);
        self.put(path, header.zxid, Some(node));
        Ok(())
    }

    fn set_acl(
        &mut self,
        header: &TxnHeader,
        path: &str,
        acl: &[Acl<'_>],
        version: i32,
    ) -> Result<(), String> {
        let node = self.now(path);
        let mut node = node
            .ok_or_else(|| format!("{path} given an ACL and missing"))?
            .clone();
        if version != node.stat.aversion + 1 {
            let before = node.stat.aversion;
            return Err(format!("{path}: aversion {version} follows {before}"));
        }
        node.acl = acl.iter().cloned().map(Acl::into_owned).collect();
        node.stat.aversion = version;
        self.put(path, header.zxid, Some(node));
        Ok(())
    }

    fn close_session<'a>(
        &mut self,
        header: &TxnHeader,
        listed: impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let session = header.client_id;
        let mut listed = listed.peekable();
        if self.sessions.remove(&session).is_none() {
            // A client asked for it again, or when it had expired: a leader whose followers may be
            // stock ones proposes it, and nothing happens.
            if header.cxid != 0 && listed.peek().is_none() {
                return Ok(());
            }
            return Err(format!("session {session:#x} closed and not open"));
        }
        let mut owned = self.ephemerals(session, header.zxid);
        for path in listed {
            let Some(at) = owned.iter().position(|own| own == path) else {
                return Err(format!("{path} goes with a session that does not own it"));
            };
            owned.remove(at);
            self.delete(header, path)?;
        }
        if owned.is_empty() {
            Ok(())
        } else {
            Err(format!("session {session:#x} is closed and {owned:?} stay"))
        }
    }

    fn change(
        &mut self,
        zxid: i64,
        kind: EventType,
        path: &str,
        acl: &AclList,
        parent_acl: &AclList,
    ) {
        self.changes.push(Change {
            zxid,
            kind,
            path: path.to_owned(),
            acl: Rc::clone(acl),
            parent_acl: Rc::clone(parent_acl),
        });
    }
}
