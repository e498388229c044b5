//! The ensemble: config, reconfig, sync.

use std::path::Path;

use client::Reconfig;
use jute::properties;
use jute::quorum::config::{Member, QuorumConfig};
use serde_json::json;

use super::{argument, show_stat};
use crate::shell::failure::Failure;
use crate::shell::options::Given;
use crate::shell::{Shell, path, table};

pub(crate) async fn config(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let (data, stat) = shell.link()?.config(given.has("w")).await?;
    let text = data.map(|data| String::from_utf8_lossy(&data).into_owned());
    if given.has("c") {
        let clients = client_string(text.as_deref().unwrap_or("null"));
        shell
            .out
            .say("clients", || json!(clients), || clients.clone())?;
    } else {
        let shown = || text.clone().unwrap_or_else(|| "null".to_owned());
        shell.out.say("config", || json!(text), shown)?;
    }
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

/// The version of a configuration and the client addresses of its servers.
fn client_string(text: &str) -> String {
    let properties = properties::parse(text).unwrap_or_default();
    let version = properties
        .iter()
        .rev()
        .find(|property| property.key.trim() == "version");
    let version = version.map_or("", |property| property.value.trim());
    let servers = properties
        .iter()
        .filter(|property| property.key.trim().starts_with("server."));
    let members = servers.filter_map(|server| Member::parse(server.value.trim()).ok());
    let clients = members.map(|member| {
        let client = member.client.as_ref();
        client.map_or_else(String::new, |client| {
            format!("{}:{}", client.host, client.port)
        })
    });
    format!("{version} {}", clients.collect::<Vec<_>>().join(","))
}

pub(crate) async fn reconfig(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let change = change(given)?;
    let (config, stat) = shell.link()?.reconfig(&change).await?;
    let text = || format!("Committed new configuration:\n{config}");
    shell.out.say("config", || json!(config), text)?;
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

fn change(given: &Given) -> Result<Reconfig, Failure> {
    let is_whole = given.has("file") || given.has("members");
    let is_step = given.has("add") || given.has("remove");
    if !is_whole && !is_step {
        let command = table::find("reconfig").expect("this command is in the table");
        return Err(command.misused());
    }
    let version = given.value("v").map(|text| i64::from_str_radix(text, 16));
    let version = version
        .transpose()
        .map_err(|_| Failure::new("-v must be followed by a long (configuration version)"))?;
    if is_whole && is_step {
        return Err(Failure::new(
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        ));
    }
    if given.has("file") && given.has("members") {
        return Err(Failure::new(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let lower = |name| given.value(name).map(str::to_lowercase);
    let new_members = match given.value("file") {
        Some(file) => Some(members_of(Path::new(file))?),
        None => lower("members"),
    };
    Ok(Reconfig {
        joining: lower("add"),
        leaving: lower("remove"),
        new_members,
        from_config: version,
    })
}

/// The configuration that a file describes.
fn members_of(file: &Path) -> Result<String, Failure> {
    let fail = |reason: String| {
        let name = file.display();
        Failure::new(format!("Error processing {name}{name} ({reason})"))
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        fail(match error.kind() {
            std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
            _ => error.to_string(),
        })
    })?;
    let config = QuorumConfig::parse(&text);
    let config = config
        .map_err(|fault| Failure::new(format!("Error processing {}{fault}", file.display())))?;
    Ok(config.to_string())
}

pub(crate) async fn sync(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    path::check(path)?;
    let outcome = shell.link()?.sync(path).await;
    let code = match outcome {
        Ok(()) => 0,
        Err(error) => match crate::shell::link::failure(&error, Some(path)).code {
            Some(code) => code.as_i32(),
            None => return Err(crate::shell::link::failure(&error, Some(path))),
        },
    };
    let text = || match code {
        0 => "Sync is OK".to_owned(),
        code => format!("Sync has failed. rc={code}"),
    };
    shell.out.say("rc", || json!(code), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::options;

    fn read(line: &str) -> Result<Reconfig, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let command = table::find("reconfig").expect("in the table");
        let given = options::parse(command.options, command.choice, &words);
        let given = given.map_err(|failure| failure.message)?;
        change(&given).map_err(|failure| failure.message)
    }

    #[test]
    fn reconfigurations_are_read_as_apache_reads_them() {
        let change = read("reconfig -v 1F -add Server.5=A:1:2;3 -remove 1,2").expect("valid");
        assert_eq!(change.from_config, Some(0x1f));
        assert_eq!(change.joining.as_deref(), Some("server.5=a:1:2;3"));
        assert_eq!(change.leaving.as_deref(), Some("1,2"));
        assert_eq!(change.new_members, None);
        let mixed = "Can't use -file or -members together with -add or -remove (mixing \
                     incremental and non-incremental modes is not allowed)";
        for (line, message) in [
            (
                "reconfig -v zz -add 1",
                "-v must be followed by a long (configuration version)",
            ),
            ("reconfig -add a -members b", mixed),
            (
                "reconfig -file a -members b",
                "Can't use -file and -members together (conflicting non-incremental modes)",
            ),
            (
                "reconfig -file /nonexist",
                "Error processing /nonexist/nonexist (No such file or directory)",
            ),
        ] {
            assert_eq!(read(line), Err(message.to_owned()), "{line}");
        }
        let usage = read("reconfig -s").expect_err("no change");
        assert!(usage.starts_with("reconfig [-s] [-v version] [[-file path]"));
    }

    #[test]
    fn the_addresses_of_clients_stand_behind_the_version() {
        let text = "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
                    server.2=b:2888:3888:observer;c:2182\nserver.3=d:2888:3888\nversion=1f";
        assert_eq!(client_string(text), "1f 0.0.0.0:2181,c:2182,");
        assert_eq!(client_string(""), " ");
    }
}
