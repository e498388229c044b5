//! Reads with so many in flight.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use client::CreateOptions;
use zookeeper_client as other;

use crate::median;

/// What is read, and its size in bytes.
const PATH: &str = "/client-bench";
const DATA: &[u8] = &[b'x'; 100];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Reads of each measurement.
    #[arg(long, default_value_t = 100_000)]
    reads: usize,
    /// Requests in flight, comma separated.
    #[arg(long, value_delimiter = ',', default_value = "1,16,256")]
    in_flight: Vec<usize>,
    /// Only ways whose names start so.
    #[arg(long, default_value = "")]
    way: String,
    /// Measures this client alone.
    #[arg(long)]
    alone: bool,
}

/// A client under measurement. Clones share a session.
trait Subject: Clone + Send + Sync + 'static {
    /// Sends a read when it is called, and is ready with its answer.
    fn read(&self) -> impl Future<Output = Result<()>> + Send + 'static;
}

impl Subject for client::Client {
    fn read(&self) -> impl Future<Output = Result<()>> + Send + 'static {
        let call = self.get_data(PATH);
        async move {
            let node = call.await?;
            ensure!(node.bytes().len() == DATA.len(), "not the data");
            Ok(())
        }
    }
}

impl Subject for other::Client {
    fn read(&self) -> impl Future<Output = Result<()>> + Send + 'static {
        let call = self.get_data(PATH);
        async move {
            let (data, _) = call.await?;
            ensure!(data.len() == DATA.len(), "not the data");
            Ok(())
        }
    }
}

/// How requests are kept in flight.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// All are made, all answers awaited, and again.
    Batch,
    /// One task that awaits the oldest and makes another.
    Window,
    /// A task for each, which makes one after the other.
    Tasks,
}

const WAYS: [(Way, &str); 3] = [
    (Way::Batch, "batch"),
    (Way::Window, "window"),
    (Way::Tasks, "tasks"),
];

pub(crate) async fn run(server: SocketAddr, rounds: usize, options: &Options) -> Result<()> {
    let ours = client::Client::connect(&server.to_string()).await?;
    let theirs = other::Client::connect(&server.to_string()).await?;
    let persistent = CreateOptions::persistent();
    ours.create(PATH, DATA, &persistent).await?;
    println!("| reads of 100 bytes | this client, thousands/s | zookeeper-client 0.11.2 | ratio |");
    println!("| --- | --- | --- | --- |");
    let ways = WAYS
        .iter()
        .filter(|(_, name)| name.starts_with(&options.way));
    for (way, name) in ways {
        for &in_flight in &options.in_flight {
            let (mut own, mut other) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                own.push(rate(&ours, *way, in_flight, options.reads).await?);
                if !options.alone {
                    other.push(rate(&theirs, *way, in_flight, options.reads).await?);
                }
            }
            let ratios = own.iter().zip(&other).map(|(own, other)| own / other);
            let ratio = median(ratios.collect());
            let (own, other) = (median(own), median(other));
            println!("| {name} of {in_flight} | {own:.1} | {other:.1} | {ratio:.2} |");
        }
    }
    ours.delete(PATH, client::Expected::Any).await?;
    ours.close().await?;
    Ok(())
}

/// Thousands of reads per second.
async fn rate(subject: &impl Subject, way: Way, in_flight: usize, reads: usize) -> Result<f64> {
    let began = Instant::now();
    match way {
        Way::Batch => batches(subject, in_flight, reads).await?,
        Way::Window => window(subject, in_flight, reads).await?,
        Way::Tasks => tasks(subject, in_flight, reads).await?,
    }
    Ok(reads as f64 / began.elapsed().as_secs_f64() / 1000.0)
}

async fn batches(subject: &impl Subject, in_flight: usize, reads: usize) -> Result<()> {
    let mut left = reads;
    while left > 0 {
        let count = left.min(in_flight);
        let calls: Vec<_> = (0..count).map(|_| subject.read()).collect();
        for call in calls {
            call.await?;
        }
        left -= count;
    }
    Ok(())
}

async fn window(subject: &impl Subject, in_flight: usize, reads: usize) -> Result<()> {
    let mut calls = VecDeque::with_capacity(in_flight);
    for _ in 0..reads {
        if calls.len() == in_flight
            && let Some(oldest) = calls.pop_front()
        {
            oldest.await?;
        }
        calls.push_back(subject.read());
    }
    for call in calls {
        call.await?;
    }
    Ok(())
}

async fn tasks(subject: &impl Subject, in_flight: usize, reads: usize) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let subject = subject.clone();
        tasks.spawn(async move {
            for _ in 0..reads / in_flight {
                subject.read().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
