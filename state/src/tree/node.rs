use jute::data::StatPersisted;

use super::NodeId;
use super::family::NO_FAMILY;
use crate::acl::AclId;

/// One node: 96 bytes and a block that holds name and data.
///
/// `cversion`, `pzxid` and the children stand in the node's family, if it has one.
pub(super) struct Node {
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) owner: i64,
    /// The name, and behind it the data.
    content: Box<[u8]>,
    pub(super) version: i32,
    pub(super) aversion: i32,
    pub(super) parent: NodeId,
    pub(super) next_sibling: NodeId,
    pub(super) prev_sibling: NodeId,
    pub(super) family: u32,
    pub(super) acl: AclId,
    pub(super) content_crc: u32,
    /// Length of the name, and three flags above it.
    name_len: u32,
}

const _: () = assert!(size_of::<Node>() == 96, "the memory target counts on this");

const NULL_DATA: u32 = 1 << 31;
const OUTSIDE_DIGEST: u32 = 1 << 30;
const BURIED: u32 = 1 << 29;
const NAME_LEN: u32 = BURIED - 1;

impl Node {
    pub(super) fn new(name: &str, data: Option<&[u8]>, acl: AclId, stat: &StatPersisted) -> Self {
        let name_len = u32::try_from(name.len()).expect("a name is shorter than a frame");
        assert!(name_len <= NAME_LEN, "a name is shorter than a frame");
        let mut node = Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            owner: stat.ephemeral_owner,
            content: Box::default(),
            version: stat.version,
            aversion: stat.aversion,
            parent: NodeId::NONE,
            next_sibling: NodeId::NONE,
            prev_sibling: NodeId::NONE,
            family: NO_FAMILY,
            acl,
            content_crc: 0,
            name_len,
        };
        node.fill(name.as_bytes(), data);
        node
    }

    pub(super) fn root() -> Self {
        Self::new("", Some(b""), AclId::OPEN, &StatPersisted::default())
    }

    pub(super) fn name(&self) -> &str {
        let bytes = &self.content[..(self.name_len & NAME_LEN) as usize];
        // Checked rather than trusted; names are short, and this is not on the lookup path.
        std::str::from_utf8(bytes).expect("a name was UTF-8 when it was stored")
    }

    pub(super) fn name_bytes(&self) -> &[u8] {
        &self.content[..(self.name_len & NAME_LEN) as usize]
    }

    /// Name and data.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    pub(super) fn data(&self) -> Option<&[u8]> {
        (self.name_len & NULL_DATA == 0)
            .then(|| &self.content[(self.name_len & NAME_LEN) as usize..])
    }

    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        let name_len = (self.name_len & NAME_LEN) as usize;
        let same_len = self.content.len() - name_len == data.map_or(0, <[u8]>::len);
        if same_len {
            self.content[name_len..].copy_from_slice(data.unwrap_or_default());
            self.set_flag(NULL_DATA, data.is_none());
        } else {
            let old = std::mem::take(&mut self.content);
            self.fill(&old[..name_len], data);
        }
    }

    fn fill(&mut self, name: &[u8], data: Option<&[u8]>) {
        let bytes = data.unwrap_or_default();
        let mut content = Vec::with_capacity(name.len() + bytes.len());
        content.extend_from_slice(name);
        content.extend_from_slice(bytes);
        self.content = content.into_boxed_slice();
        self.set_flag(NULL_DATA, data.is_none());
    }

    pub(super) fn is_outside_digest(&self) -> bool {
        self.name_len & OUTSIDE_DIGEST != 0
    }

    pub(super) fn set_outside_digest(&mut self, outside: bool) {
        self.set_flag(OUTSIDE_DIGEST, outside);
    }

    /// Was it removed while a walk is under way? Then only its link to the next sibling counts.
    pub(super) fn is_buried(&self) -> bool {
        self.name_len & BURIED != 0
    }

    pub(super) fn bury(&mut self) {
        self.content = Box::default();
        self.name_len = BURIED;
    }

    fn set_flag(&mut self, flag: u32, on: bool) {
        if on {
            self.name_len |= flag;
        } else {
            self.name_len &= !flag;
        }
    }
}
