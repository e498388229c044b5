//! Who may what: getAcl, setAcl, addauth, whoami.

use jute::ErrorCode;
use serde_json::json;

use super::{argument, expected_version, show_stat};
use crate::shell::failure::{Failure, exception_message};
use crate::shell::options::Given;
use crate::shell::walk::Walk;
use crate::shell::{Shell, acl, path, render};

pub(crate) async fn get_acl(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    path::check(path)?;
    let (entries, stat) = shell.link()?.acl(path).await?;
    let text = || render::acl(&entries);
    shell.out.say("acl", || render::acl_json(&entries), text)?;
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

pub(crate) async fn set_acl(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let parsed = acl::parse(argument(given, 1));
    parsed
        .complaints
        .iter()
        .for_each(|line| shell.out.note(line));
    let version = expected_version(given)?;
    path::check(path)?;
    if parsed.acl.is_empty() {
        return Err(Failure::refused(ErrorCode::InvalidAcl, None));
    }
    let link = shell.link()?;
    if !given.has("R") {
        let stat = link.set_acl(path, parsed.acl, version).await?;
        if given.has("s") {
            show_stat(shell, &stat)?;
        }
        return Ok(());
    }
    let mut walk = Walk::from(&link, path, false).await?;
    while let Some(nodes) = walk.next(&link).await? {
        for node in nodes {
            let outcome = link.set_acl(&node, parsed.acl.clone(), version).await;
            match outcome {
                Ok(_) => {}
                // The others get theirs all the same.
                Err(Failure {
                    code: Some(code), ..
                }) => shell
                    .out
                    .note_on_output(&exception_message(code, Some(&node)))?,
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(())
}

pub(crate) async fn addauth(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let scheme = argument(given, 0);
    let auth = given.argument(1).unwrap_or_default();
    shell.link()?.add_auth(scheme, auth.as_bytes()).await
}

pub(crate) async fn whoami(shell: &mut Shell, _: &Given) -> Result<(), Failure> {
    let identities = shell.link()?.whoami().await?;
    let json = || {
        let identities = identities.iter();
        let identities = identities.map(|(scheme, user)| json!({"scheme": scheme, "user": user}));
        identities.collect()
    };
    let text = || {
        let mut text = "Auth scheme: User".to_owned();
        for (scheme, user) in &identities {
            text.push_str(&format!("\n{scheme}: {user}"));
        }
        text
    };
    shell.out.say("identities", json, text)
}
