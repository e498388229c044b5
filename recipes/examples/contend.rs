//! Contends for one recipe, among other processes that may be in other languages, and finds out
//! whether another one holds it too: who holds it makes the node `/witness`, which must not be
//! there, and deletes it.
//!
//! `contend CONNECT RECIPE NAMING PATH TURNS`, where RECIPE is mutex, write, read, semaphore or
//! election, and NAMING curator or kazoo. Readers only look that no writer's witness is there.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use client::{Client, CreateOptions, Expected};
use recipes::{Hold, LeaderSelector, Led, Mutex, Naming, RwLock, Semaphore};

const WITNESS: &str = "/witness";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match contend().await {
        Ok(turns) => {
            println!("{turns} turns");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn contend() -> Result<usize> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [connect, recipe, naming, path, turns] = &arguments[..] else {
        bail!("contend CONNECT RECIPE NAMING PATH TURNS");
    };
    let client = Client::connect(connect).await?;
    let naming = match naming.as_str() {
        "curator" => Naming::Curator,
        "kazoo" => Naming::Kazoo,
        other => bail!("no naming {other}"),
    };
    let mutex = Mutex::new(&client, path).naming(naming);
    let lock = RwLock::new(&client, path).naming(naming);
    let semaphore = match naming {
        Naming::Curator => Semaphore::new(&client, path, 1),
        Naming::Kazoo => Semaphore::kazoo(&client, path, 1),
    };
    let selector = LeaderSelector::new(&client, path, "rust").naming(naming);
    let turns = turns.parse()?;
    let mut last = 0;
    for _ in 0..turns {
        match recipe.as_str() {
            "mutex" => {
                let guard = mutex.acquire().await?;
                alone(&client, &guard, &mut last).await?;
                guard.release().await?;
            }
            "write" => {
                let guard = lock.write().await?;
                alone(&client, &guard, &mut last).await?;
                guard.release().await?;
            }
            "read" => {
                let guard = lock.read().await?;
                let writer = client.exists(WITNESS).await?;
                ensure!(writer.is_none(), "somebody writes");
                guard.release().await?;
            }
            "semaphore" => {
                let lease = semaphore.acquire().await?;
                alone(&client, &lease, &mut last).await?;
                lease.release().await?;
            }
            "election" => {
                let led = selector.lead(async |leads| alone(&client, leads, &mut last).await);
                match led.await? {
                    Led::Done(outcome) => outcome?,
                    Led::Lost(loss) => bail!("lost: {loss:?}"),
                }
            }
            other => bail!("no recipe {other}"),
        }
    }
    client.close().await?;
    Ok(turns)
}

async fn alone(client: &Client, hold: &Hold, last: &mut i64) -> Result<()> {
    ensure!(hold.token().0 > *last, "a token that does not grow");
    *last = hold.token().0;
    let ephemeral = CreateOptions::ephemeral();
    client.create(WITNESS, "rust", &ephemeral).await?;
    client.delete(WITNESS, Expected::Any).await?;
    Ok(())
}
