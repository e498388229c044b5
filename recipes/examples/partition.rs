//! A member of a partitioner among others that may be kazoo's. For each item that it has it makes
//! a node in `/held`, which must not be there.
//!
//! `partition CONNECT`, which prints `READY` and then takes lines: `join IDENTIFIER PATH ITEMS`,
//! `holds COUNT` (waits until it has so many items, and prints them), `leave`.

mod lines;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use client::{Client, CreateOptions, Expected};
use recipes::{PartitionMember, SetPartitioner};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// As in the counterpart.
const TIME_BOUNDARY: Duration = Duration::from_millis(300);

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
    let connect = std::env::args().nth(1).context("partition CONNECT")?;
    let client = Client::connect(&connect).await?;
    let mut lines = lines::lines();
    println!("READY");
    let mut following: Option<Following> = None;
    while let Some(line) = lines.recv().await {
        let words: Vec<_> = line.split(' ').collect();
        match (&words[..], &mut following) {
            (["join", identifier, path, items], None) => {
                let set = SetPartitioner::new(&client, path, identifier, items.split(','));
                let member = set.time_boundary(TIME_BOUNDARY).join().await?;
                following = Some(Following::start(&client, member));
            }
            (["holds", count], Some(following)) => {
                let count: usize = count.parse()?;
                let held = following.held.wait_for(|held| held.len() == count).await?;
                println!("{}", held.join(","));
            }
            (["leave"], Some(_)) => {
                let Following { leave, task, .. } = following.take().context("a member")?;
                drop(leave);
                task.await??;
            }
            _ => bail!("not now: {line}"),
        }
        println!("READY");
    }
    client.close().await?;
    println!("closed");
    Ok(())
}

struct Following {
    held: watch::Receiver<Vec<String>>,
    /// Dropped to leave.
    leave: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Following {
    fn start(client: &Client, member: PartitionMember) -> Self {
        let (sender, held) = watch::channel(Vec::new());
        let (leave, left) = oneshot::channel();
        let task = tokio::spawn(follow(client.clone(), member, sender, left));
        Self { held, leave, task }
    }
}

async fn follow(
    client: Client,
    mut member: PartitionMember,
    held: watch::Sender<Vec<String>>,
    mut left: oneshot::Receiver<()>,
) -> Result<()> {
    let path = |item: &String| format!("/held/{item}");
    let mut is_over = false;
    while !is_over {
        let partition = tokio::select! {
            _ = &mut left => break,
            partition = member.acquire() => partition?,
        };
        for item in partition.items() {
            let ephemeral = CreateOptions::ephemeral();
            client.create(&path(item), "rust", &ephemeral).await?;
        }
        held.send_replace(partition.items().to_vec());
        tokio::select! {
            _ = &mut left => is_over = true,
            _ = partition.changed() => {}
        }
        held.send_replace(Vec::new());
        for item in partition.items() {
            client.delete(&path(item), Expected::Any).await?;
        }
        partition.release().await?;
    }
    member.leave().await?;
    Ok(())
}
