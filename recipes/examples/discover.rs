//! Registers and finds services, beside others that may be Curator's.
//!
//! `discover CONNECT`, which prints `READY` and then takes lines: see `take`.

mod lines;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use client::Client;
use recipes::{
    Discovery, DownPolicy, Provider, Registration, ServiceCache, ServiceInstance, Strategy, UriSpec,
};
use serde_json::{Value, json};

const WEB: &str = "web";
const KINDS: &str = "kinds";
const REGISTERED: Duration = Duration::from_secs(1_700_000_000);

#[derive(serde::Serialize, serde::Deserialize)]
struct Details {
    weight: i32,
    zone: String,
}

struct Program {
    services: Discovery<Details>,
    payloads: Discovery<Value>,
    cache: ServiceCache<Details>,
    provider: Provider<Details>,
    own: BTreeMap<String, Registration>,
    kinds: Vec<Registration>,
}

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
    let connect = std::env::args().nth(1).context("discover CONNECT")?;
    let client = Client::connect(&connect).await?;
    let services = Discovery::new(&client, "/services").payload_class("compat.Discovery$Details");
    let policy = DownPolicy::default();
    let mut program = Program {
        cache: services.cache(WEB).await?,
        provider: services.provider(WEB, Strategy::RoundRobin, policy).await?,
        services,
        payloads: Discovery::new(&client, "/payloads"),
        own: BTreeMap::new(),
        kinds: Vec::new(),
    };
    let mut lines = lines::lines();
    println!("READY");
    while let Some(line) = lines.recv().await {
        program.take(&line.split(' ').collect::<Vec<_>>()).await?;
        println!("READY");
    }
    client.close().await?;
    println!("closed");
    Ok(())
}

impl Program {
    async fn take(&mut self, words: &[&str]) -> Result<()> {
        match *words {
            ["register", id] => {
                let registration = self.services.register(&web(id)?).await?;
                self.own.insert(id.to_owned(), registration);
            }
            ["update", id, zone] => {
                let own = self.own.get(id).context("its id")?;
                let (weight, zone) = (8, zone.to_owned());
                let mut updated = instance(WEB, id, Some(Details { weight, zone })).port(81);
                updated.enabled = false;
                own.update(&updated).await?;
            }
            ["unregister", id] => self.own.remove(id).context("its id")?.unregister().await?,
            ["list"] => {
                let instances = self.services.instances(WEB).await?;
                list(instances.into_iter().map(Arc::new).collect())?;
            }
            ["cached", count] => {
                let count: usize = count.parse()?;
                while self.cache.instances().len() != count {
                    self.cache.next().await?;
                }
                self.cache.settled().await?;
                list(self.cache.instances().cloned().collect())?;
            }
            ["picks", count] => self.picks(count.parse()?).await?,
            ["names"] => println!("{}", self.services.names().await?.join(",")),
            ["kinds", suffix] => self.register_kinds(suffix).await?,
            ["show"] => {
                for instance in self.payloads.instances(KINDS).await? {
                    let payload = instance.payload.unwrap_or_default();
                    println!("{} {payload}", instance.id);
                }
            }
            ["drop"] => {
                for registration in self.kinds.drain(..) {
                    registration.unregister().await?;
                }
            }
            _ => bail!("not a command: {words:?}"),
        }
        Ok(())
    }

    async fn picks(&self, count: usize) -> Result<()> {
        while self.provider.instances()?.len() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut picked = BTreeMap::new();
        for _ in 0..3 * count {
            let instance = self.provider.pick()?.context("one of them")?;
            *picked.entry(instance.id.clone()).or_insert(0) += 1;
        }
        let picked: Vec<_> = picked.iter().map(|(id, n)| format!("{id}={n}")).collect();
        println!("{{{}}}", picked.join(", "));
        Ok(())
    }

    async fn register_kinds(&mut self, suffix: &str) -> Result<()> {
        for (kind, payload) in [
            ("text", json!("hello")),
            ("truth", json!(true)),
            ("int", json!(7)),
            ("long", json!(1_u64 << 40)),
            ("fraction", json!(1.5)),
            ("map", json!({"a": "b"})),
            ("list", json!(["x", "y"])),
            ("nothing", Value::Null),
        ] {
            let kind = instance(KINDS, &format!("{kind}-{suffix}"), Some(payload));
            self.kinds.push(self.payloads.register(&kind).await?);
        }
        Ok(())
    }
}

fn instance<P>(name: &str, id: &str, payload: Option<P>) -> ServiceInstance<P> {
    let mut instance = ServiceInstance::new(name, id, UNIX_EPOCH + REGISTERED);
    instance.payload = payload;
    instance.address("10.0.0.1")
}

fn web(id: &str) -> Result<ServiceInstance<Details>> {
    let (weight, zone) = (7, "north".to_owned());
    let spec = UriSpec::parse("{scheme}://{address}:{ssl-port}/{id}")?;
    let web = instance(WEB, id, Some(Details { weight, zone }));
    Ok(web.port(80).ssl_port(443).uri_spec(spec))
}

fn list(instances: Vec<Arc<ServiceInstance<Details>>>) -> Result<()> {
    fn text(value: Option<impl Display>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    }
    for instance in instances {
        let Details { weight, zone } = instance.payload.as_ref().context("a payload")?;
        println!(
            "{} {} {} {} {weight}{zone} {} {} {} {}",
            instance.id,
            text(instance.address.as_ref()),
            text(instance.port),
            text(instance.ssl_port),
            instance.registered_ms,
            text(instance.uri()),
            instance.service_type,
            instance.enabled,
        );
    }
    Ok(())
}
