//! From a snapshot and the log behind it back to a state.

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::txn::LogEntry;
use jute::wire::DecodeError;

use crate::snapshot::{LoadError, Loader};
use crate::state::{Options, State};

/// A state on its way back from the disk. Takes what recovery finds, in its order: the parts
/// of a snapshot, the snapshot's end, the entries of the log. A snapshot that turns out to
/// be bad is dropped by [`Rebuild::reset`], and another one may follow.
pub struct Rebuild {
    options: Options,
    seed: u64,
    /// The snapshot, until it has ended.
    loader: Option<Loader>,
    state: Option<State>,
}

impl Rebuild {
    /// Starts with nothing. `seed` keys the index of the tree.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            options,
            seed,
            loader: None,
            state: None,
        }
    }

    /// Forgets everything taken so far.
    pub fn reset(&mut self) {
        self.loader = None;
        self.state = None;
    }

    /// A session of the snapshot.
    pub fn session(&mut self, session: i64, timeout_ms: i32) {
        self.loader().session(session, timeout_ms);
    }

    /// A list of the snapshot; nodes refer to it by `index`.
    pub fn acl(&mut self, index: i64, acl: &[Acl<'_>]) {
        self.loader().acl(index, acl);
    }

    /// A node of the snapshot; the root's path is empty.
    ///
    /// # Errors
    /// When it has no place in the tree.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_index: i64,
        stat: &StatPersisted,
    ) -> Result<(), LoadError> {
        self.loader().node(path, data, acl_index, stat)
    }

    /// The snapshot with this zxid in its name is complete. `digest` is what its trailer
    /// says: at which zxid the tree must have which digest. If it says none, as where a leader's
    /// tree was stored, the tree has grace ([`State::begin_grace`]).
    ///
    /// # Errors
    /// When its parts are no tree.
    pub fn snapshot_done(
        &mut self,
        zxid: Zxid,
        digest: Option<(Zxid, u64)>,
    ) -> Result<(), LoadError> {
        let loader = self.loader.take().ok_or(LoadError::NoRoot)?;
        let state = self.state.insert(loader.finish(zxid, digest)?);
        let told = digest.is_some_and(|(at, _)| at != Zxid::ZERO);
        // That of zxid 0 is the empty tree, unless a leader's was walked while its first
        // transactions came.
        let (options, seed) = (self.options, self.seed);
        let empty = || State::new(options, seed).tree().digest();
        let is_known = zxid == Zxid::ZERO && state.tree().digest() == empty();
        if !told && !is_known {
            state.begin_grace();
        }
        Ok(())
    }

    /// An entry of the log; its effect may be in the snapshot already.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let (options, seed) = (self.options, self.seed);
        let state = self.state.get_or_insert_with(|| State::new(options, seed));
        state.replay(LogEntry::from_bytes(bytes, options.limits)?)?;
        Ok(())
    }

    /// The state: of the snapshot and the log, or an empty one if there was neither. How it
    /// compares with the digests on the way is in [`State::digest_check`].
    pub fn finish(self) -> State {
        let (options, seed) = (self.options, self.seed);
        self.state.unwrap_or_else(|| State::new(options, seed))
    }

    fn loader(&mut self) -> &mut Loader {
        let (options, seed) = (self.options, self.seed);
        self.loader
            .get_or_insert_with(|| Loader::new(options, seed))
    }
}

#[cfg(test)]
mod tests {
    use jute::txn::{CreateSessionTxn, Txn, TxnDigest, TxnHeader};

    use super::*;

    fn session_entry(zxid: i64) -> Vec<u8> {
        let txn = Txn::CreateSession(CreateSessionTxn { timeout_ms: 4000 });
        let header = TxnHeader {
            client_id: 0x100 + zxid,
            cxid: 0,
            zxid,
            time: 0,
            kind: txn.op().as_i32(),
        };
        let digest = None;
        LogEntry {
            header,
            txn,
            digest,
        }
        .to_bytes()
    }

    fn with_a_root() -> Rebuild {
        let mut rebuild = Rebuild::new(Options::default(), 1);
        let root = rebuild.node("", Some(b""), -1, &StatPersisted::default());
        root.expect("a root");
        rebuild
    }

    #[test]
    fn the_log_goes_on_behind_the_snapshot() {
        let mut rebuild = with_a_root();
        rebuild.session(7, 6000);
        rebuild.snapshot_done(Zxid(4), None).expect("a snapshot");
        rebuild.entry(&session_entry(5)).expect("an entry");
        let state = rebuild.finish();
        assert_eq!(state.last_zxid(), Zxid(5));
        assert_eq!(
            state.sessions().iter().collect::<Vec<_>>(),
            [(7, 6000), (0x105, 4000)]
        );
    }

    #[test]
    fn a_snapshot_that_was_given_up_leaves_nothing() {
        let mut rebuild = with_a_root();
        rebuild.session(7, 6000);
        rebuild.reset();
        assert_eq!(
            rebuild.snapshot_done(Zxid(4), None),
            Err(LoadError::NoRoot),
            "it has no nodes"
        );
        rebuild.entry(&session_entry(1)).expect("an entry");
        let state = rebuild.finish();
        assert_eq!(state.last_zxid(), Zxid(1));
        assert_eq!(state.sessions().timeout_ms(7), None);
        assert_eq!(
            state.tree().len(),
            State::new(Options::default(), 1).tree().len()
        );
    }

    #[test]
    fn a_tree_without_a_digest_has_grace_until_one_fits() {
        let entry = |zxid: i64, digest: u64| {
            let entry = session_entry(zxid);
            let entry = LogEntry::from_bytes(&entry, jute::wire::Limits::default());
            let mut entry = entry.expect("an entry");
            entry.digest = Some(TxnDigest {
                version: TxnDigest::VERSION,
                tree_digest: digest as i64,
            });
            entry.to_bytes()
        };
        let first: Vec<&str> = vec!["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
        let mut later = first.clone();
        later.push("/a");
        // Digests that fit (true) or not, and how many count in the end.
        for (zxid, digest, nodes, fits, counted) in [
            (4, None, &first, vec![false, false, true], 0),
            (
                4,
                Some((Zxid::ZERO, 0)),
                &first,
                vec![false, true, false],
                1,
            ),
            (4, None, &first, vec![false, false], 1),
            (4, None, &first, vec![], 0),
            // The first leader's empty tree is known, but it need not have been empty when it was
            // walked.
            (0, Some((Zxid::ZERO, 0)), &first, vec![false, true], 1),
            (0, Some((Zxid::ZERO, 0)), &later, vec![false, true], 0),
        ] {
            let options = Options {
                digest_enabled: true,
                ..Options::default()
            };
            let mut rebuild = Rebuild::new(options, 1);
            for path in nodes {
                let node = rebuild.node(path, Some(b""), -1, &StatPersisted::default());
                node.expect("it has a place");
            }
            rebuild.snapshot_done(Zxid(zxid), digest).expect("a tree");
            let right = rebuild.state.as_ref().expect("it is done").tree().digest();
            for (at, fits) in fits.iter().enumerate() {
                let digest = if *fits { right } else { right + 1 };
                let taken = rebuild.entry(&entry(zxid + 1 + at as i64, digest));
                taken.expect("an entry");
            }
            let mut state = rebuild.finish();
            state.end_grace();
            assert!(!state.digest_check().is_awaiting());
            assert_eq!(state.digest_check().mismatches(), counted, "{fits:?}");
        }
    }

    #[test]
    fn the_digest_of_the_trailer_is_compared() {
        let mut rebuild = with_a_root();
        let wrong = Some((Zxid(4), 1));
        rebuild.snapshot_done(Zxid(4), wrong).expect("a snapshot");
        assert_eq!(rebuild.finish().digest_check().mismatches(), 1);
    }
}
