//! Locks, leases, elections, barriers, counters, caches, queues, memberships and services on
//! ZooKeeper, 3.4 to 3.9, and on zabkeeper.
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
//! | node that is kept | [`PersistentNode`] | `PersistentNode` | |
//! | node with a time to live that is kept | [`PersistentTtlNode`] | `PersistentTtlNode` | |
//! | membership that outlasts sessions | [`Group`] | `GroupMember` | |
//! | membership | [`Party`], [`ShallowParty`] | | `Party`, `ShallowParty` |
//! | queue | [`SimpleQueue`] | `SimpleDistributedQueue` | |
//! | queue by priority | [`Queue`] | | `Queue` |
//! | queue of what is held while it is worked on | [`LockingQueue`] | | `LockingQueue` |
//! | queue of several items an entry | [`DistributedQueue`] | `DistributedQueue` | |
//! | the same by priority | [`DistributedPriorityQueue`] | `DistributedPriorityQueue` | |
//! | the same by time | [`DistributedDelayQueue`] | `DistributedDelayQueue` | |
//! | the same with ids | [`DistributedIdQueue`] | `DistributedIdQueue` | |
//! | services | [`Discovery`] | `ServiceDiscovery` | |
//! | instances of a service | [`ServiceCache`], [`Provider`] | `ServiceCache`, `ServiceProvider` | |
//! | a set divided among members | [`SetPartitioner`] | | `SetPartitioner` |
//! | asking a holder to let go | [`revoke`] | `Revoker` | |
//!
//! # What is held
//!
//! Every guard but a [`PersistentNode`] and what is built on it dereferences to a [`Hold`]: a
//! fencing token ([`Hold::token`]), a future that tells when it is lost ([`Hold::lost`]), and
//! multis that fail if it is ([`Hold::multi`]).
//!
//! A connection that is lost loses nothing by itself: the nodes of holders and of those who wait
//! stay as long as the session, and all goes on with the next connection. The end of the session
//! ends everything; `client.renew()` is for a new start. A [`PersistentNode`], and so a
//! [`GroupMember`], makes this new start by itself.
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
//! A directory is made before the first node in it. Whoever ends between the two leaves it empty,
//! and servers remove a container that never had a child only if
//! `znode.container.maxNeverUsedIntervalMs` is set, which it is not by default.
//!
//! What a future of a queue leaves is said with each: an entry that is put in is there for others,
//! and not cleaned up. What holds an entry is.
//!
//! A node is made once even if the connection is lost before the answer: its name begins with a
//! UUID, by which it is looked for before another one is made. An entry of a queue has none: that
//! it may be there is an error, and to put it again is the caller's choice.
//!
//! # What a queue promises
//!
//! | | Who takes an entry | If who works on it fails | If a connection is lost |
//! | --- | --- | --- | --- |
//! | `take` | removes it, and then works on it | it is lost | it is given with [`Error::TakenPerhaps`]: somebody else may have it too |
//! | `hold` | works on it, and then removes it | it comes out again | it is held as long as the session |
//!
//! So `take` works on each entry once at most, or twice after a [`Error::TakenPerhaps`] that is
//! worked on; `hold` works on each once at least, and on one at a time, as far as who works heeds
//! [`Hold::lost`]. Entries with the same priority come out in the order in which the servers put
//! them in; several who work at the same time may end in another one. To look for the first entry
//! all names are read, which an answer of the server's must hold: some ten thousand. A queue that
//! goes by nothing but the order keeps names for the next `take`s.
//!
//! # Names on disk
//!
//! `U` is a UUID with hyphens, `u` one without, `N` the sequence number that the server appends:
//! `%010d` of 32 bits with a sign. Directories are containers, but for those of kazoo's parties and
//! all queues but [`SimpleQueue`], which foreign clients take for persistent. These nodes are
//! ephemeral:
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
//! | [`PersistentNode`], ephemeral and sequential | `_c_U-` and its name and `N` | | any |
//! | [`Party`] | | `u__party__` | the identifier |
//! | [`ShallowParty`] | | `u-` and the identifier | |
//! | [`LockingQueue`], who holds | | `taken/` and the entry's name | `u` |
//! | [`QueueOptions::lock_path`], who holds | the entry's name | | `u`; of Curator any |
//! | [`SetPartitioner`], a member | | `party/u-ID` | the id |
//! | [`SetPartitioner`], an item | | `locks/ITEM/u__lock__N` | |
//! | [`revoke`] | | | `__REVOKE__` |
//!
//! These are the same for all three. Those with a star are persistent, not ephemeral.
//!
//! | Recipe | Node | Data |
//! | --- | --- | --- |
//! | [`PersistentNode`] without a number | the path itself, of its kind | any |
//! | [`PersistentTtlNode`] | the path itself, with a time to live * | any |
//! | [`PersistentTtlNode`], what keeps it | `touch` below it, with a time to live * | |
//! | [`Group`], a member | the id | the payload |
//! | [`Discovery`], an instance | `NAME/ID`; persistent if it is static * | JSON, as Curator's `JsonInstanceSerializer` writes it |
//! | [`Barrier`] | the path itself * | any |
//! | [`DoubleBarrier`], a member | `u`; of Curator's `U` | [`DoubleBarrier::data`] |
//! | [`DoubleBarrier`], all have come | `ready` * | any |
//! | [`SharedValue`] | the path itself * | the value |
//! | [`Counter::shared_count`] | the path itself * | 4 bytes, signed, big-endian |
//! | [`Counter::atomic_long`] | the path itself * | 8 bytes, signed, big-endian |
//! | [`Counter::kazoo`] | the path itself * | decimal digits, with `-` before if negative |
//!
//! Entries of queues are persistent. `P` is a priority, `T` milliseconds since 1970, both in
//! capital hexadecimal digits, 8 (of `T`: at least).
//!
//! | Queue | Entry | Data |
//! | --- | --- | --- |
//! | [`SimpleQueue`] | `qn-N` | any |
//! | [`Queue`] | `entry-ddd-N`, with three decimal digits of the priority | any |
//! | [`LockingQueue`] | `entries/entry-ddd-N` | any |
//! | [`DistributedQueue`] | `queue-N` | items |
//! | [`DistributedPriorityQueue`] | `queue-0PN` if the priority is negative, else `queue-1PN` | items |
//! | [`DistributedDelayQueue`] | <code>queue-\|T\|N</code> | items |
//! | [`DistributedIdQueue`] | <code>queue-\|ID\|N</code> | items |
//!
//! Items are `00 01 00 01`, then for each `01`, its length in 4 bytes, big-endian, and its bytes,
//! then `02`. Names that are none of its kind are passed over.
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
mod children;
mod contend;
mod counter;
mod discovery;
mod double_barrier;
mod error;
mod group;
mod latch;
mod multi_mutex;
mod mutex;
mod partitioner;
mod party;
mod persistent;
mod queue;
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
pub use discovery::{
    Discovery, DownPolicy, InstanceChange, Provider, Registration, ServiceCache, ServiceInstance,
    ServiceType, Strategy, UriSpec, UriSpecError,
};
pub use double_barrier::{DoubleBarrier, Inside};
pub use error::Error;
pub use group::{Group, GroupMember};
pub use latch::{Candidate, LeaderLatch, Leadership};
pub use multi_mutex::{MultiGuard, MultiMutex};
pub use mutex::{Mutex, MutexGuard};
pub use partitioner::{Partition, PartitionChange, PartitionMember, SetPartitioner};
pub use party::{Membership, Party, ShallowParty};
pub use persistent::{NodeKind, PersistentNode, PersistentTtlNode, TtlOptions};
pub use queue::{
    DistributedDelayQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedQueue,
    HeldEntry, HeldItems, ItemQueue, LockingQueue, Queue, QueueOptions, SimpleQueue,
};
pub use reentrant::{ReentrantGuard, ReentrantMutex};
pub use revoke::revoke;
pub use rwlock::{ReadGuard, RwLock, WriteGuard};
pub use selector::{LeaderSelector, Led};
pub use semaphore::{Lease, Semaphore};
pub use value::{Reading, SharedValue};
