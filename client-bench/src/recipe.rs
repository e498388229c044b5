//! A mutex that nobody else wants, and one that many wait for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use client::{Client, CreateOptions, Expected};
use recipes::Mutex;
use tokio::sync::mpsc;

use crate::{median, words};

/// The directories of the two mutexes.
const ALONE: &str = "/client-bench-alone";
const QUEUE: &str = "/client-bench-queue";
/// The server's count of requests.
const RECEIVED: &str = "zk_packets_received";
/// Pause between two looks at how many wait.
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Acquisitions of each round of the mutex that nobody else wants.
    #[arg(long, default_value_t = 1_000)]
    turns: usize,
    /// Who waits for the other one.
    #[arg(long, default_value_t = 1_000)]
    contenders: usize,
    /// Sessions of those who wait.
    #[arg(long, default_value_t = 10)]
    sessions: usize,
}

pub(crate) async fn run(server: SocketAddr, rounds: usize, options: &Options) -> Result<()> {
    let client = Client::connect(&server.to_string()).await?;
    uncontended(&client, rounds, options.turns).await?;
    handed_over(server, &client, options).await?;
    client.close().await?;
    Ok(())
}

/// Acquires and releases, and in turns makes the same three calls without a recipe.
async fn uncontended(client: &Client, rounds: usize, turns: usize) -> Result<()> {
    let mutex = Mutex::new(client, ALONE);
    mutex.acquire().await?.release().await?;
    let (mut bare, mut recipe) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for _ in 0..turns {
            let began = Instant::now();
            three_calls(client).await?;
            bare.push(began.elapsed().as_secs_f64() * 1e6);
            let began = Instant::now();
            mutex.acquire().await?.release().await?;
            recipe.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    let total = |times: &[f64]| times.iter().sum::<f64>();
    let of_totals = total(&recipe) / total(&bare);
    let (bare, recipe) = (median(bare), median(recipe));
    let ratio = recipe / bare;
    println!("| mutex that nobody else wants | median, us |");
    println!("| --- | --- |");
    println!("| create, get children, delete | {bare:.1} |");
    println!("| acquire and release | {recipe:.1} |");
    println!("| ratio (at most 1.1) | {ratio:.3}, of the sums {of_totals:.3} |");
    Ok(())
}

async fn three_calls(client: &Client) -> Result<()> {
    let options = CreateOptions::ephemeral().sequential();
    let created = client.create(&format!("{ALONE}/lock-"), "", &options);
    let created = created.await?;
    let children = client.get_children(ALONE).await?;
    ensure!(children.len() == 1, "alone");
    client.delete(&created.path, Expected::Any).await?;
    Ok(())
}

/// Has many wait for a mutex, and hands it from one to the next. Whom a release wakes is told by
/// the watches on the node that it deletes; who is woken in vain would have to look again, which is
/// seen in the requests.
async fn handed_over(server: SocketAddr, client: &Client, options: &Options) -> Result<()> {
    let contenders = options.contenders;
    let first = Mutex::new(client, QUEUE).acquire().await?;
    let mut sessions = Vec::new();
    for _ in 0..options.sessions {
        sessions.push(Client::connect(&server.to_string()).await?);
    }
    let (sender, mut tokens) = mpsc::channel(contenders);
    for number in 0..contenders {
        let mutex = Mutex::new(&sessions[number % sessions.len()], QUEUE);
        let sender = sender.clone();
        tokio::spawn(async move {
            let token = async {
                let guard = mutex.acquire().await?;
                let token = guard.token();
                guard.release().await?;
                anyhow::Ok(token)
            };
            // Whoever counts has gone only if the measurement has failed.
            let _ = sender.send(token.await).await;
        });
    }
    drop(sender);
    // All wait for the one before them.
    while words::gauge(server, "zk_watch_count").await? < i64::try_from(contenders)? {
        tokio::time::sleep(POLL).await;
    }
    let (most, watched) = most_watches(server).await?;
    let before = words::gauge(server, RECEIVED).await?;
    let began = Instant::now();
    first.release().await?;
    let mut last = None;
    let mut handed = 0;
    while let Some(token) = tokens.recv().await {
        let token = token?;
        ensure!(last < Some(token), "not in their order");
        last = Some(token);
        handed += 1;
    }
    let took = began.elapsed();
    let after = words::gauge(server, RECEIVED).await?;
    ensure!(handed == contenders, "{handed} of {contenders}");
    let requests = (after - before) as f64 / handed as f64;
    println!("\n| {handed} contenders, one after the other | |");
    println!("| --- | --- |");
    println!("| nodes that are watched | {watched} |");
    println!("| most watches on one: whom its deletion wakes (1: no herd) | {most} |");
    println!(
        "| requests for each hand-over (2: a deletion, and the look of one) | {requests:.3} |"
    );
    println!(
        "| time of each, us | {:.1} |",
        took.as_secs_f64() * 1e6 / handed as f64
    );
    for session in sessions {
        session.close().await?;
    }
    Ok(())
}

/// The most watches on one node, and how many nodes have any.
async fn most_watches(server: SocketAddr) -> Result<(usize, usize)> {
    let answer = words::ask(server, "wchp").await?;
    let mut counts = Vec::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('\t') {
            Some(_) => *counts.last_mut().context("a path before its watchers")? += 1,
            None => counts.push(0),
        }
    }
    Ok((counts.iter().copied().max().unwrap_or(0), counts.len()))
}
