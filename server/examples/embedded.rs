//! Starts servers inside this process, and tells how long that takes.

use std::time::Instant;

use server::embedded::{EmbeddedEnsemble, EmbeddedServer};

fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let server = EmbeddedServer::start()?;
    println!("{}: up in {:?}", server.connect_string(), start.elapsed());

    let start = Instant::now();
    let mut ensemble = EmbeddedEnsemble::start()?;
    println!("{}: up in {:?}", ensemble.connect_string(), start.elapsed());

    if let Some(leader) = ensemble.leader() {
        let start = Instant::now();
        ensemble.kill(leader)?;
        let killed = start.elapsed();
        let next = ensemble.wait_for_leader()?;
        let took = start.elapsed();
        println!("member {leader} killed in {killed:?}, {next} leads after {took:?}");
    }
    let start = Instant::now();
    ensemble.stop()?;
    println!("stopped in {:?}", start.elapsed());
    let start = Instant::now();
    drop(server);
    println!("dropped in {:?}", start.elapsed());
    Ok(())
}
