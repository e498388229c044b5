//! Single nodes: create, get, set, stat, delete, and which ephemerals there are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jute::data::Acl;
use jute::{CreateMode, ErrorCode};
use serde_json::json;

use super::{argument, expected_version, show_stat};
use crate::shell::failure::{Failure, exception_message};
use crate::shell::options::Given;
use crate::shell::{Shell, acl, path, render};

/// What Apache's client prints for null data.
const NULL: &[u8] = b"null";
/// Longest time to live: 40 bits hold it.
const TTL_MS_MAX: i64 = (1 << 40) - 1;

pub(crate) async fn create(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let (mode, ttl) = create_mode(given)?;
    let path = argument(given, 0);
    let data = given.argument(1).map(str::as_bytes);
    let parsed = given.argument(2).map(acl::parse);
    let list = match parsed {
        None => vec![Acl::open()],
        Some(parsed) => {
            parsed
                .complaints
                .iter()
                .for_each(|line| shell.out.note(line));
            parsed.acl
        }
    };
    if mode.is_sequential() {
        path::check_sequential(path)?;
    } else {
        path::check(path)?;
    }
    let created = if list.is_empty() {
        Err(Failure::refused(ErrorCode::InvalidAcl, None))
    } else {
        let link = shell.link()?;
        link.create(path, data, list, mode, ttl).await
    };
    let created = created.inspect_err(|failure| explain(shell, failure))?;
    shell.has_ephemerals |= mode.is_ephemeral();
    let text = format!("Created {created}");
    shell.out.say_on_error("created", json!(created), &text);
    Ok(())
}

/// Two refusals are told twice, as in Apache's shell.
fn explain(shell: &Shell, failure: &Failure) {
    match failure.code {
        Some(ErrorCode::EphemeralOnLocalSession) => {
            shell
                .out
                .note("Unable to create ephemeral node on a local session");
        }
        Some(code @ ErrorCode::InvalidAcl) => {
            shell
                .out
                .note(&exception_message(code, failure.path.as_deref()));
        }
        _ => {}
    }
}

fn create_mode(given: &Given) -> Result<(CreateMode, Option<i64>), Failure> {
    let (ephemeral, sequential) = (given.has("e"), given.has("s"));
    let container = given.has("c");
    if container && (ephemeral || sequential) {
        return Err(Failure::new(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ));
    }
    let ttl = match given.value("t").map(str::parse::<i64>) {
        None => None,
        Some(Ok(ttl)) => Some(ttl),
        Some(Err(_)) => return Err(Failure::new("-t argument must be a long value")),
    };
    if ttl.is_some() && ephemeral {
        let message = "TTLs cannot be used with Ephemeral znodes";
        return Err(Failure::new(message));
    }
    if ttl.is_some() && container {
        let message = "TTLs cannot be used with Container znodes";
        return Err(Failure::new(message));
    }
    if ttl.is_some_and(|ttl| !(1..=TTL_MS_MAX).contains(&ttl)) {
        let message = format!(
            "ttl must be positive and cannot be larger than: {}",
            TTL_MS_MAX
        );
        return Err(Failure::new(message));
    }
    let mode = match (ephemeral, sequential, ttl.is_some()) {
        (true, true, _) => CreateMode::EphemeralSequential,
        (true, false, _) => CreateMode::Ephemeral,
        (false, true, false) => CreateMode::PersistentSequential,
        (false, true, true) => CreateMode::PersistentSequentialWithTtl,
        (false, false, true) => CreateMode::PersistentWithTtl,
        (false, false, false) if container => CreateMode::Container,
        (false, false, false) => CreateMode::Persistent,
    };
    Ok((mode, ttl))
}

pub(crate) async fn get(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    path::check(path)?;
    let (data, stat) = shell.link()?.get(path, given.has("w")).await?;
    shell.out.members(|object| {
        object.insert("path".to_owned(), json!(path));
    });
    let bytes = data.as_deref();
    // Of several forms the last one of these counts.
    if given.has("x") {
        let dump = render::hexdump(bytes.unwrap_or(NULL));
        shell.out.say("hexdump", || json!(dump), || dump.clone())?;
    } else if given.has("b") {
        let text = STANDARD.encode(bytes.unwrap_or(NULL));
        let value = || bytes.map_or(json!(null), |_| json!(text));
        shell.out.say("dataBase64", value, || text.clone())?;
    } else {
        let text = String::from_utf8_lossy(bytes.unwrap_or(NULL));
        shell.out.chat(&text)?;
        shell.out.members(|object| render::data_json(object, bytes));
    }
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

pub(crate) async fn set(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let text = argument(given, 1);
    let decoded;
    let data = if given.has("b") {
        decoded = STANDARD
            .decode(text)
            .map_err(|error| Failure::new(format!("Not base64: {error}")))?;
        decoded.as_slice()
    } else {
        text.as_bytes()
    };
    let version = expected_version(given)?;
    path::check(path)?;
    let stat = shell.link()?.set(path, data, version).await?;
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

pub(crate) async fn stat(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    path::check(path)?;
    let stat = shell.link()?.exists(path, given.has("w")).await?;
    let stat = stat.ok_or_else(|| Failure::refused(ErrorCode::NoNode, Some(path)))?;
    show_stat(shell, &stat)
}

pub(crate) async fn delete(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let version = expected_version(given)?;
    path::check(path)?;
    shell.link()?.delete(path, version).await
}

pub(crate) async fn ephemerals(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    // Without a path those of the whole tree.
    let prefix = given.argument(0).unwrap_or("/");
    path::check(prefix)?;
    let paths = shell.link()?.ephemerals(prefix).await?;
    shell
        .out
        .say("ephemerals", || json!(paths), || render::list(&paths))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{options, table};

    fn mode(line: &str) -> Result<(CreateMode, Option<i64>), String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let create = table::find("create").expect("in the table");
        let given = options::parse(create.options, create.choice, &words);
        let given = given.map_err(|failure| failure.message)?;
        create_mode(&given).map_err(|failure| failure.message)
    }

    #[test]
    fn options_of_create_make_a_mode() {
        let table = [
            ("create /a", CreateMode::Persistent, None),
            ("create -e /a", CreateMode::Ephemeral, None),
            ("create -s /a", CreateMode::PersistentSequential, None),
            ("create -e -s /a", CreateMode::EphemeralSequential, None),
            ("create -c /a", CreateMode::Container, None),
            ("create -t 5 /a", CreateMode::PersistentWithTtl, Some(5)),
            (
                "create -s -t 5 /a",
                CreateMode::PersistentSequentialWithTtl,
                Some(5),
            ),
        ];
        for (line, expected, ttl) in table {
            assert_eq!(mode(line), Ok((expected, ttl)), "{line}");
        }
    }

    #[test]
    fn options_of_create_exclude_each_other() {
        let container =
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.";
        let bounds = "ttl must be positive and cannot be larger than: 1099511627775";
        let table = [
            ("create -c -e /a", container),
            ("create -c -s /a", container),
            ("create -t x /a", "-t argument must be a long value"),
            (
                "create -t 5 -e /a",
                "TTLs cannot be used with Ephemeral znodes",
            ),
            (
                "create -t 5 -c /a",
                "TTLs cannot be used with Container znodes",
            ),
            ("create -t 0 /a", bounds),
            ("create -t 1099511627776 /a", bounds),
        ];
        for (line, expected) in table {
            assert_eq!(mode(line), Err(expected.to_owned()), "{line}");
        }
    }
}
