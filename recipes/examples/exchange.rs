//! Puts into queues, takes out of them, and joins groups, among other processes that may be in
//! other languages: what one puts another must find, as it was put.
//!
//! `exchange CONNECT`, which prints `READY` and then takes lines:
//!
//! * `put KIND PATH KEY ITEMS`, where KIND is simple, fifo, priority, delay or id as Curator has
//!   them, fifo-locked with a lock path, or queue or locking as kazoo has them. KEY is a priority,
//!   a time in ms since 1970 or, with `+` before it, from now on, or an id. ITEMS has `+` between;
//! * `take KIND PATH COUNT`: takes so many items, and prints them;
//! * `drain KIND PATH`: takes until nothing is left, and prints what it took;
//! * `hold KIND PATH`: holds the first entry, and prints it; then `consume` or `requeue`;
//! * `remove PATH ID`: removes from a queue with ids, and prints how many;
//! * `join KIND PATH ID`, where KIND is group, party, shallow, or node, sequential or ttl for a
//!   node that is kept at this path with this for its data; then `leave`;
//! * `members KIND PATH`: prints them, sorted.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use client::Client;
use recipes::{
    DistributedDelayQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedQueue, Group,
    GroupMember, HeldEntry, HeldItems, ItemQueue, LockingQueue, Membership, NodeKind, Party,
    PersistentNode, PersistentTtlNode, Queue, QueueOptions, ShallowParty, SimpleQueue, TtlOptions,
};
use tokio::sync::mpsc;

/// Lines that may wait: who sends them waits for an answer first.
const LINES_MAX: usize = 4;
/// Between two looks at a queue from which others take too.
const PAUSE: Duration = Duration::from_millis(5);
/// Of nodes that have a time to live.
const TTL: Duration = Duration::from_millis(1_000);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let connect = std::env::args().nth(1).context("exchange CONNECT")?;
    let client = Client::connect(&connect).await?;
    let (sender, mut lines) = mpsc::channel(LINES_MAX);
    // A thread, so that the session is kept alive while nothing is to be done.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    println!("READY");
    let mut party = Exchange {
        client,
        held: None,
        joined: None,
    };
    while let Some(line) = lines.recv().await {
        for told in party.obey(&line).await.context(line)? {
            println!("{told}");
        }
        println!("READY");
    }
    party.client.close().await?;
    println!("closed");
    Ok(())
}

struct Exchange {
    client: Client,
    held: Option<Held>,
    joined: Option<Joined>,
}

enum Held {
    Entry(HeldEntry),
    Items(HeldItems),
}

enum Joined {
    Member(GroupMember),
    Guest(Membership),
    Node(PersistentNode),
    Ttl(PersistentTtlNode),
}

enum Any {
    Simple(SimpleQueue),
    Queue(Queue),
    Locking(LockingQueue),
    Fifo(DistributedQueue),
    Priority(DistributedPriorityQueue),
    Delay(DistributedDelayQueue),
    Id(DistributedIdQueue),
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn due(key: &str) -> Result<SystemTime> {
    let (start, ms) = match key.strip_prefix('+') {
        Some(ms) => (SystemTime::now(), ms),
        None => (SystemTime::UNIX_EPOCH, key),
    };
    Ok(start + Duration::from_millis(ms.parse()?))
}

impl Any {
    fn of(client: &Client, kind: &str, path: &str) -> Result<Self> {
        let none = QueueOptions::default();
        let locked = QueueOptions::default().lock_path(&format!("{path}-locks"));
        Ok(match kind {
            "simple" => Self::Simple(SimpleQueue::new(client, path)),
            "queue" => Self::Queue(Queue::new(client, path)),
            "locking" => Self::Locking(LockingQueue::new(client, path)),
            "fifo" => Self::Fifo(DistributedQueue::new(client, path, &none)),
            "fifo-locked" => Self::Fifo(DistributedQueue::new(client, path, &locked)),
            "priority" => Self::Priority(DistributedPriorityQueue::new(client, path, &none)),
            "delay" => Self::Delay(DistributedDelayQueue::new(client, path, &none)),
            "id" => Self::Id(DistributedIdQueue::new(client, path, &none)),
            other => bail!("no queue {other}"),
        })
    }

    async fn put(&self, key: &str, items: &str) -> Result<()> {
        let several = items.split('+');
        match self {
            Self::Simple(queue) => queue.put(items).await?,
            Self::Queue(queue) => queue.put_with_priority(items, key.parse()?).await?,
            Self::Locking(queue) => queue.put_all(several, key.parse()?).await?,
            Self::Fifo(queue) => queue.put_all(several).await?,
            Self::Priority(queue) => queue.put_all(several, key.parse()?).await?,
            Self::Delay(queue) => queue.put_all(several, due(key)?).await?,
            Self::Id(queue) => queue.put(items, key).await?,
        }
        Ok(())
    }

    fn items(&self) -> Option<&ItemQueue> {
        match self {
            Self::Fifo(queue) => Some(queue),
            Self::Priority(queue) => Some(queue),
            Self::Delay(queue) => Some(queue),
            Self::Id(queue) => Some(queue),
            _ => None,
        }
    }

    async fn take(&self) -> Result<Vec<Vec<u8>>> {
        Ok(match (self, self.items()) {
            (_, Some(queue)) => queue.take().await?,
            (Self::Simple(queue), _) => vec![queue.take().await?],
            (Self::Queue(queue), _) => vec![queue.take().await?],
            (Self::Locking(queue), _) => {
                let held = queue.hold().await?;
                let data = held.data().to_vec();
                held.consume().await?;
                vec![data]
            }
            _ => Vec::new(),
        })
    }

    async fn count(&self) -> Result<usize> {
        Ok(match (self, self.items()) {
            (_, Some(queue)) => queue.count().await?,
            (Self::Simple(queue), _) => queue.count().await?,
            (Self::Queue(queue), _) => queue.count().await?,
            (Self::Locking(queue), _) => queue.count().await?,
            _ => 0,
        })
    }

    async fn hold(&self) -> Result<Held> {
        Ok(match (self, self.items()) {
            (_, Some(queue)) => Held::Items(queue.hold().await?),
            (Self::Locking(queue), _) => Held::Entry(queue.hold().await?),
            _ => bail!("nothing is held in this queue"),
        })
    }
}

impl Exchange {
    async fn obey(&mut self, line: &str) -> Result<Vec<String>> {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["put", kind, path, key, items] => self.queue(kind, path)?.put(key, items).await?,
            ["take", kind, path, count] => {
                let (queue, count) = (self.queue(kind, path)?, count.parse()?);
                let mut taken = Vec::new();
                while taken.len() < count {
                    taken.extend(queue.take().await?);
                }
                return Ok(taken.iter().map(|item| text(item)).collect());
            }
            ["drain", kind, path] => return drain(&self.queue(kind, path)?).await,
            ["hold", kind, path] => {
                let held = self.queue(kind, path)?.hold().await?;
                let told = match &held {
                    Held::Entry(held) => vec![text(held.data())],
                    Held::Items(held) => held.items().iter().map(|item| text(item)).collect(),
                };
                self.held = Some(held);
                return Ok(told);
            }
            ["consume"] => match self.held.take().context("nothing is held")? {
                Held::Entry(held) => held.consume().await?,
                Held::Items(held) => held.consume().await?,
            },
            ["requeue"] => match self.held.take().context("nothing is held")? {
                Held::Entry(held) => held.release().await?,
                Held::Items(held) => held.requeue().await?,
            },
            ["remove", path, id] => {
                let none = QueueOptions::default();
                let queue = DistributedIdQueue::new(&self.client, path, &none);
                return Ok(vec![queue.remove(id).await?.to_string()]);
            }
            ["join", kind, path, id] => self.joined = Some(self.join(kind, path, id).await?),
            ["leave"] => match self.joined.take().context("joined nothing")? {
                Joined::Member(member) => member.leave().await?,
                Joined::Guest(guest) => guest.leave().await?,
                Joined::Node(node) => node.close().await?,
                Joined::Ttl(node) => drop(node),
            },
            ["members", kind, path] => {
                let mut members: Vec<_> = match kind {
                    "group" => {
                        let members = Group::new(&self.client, path).members().await?;
                        let told = members.iter();
                        told.map(|(id, payload)| format!("{id}={}", text(payload)))
                            .collect()
                    }
                    "party" => Party::new(&self.client, path).members().await?,
                    "shallow" => ShallowParty::new(&self.client, path).members().await?,
                    other => bail!("no members of {other}"),
                };
                members.sort();
                return Ok(members);
            }
            _ => bail!("not understood"),
        }
        Ok(Vec::new())
    }

    fn queue(&self, kind: &str, path: &str) -> Result<Any> {
        Any::of(&self.client, kind, path)
    }

    async fn join(&self, kind: &str, path: &str, id: &str) -> Result<Joined> {
        let client = &self.client;
        Ok(match kind {
            "group" => Joined::Member(Group::new(client, path).join(id, id).await?),
            "party" => Joined::Guest(Party::new(client, path).join(id).await?),
            "shallow" => Joined::Guest(ShallowParty::new(client, path).join(id).await?),
            "node" => {
                let node = PersistentNode::create(client, path, NodeKind::Ephemeral, id);
                Joined::Node(node.await?)
            }
            "sequential" => {
                let kind = NodeKind::EphemeralSequential;
                Joined::Node(PersistentNode::create(client, path, kind, id).await?)
            }
            "ttl" => {
                let options = TtlOptions::new(TTL);
                Joined::Ttl(PersistentTtlNode::create(client, path, &options, id).await?)
            }
            other => bail!("nothing to join called {other}"),
        })
    }
}

async fn drain(queue: &Any) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    loop {
        let next = match (queue, queue.items()) {
            (_, Some(queue)) => queue.try_take().await?,
            (Any::Simple(queue), _) => queue.try_take().await?.map(|data| vec![data]),
            (Any::Queue(queue), _) => queue.try_take().await?.map(|data| vec![data]),
            (Any::Locking(queue), _) => match queue.try_hold().await? {
                Some(held) => {
                    let data = held.data().to_vec();
                    held.consume().await?;
                    Some(vec![data])
                }
                None => None,
            },
            _ => None,
        };
        match next {
            Some(items) => taken.extend(items.iter().map(|item| text(item))),
            None if queue.count().await? == 0 => return Ok(taken),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}
