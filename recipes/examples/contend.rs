//! Contends for recipes, among other processes that may be in other languages, and finds out
//! whether two hold the same: who holds it makes the node `/witness`, which must not be there,
//! counts in `/count` without looking at versions, and deletes the witness. A reader makes a node
//! in `/readers`, where a writer must find none.
//!
//! `contend CONNECT`, which prints `READY` and then takes lines: `RECIPE NAMING PATH TURNS`, where
//! RECIPE is mutex, rwlock, semaphore or election, and NAMING curator or kazoo. For each it prints
//! how often it held the recipe alone and beside others, and how often somebody else had held it
//! before.

mod lines;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use client::{Client, CreateOptions, Expected};
use recipes::{Hold, LeaderSelector, Led, Mutex, Naming, RwLock, Semaphore};

const NAME: &str = "rust";
const WITNESS: &str = "/witness";
const READERS: &str = "/readers";
const COUNT: &str = "/count";

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
    let connect = std::env::args().nth(1).context("contend CONNECT")?;
    let client = Client::connect(&connect).await?;
    let mut lines = lines::lines();
    println!("READY");
    while let Some(line) = lines.recv().await {
        let words: Vec<_> = line.split(' ').collect();
        let [recipe, naming, path, turns] = &words[..] else {
            bail!("not RECIPE NAMING PATH TURNS: {line}");
        };
        let mut contender = Contender::new(&client, naming, path)?;
        for turn in 0..turns.parse()? {
            contender.take(recipe, turn).await?;
        }
        let Seen {
            alone,
            beside,
            handed,
            ..
        } = contender.seen;
        println!("{alone} {beside} {handed}\nREADY");
    }
    client.close().await?;
    println!("closed");
    Ok(())
}

struct Contender {
    client: Client,
    mutex: Mutex,
    lock: RwLock,
    semaphore: Semaphore,
    selector: LeaderSelector,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    alone: u64,
    beside: u64,
    handed: u64,
    token: i64,
}

impl Contender {
    fn new(client: &Client, naming: &str, path: &str) -> Result<Self> {
        let naming = match naming {
            "curator" => Naming::Curator,
            "kazoo" => Naming::Kazoo,
            other => bail!("no naming {other}"),
        };
        Ok(Self {
            client: client.clone(),
            mutex: Mutex::new(client, path).naming(naming),
            lock: RwLock::new(client, path).naming(naming),
            semaphore: match naming {
                Naming::Curator => Semaphore::new(client, path, 1),
                Naming::Kazoo => Semaphore::kazoo(client, path, 1),
            },
            selector: LeaderSelector::new(client, path, NAME).naming(naming),
            seen: Seen::default(),
        })
    }

    async fn take(&mut self, recipe: &str, turn: usize) -> Result<()> {
        let (client, seen) = (&self.client, &mut self.seen);
        match recipe {
            "mutex" => {
                let guard = self.mutex.acquire().await?;
                alone(client, &guard, seen).await?;
                guard.release().await?;
            }
            "rwlock" if turn.is_multiple_of(3) => {
                let guard = self.lock.write().await?;
                alone(client, &guard, seen).await?;
                guard.release().await?;
            }
            "rwlock" => {
                let guard = self.lock.read().await?;
                beside(client, seen).await?;
                guard.release().await?;
            }
            "semaphore" => {
                let lease = self.semaphore.acquire().await?;
                alone(client, &lease, seen).await?;
                lease.release().await?;
            }
            "election" => {
                let lead = self
                    .selector
                    .lead(async |hold| alone(client, hold, seen).await);
                match lead.await? {
                    Led::Done(outcome) => outcome?,
                    Led::Lost(loss) => bail!("lost: {loss:?}"),
                }
            }
            other => bail!("no recipe {other}"),
        }
        Ok(())
    }
}

async fn alone(client: &Client, hold: &Hold, seen: &mut Seen) -> Result<()> {
    ensure!(hold.token().0 > seen.token, "a token that does not grow");
    seen.token = hold.token().0;
    let ephemeral = CreateOptions::ephemeral();
    client.create(WITNESS, NAME, &ephemeral).await?;
    let readers = client.get_children(READERS).await?;
    ensure!(readers.is_empty(), "somebody reads");
    let count = client.get_data(COUNT).await?;
    let count = count.text().and_then(|text| text.split_once(' '));
    let (count, last) = count.context("a number and a name")?;
    let next = format!("{} {NAME}", count.parse::<u64>()? + 1);
    client.set_data(COUNT, next, Expected::Any).await?;
    seen.alone += 1;
    seen.handed += u64::from(last != NAME);
    client.delete(WITNESS, Expected::Any).await?;
    Ok(())
}

async fn beside(client: &Client, seen: &mut Seen) -> Result<()> {
    let own = format!("{READERS}/{NAME}");
    let ephemeral = CreateOptions::ephemeral();
    client.create(&own, "", &ephemeral).await?;
    let writer = client.exists(WITNESS).await?;
    ensure!(writer.is_none(), "somebody writes");
    seen.beside += 1;
    client.delete(&own, Expected::Any).await?;
    Ok(())
}
