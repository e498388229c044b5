//! Quotas: nodes below `/zookeeper/quota` whose text the server reads.

use jute::ErrorCode;
use jute::data::Acl;
use jute::quota::{LIMITS_NAME, QuotaText, limits_path, render_stats, stats_path};
use jute::{CreateMode, path as paths};
use serde_json::{Value, json};

use super::argument;
use crate::shell::failure::Failure;
use crate::shell::link::Link;
use crate::shell::options::Given;
use crate::shell::walk::Walk;
use crate::shell::{Shell, path};

const UNLIMITED: i64 = -1;

pub(crate) async fn setquota(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    if path.starts_with(paths::QUOTA) {
        let line = format!("cannot set a quota under the path: {}", paths::QUOTA);
        shell.out.note(&line);
        return Ok(());
    }
    let wanted = match limits(given) {
        Ok(wanted) => wanted,
        // Told, but no failure, as in Apache's shell.
        Err(line) => {
            shell.out.note(line);
            return Ok(());
        }
    };
    path::check(path)?;
    let link = shell.link()?;
    if link.exists(path, false).await?.is_none() {
        return Err(Failure::new(format!("{path} does not exist.")));
    }
    refuse_nested(&link, path).await?;
    create_parents(&link, path).await?;
    let usage_path = stats_path(path);
    let limits_path = limits_path(path);
    if link.exists(&limits_path, false).await?.is_none() {
        create_plain(&link, &limits_path, Some(wanted.to_string())).await?;
        create_plain(&link, &usage_path, Some(render_stats(0, 0))).await?;
        let limits = read(&link, &limits_path).await?;
        return warn(shell, &limits, &read(&link, &usage_path).await?);
    }
    let merged = merge(read(&link, &limits_path).await?, &wanted);
    warn(shell, &merged, &read(&link, &usage_path).await?)?;
    let text = merged.to_string();
    link.set(&limits_path, text.as_bytes(), -1).await?;
    Ok(())
}

/// The limits that the options ask for; those that are not asked for are unlimited.
fn limits(given: &Given) -> Result<QuotaText, &'static str> {
    const NO_NUMBER: &str = "NumberFormatException happens when parsing the option value";
    let count = |name| match given.value(name).map(str::parse::<i32>) {
        None => Ok(UNLIMITED),
        Some(Ok(count @ 1..)) => Ok(i64::from(count)),
        Some(Ok(_)) => Err("the num quota must be greater than zero"),
        Some(Err(_)) => Err(NO_NUMBER),
    };
    let bytes = |name| match given.value(name).map(str::parse::<i64>) {
        None => Ok(UNLIMITED),
        Some(Ok(bytes @ 0..)) => Ok(bytes),
        Some(Ok(_)) => Err("the bytes quota must be greater than or equal to zero"),
        Some(Err(_)) => Err(NO_NUMBER),
    };
    Ok(QuotaText {
        count: count("n")?,
        bytes: bytes("b")?,
        count_hard_limit: Some(count("N")?),
        byte_hard_limit: Some(bytes("B")?),
    })
}

fn merge(present: QuotaText, wanted: &QuotaText) -> QuotaText {
    let limited = |limit: &i64| *limit > UNLIMITED;
    let hard = |wanted: Option<i64>, present| wanted.filter(limited).or(present);
    let soft = |wanted: i64, present| Some(wanted).filter(limited).unwrap_or(present);
    QuotaText {
        count: soft(wanted.count, present.count),
        bytes: soft(wanted.bytes, present.bytes),
        count_hard_limit: hard(wanted.count_hard_limit, present.count_hard_limit),
        byte_hard_limit: hard(wanted.byte_hard_limit, present.byte_hard_limit),
    }
}

/// A quota below or above another one is refused.
async fn refuse_nested(link: &Link, path: &str) -> Result<(), Failure> {
    let own = format!("{}{path}", paths::QUOTA);
    let mut walk = match Walk::from(link, &own, false).await {
        Ok(walk) => Some(walk),
        Err(failure) if failure.code == Some(ErrorCode::NoNode) => None,
        Err(failure) => return Err(failure),
    };
    while let Some(walk) = &mut walk
        && let Some(nodes) = walk.next(link).await?
    {
        for node in nodes {
            let Some((parent, LIMITS_NAME)) = paths::split(&node) else {
                continue;
            };
            if parent != own {
                let child = &parent[paths::QUOTA.len()..];
                let message = format!("{path} has a child {child} which has a quota");
                return Err(Failure::new(message));
            }
        }
    }
    let mut parent = path;
    while let Some((above, _)) = paths::split(parent).filter(|(above, _)| !above.is_empty()) {
        parent = above;
        if link.exists(&limits_path(parent), false).await?.is_some() {
            let message = format!("{path} has a parent {parent} which has a quota");
            return Err(Failure::new(message));
        }
    }
    Ok(())
}

async fn create_parents(link: &Link, path: &str) -> Result<(), Failure> {
    let full = format!("{}{path}", paths::QUOTA);
    let ends = full.match_indices('/').map(|(at, _)| at).skip(1);
    let ends = ends.chain(std::iter::once(full.len()));
    for end in ends.filter(|end| *end > 0) {
        let node = &full[..end];
        if link.exists(node, false).await?.is_some() {
            continue;
        }
        match create_plain(link, node, None).await {
            Err(failure) if failure.code == Some(ErrorCode::NodeExists) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn create_plain(link: &Link, path: &str, text: Option<String>) -> Result<(), Failure> {
    let data = text.as_deref().map(str::as_bytes);
    let open = vec![Acl::open()];
    link.create(path, data, open, CreateMode::Persistent, None)
        .await?;
    Ok(())
}

async fn read(link: &Link, path: &str) -> Result<QuotaText, Failure> {
    let (data, _) = link.get(path, false).await?;
    QuotaText::parse(data.as_deref()).map_err(|error| Failure::new(format!("{path}: {error}")))
}

/// Says so when a limit is exceeded already.
fn warn(shell: &Shell, limits: &QuotaText, usage: &QuotaText) -> Result<(), Failure> {
    let exceeds = |limit: i64, usage| limit > UNLIMITED && limit < usage;
    let hard = |limit: Option<i64>| limit.unwrap_or(UNLIMITED);
    for (soft, hard, usage, name) in [
        (
            limits.count,
            hard(limits.count_hard_limit),
            usage.count,
            "count",
        ),
        (
            limits.bytes,
            hard(limits.byte_hard_limit),
            usage.bytes,
            "bytes",
        ),
    ] {
        if exceeds(soft, usage) || exceeds(hard, usage) {
            shell.out.note_on_output(&format!(
                "[Warning]: the {name} quota you create is less than the existing {name}:{usage}"
            ))?;
        }
    }
    Ok(())
}

pub(crate) async fn listquota(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let limits_path = limits_path(path);
    shell.out.note(&format!("absolute path is {limits_path}"));
    path::check(&limits_path)?;
    let link = shell.link()?;
    // Both are read before either is shown.
    let both = async {
        let limits = read(&link, &limits_path).await?;
        Ok::<_, Failure>((limits, read(&link, &stats_path(path)).await?))
    };
    let (limits, usage) = match both.await {
        Ok(both) => both,
        Err(failure) if failure.code == Some(ErrorCode::NoNode) => {
            shell.out.note(&format!("quota for {path} does not exist."));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let text = || format!("Output quota for {path} {limits}");
    shell.out.say("quota", || quota_json(&limits), text)?;
    let text = || format!("Output stat for {path} {usage}");
    shell.out.say("usage", || quota_json(&usage), text)
}

fn quota_json(quota: &QuotaText) -> Value {
    json!({
        "count": quota.count,
        "bytes": quota.bytes,
        "countHardLimit": quota.count_hard_limit,
        "byteHardLimit": quota.byte_hard_limit,
    })
}

pub(crate) async fn delquota(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let limits_path = limits_path(path);
    path::check(&limits_path)?;
    let link = shell.link()?;
    if link.exists(&limits_path, false).await?.is_none() {
        let line = format!("Quota does not exist for {path}");
        return shell.out.note_on_output(&line);
    }
    let outcome = if ["n", "b", "N", "B"].iter().any(|name| given.has(name)) {
        lift(&link, given, &limits_path).await
    } else {
        remove(&link, path).await
    };
    match outcome {
        Err(failure) if failure.code == Some(ErrorCode::NoNode) => {
            shell.out.note(&format!("quota for {path} does not exist."));
            Ok(())
        }
        outcome => outcome,
    }
}

/// Lifts one limit; the others stay.
async fn lift(link: &Link, given: &Given, limits_path: &str) -> Result<(), Failure> {
    let mut limits = read(link, limits_path).await?;
    if given.has("n") {
        limits.count = UNLIMITED;
    }
    if given.has("b") {
        limits.bytes = UNLIMITED;
    }
    if given.has("N") {
        limits.count_hard_limit = Some(UNLIMITED);
    }
    if given.has("B") {
        limits.byte_hard_limit = Some(UNLIMITED);
    }
    let text = limits.to_string();
    link.set(limits_path, text.as_bytes(), -1).await?;
    Ok(())
}

/// Removes the quota's nodes, and those above it that served no other quota.
async fn remove(link: &Link, path: &str) -> Result<(), Failure> {
    let mut node = format!("{}{path}", paths::QUOTA);
    let (children, _) = link.children(&node, false).await?;
    for child in children {
        link.delete(&path::child(&node, &child), -1).await?;
    }
    while node != paths::QUOTA {
        let (children, _) = link.children(&node, false).await?;
        if !children.is_empty() {
            break;
        }
        link.delete(&node, -1).await?;
        let Some((above, _)) = paths::split(&node) else {
            break;
        };
        node = above.to_owned();
    }
    Ok(())
}
