//! Locks, leases, elections, barriers, counters and caches on ZooKeeper, 3.4 to 3.9, and on zabkeeper.
//!
//! | Recipe | Here | Curator 5 | kazoo 2 |
//! | --- | --- | --- | --- |
//! | mutex | [`Mutex`] | `InterProcessMutex` | `Lock` |
//! | re-entrant mutex | [`ReentrantMutex`] | `InterProcessMutex` | |
//! | several mutexes as one | [`MultiMutex`] | `InterProcessMultiLock` | |
//! | readers and a writer | [`RwLock`] | `InterProcessReadWriteLock` | `ReadLock`, `WriteLock` |
//! | leases | [`Semaphore`] | `InterProcessSemaphoreV2` | `Semaphore` |
//! | election | [`LeaderLatch`] | `LeaderLatch` | |
//! | election for a task | [`LeaderSelector`] | `LeaderSelector` | `Election` |
//! | barrier | [`Barrier`] | `DistributedBarrier` | `Barrier` |
//! | double barrier | [`DoubleBarrier`] | `DistributedDoubleBarrier` | `DoubleBarrier` |
//! | shared value | [`SharedValue`] | `SharedValue` | |
//! | counter | [`Counter::shared_count`] | `SharedCount` | `Counter` with `support_curator` |
//! | counter | [`Counter::atomic_long`] | `DistributedAtomicLong` | |
//! | counter | [`Counter::kazoo`] | | `Counter` |
//! | copy of a node | [`Cache::node`] | `CuratorCache`, `NodeCache` | `DataWatch` |
//! | copy of children | [`Cache::children`] | `PathChildrenCache` | `ChildrenWatch` |
//! | copy of a tree | [`Cache::tree`] | `CuratorCache`, `TreeCache` | `TreeCache` |
//! | a set divided among members | [`SetPartitioner`] | | `SetPartitioner` |
//! | asking a holder to let go | [`revoke`] | `Revoker` | |
//!
//! # What is held
//!
//! Every guard dereferences to a [`Hold`]: a fencing token ([`Hold::token`]), a future that tells
//! when it is lost ([`Hold::lost`]), and multis that fail if it is ([`Hold::multi`]).
//!
//! A connection that is lost loses nothing by itself: the nodes of holders and of those who wait
//! stay as long as the session, and all goes on with the next connection. The end of the session
//! ends everything; `client.renew()` is for a new start.
//!
//! # Cancellation
//!
//! Any future may be dropped at any await, and any guard at any time. The node that stands for it
//! is then deleted by a task in the background, whose queue has a place for each contender and
//! holder from before its node is made (4,096 for each recipe object; more wait). Dropping neither
//! blocks nor panics. Without a connection the node stays until there is one, and with the end
//! of the session, or of the runtime, it goes with its session: the next owner waits no longer
//! than its time-out.
//!
//! A node is made once even if the connection is lost before the answer: its name begins with a
//! UUID, by which it is looked for before another one is made.
//!
//! # Names on disk
//!
//! `U` is a UUID with hyphens, `u` one without, `N` the sequence number that the server appends:
//! `%010d` of 32 bits with a sign. Directories are containers. These nodes are ephemeral:
//!
//! | Recipe | [`Naming::Curator`] | [`Naming::Kazoo`] | Data |
//! | --- | --- | --- | --- |
//! | [`Mutex`], [`ReentrantMutex`], [`MultiMutex`] | `_c_U-lock-N` | `u__lock__N` | [`Mutex::data`] |
//! | [`RwLock`], to read | `_c_U-__READ__N` | `u__rlock__N` | |
//! | [`RwLock`], to write | `_c_U-__WRIT__N` | `u__lock__N` | |
//! | [`RwLock`], downgraded | `_c_U-__READ__` and the writer's `N` | `u__rlock__` and the writer's `N` | |
//! | [`Semaphore`], whose turn it is | `locks/_c_U-lock-N` | `u__lock__N` in `PATH-__lock__` | |
//! | [`Semaphore`], leases | `leases/_c_U-lease-N` | `u` | [`Semaphore::data`] |
//! | [`LeaderLatch`] | `_c_U-latch-N` | | the id |
//! | [`LeaderSelector`] | `_c_U-lock-N` | `u__lock__N` | the id |
//! | [`SetPartitioner`], a member | | `party/u-ID` | the id |
//! | [`SetPartitioner`], an item | | `locks/ITEM/u__lock__N` | |
//! | [`revoke`] | | | `__REVOKE__` |
//!
//! These are the same for all three. Those with a star are persistent, not ephemeral.
//!
//! | Recipe | Node | Data |
//! | --- | --- | --- |
//! | [`Barrier`] | the path itself * | any |
//! | [`DoubleBarrier`], a member | `u`; of Curator's `U` | [`DoubleBarrier::data`] |
//! | [`DoubleBarrier`], all have come | `ready` * | any |
//! | [`SharedValue`] | the path itself * | the value |
//! | [`Counter::shared_count`] | the path itself * | 4 bytes, signed, big-endian |
//! | [`Counter::atomic_long`] | the path itself * | 8 bytes, signed, big-endian |
//! | [`Counter::kazoo`] | the path itself * | decimal digits, with `-` before if negative |
//!
//! *Who counts.* Here: a child whose name ends in one of the names of its recipe, of either
//! column, and a sequence number; what stands before does not matter. Others are passed over. Of
//! a semaphore's leases every child counts. Curator takes every child for a contender, so nothing
//! else may be in a directory that it uses. kazoo takes those of its own column, and with
//! `extra_lock_patterns` others. So with contenders of one foreign kind take its [`Naming`]. For
//! all three at once kazoo has to speak Curator's names: a subclass of `Lock` with `_NODE_NAME`
//! and `_EXCLUDE_NAMES` set to `-lock-`, and for the others likewise, as in
//! `compat-tests/python/contend.py`, which contends with its counterparts in Java and Rust.
//!
//! *Who comes first.* The lower number. It is that of the directory, 32 bits with a sign, and goes
//! on from 2147483647 to -2147483648. Here the order goes on too: of two numbers that one is
//! earlier from which the other is reached by counting up at most 2^31. Curator and kazoo compare
//! the text, and take the first negative number for the lowest: beside them a directory must be
//! made anew (when it is empty) before 2^31 contenders have been in it.

mod barrier;
mod cache;
mod contend;
mod counter;
mod double_barrier;
mod error;
mod latch;
mod multi_mutex;
mod mutex;
mod partitioner;
mod reentrant;
mod retry;
mod revoke;
mod rwlock;
mod selector;
mod semaphore;
mod value;

pub use barrier::Barrier;
pub use cache::{Cache, Change};
pub use contend::{Hold, Loss, Naming, Token};
pub use counter::{Counter, Sum};
pub use double_barrier::{DoubleBarrier, Inside};
pub use error::Error;
pub use latch::{Candidate, LeaderLatch, Leadership};
pub use multi_mutex::{MultiGuard, MultiMutex};
pub use mutex::{Mutex, MutexGuard};
pub use partitioner::{Partition, PartitionChange, PartitionMember, SetPartitioner};
pub use reentrant::{ReentrantGuard, ReentrantMutex};
pub use revoke::revoke;
pub use rwlock::{ReadGuard, RwLock, WriteGuard};
pub use selector::{LeaderSelector, Led};
pub use semaphore::{Lease, Semaphore};
pub use value::{Reading, SharedValue};
