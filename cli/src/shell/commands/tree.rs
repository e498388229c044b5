//! Subtrees, as Apache's shell lists, counts and deletes them.

use serde_json::json;

use super::{argument, show_stat};
use crate::shell::failure::Failure;
use crate::shell::options::{self, Given};
use crate::shell::walk::{Walk, breadth_first};
use crate::shell::{Shell, path, render, table};

/// Deletions in one transaction, unless told otherwise.
const BATCH: i32 = 1000;

pub(crate) async fn ls(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let ls = table::find("ls").expect("this command is in the table");
    if given.has("?") {
        let options = options::describe(ls.options);
        let text = format!("usage: ls [options] path\n{}", options.trim_end());
        shell.out.say("usage", || json!(text), || text.clone())?;
    }
    let path = given.argument(0).ok_or_else(|| ls.misused())?;
    path::check(path)?;
    let (link, watches) = (shell.link()?, given.has("w"));
    if given.has("R") {
        let mut walk = Walk::from(&link, path, watches).await?;
        while let Some(nodes) = walk.next(&link).await? {
            for node in nodes {
                shell.out.row(&node, || json!({"path": node}))?;
            }
        }
        return Ok(());
    }
    let (mut children, stat) = link.children(path, watches).await?;
    children.sort_unstable();
    let text = || render::list(&children);
    shell.out.say("children", || json!(children), text)?;
    if given.has("s") {
        show_stat(shell, &stat)?;
    }
    Ok(())
}

pub(crate) async fn all_children_number(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    path::check(path)?;
    let number = shell.link()?.all_children_number(path).await?;
    shell
        .out
        .say("number", || json!(number), || number.to_string())
}

pub(crate) async fn deleteall(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let batch = given.value("b").map_or(Ok(BATCH), str::parse::<i32>);
    let batch = batch.map_err(|_| Failure::new("-b argument must be an int value"))?;
    let path = argument(given, 0);
    path::check(path)?;
    let link = shell.link()?;
    let mut nodes = breadth_first(&link, path).await?;
    // Leaves first, and the top last.
    nodes.reverse();
    let Ok(batch @ 1..) = usize::try_from(batch) else {
        for node in &nodes {
            link.delete(node, -1).await?;
        }
        return Ok(());
    };
    if !link.delete_in_batches(&nodes, batch).await? {
        shell
            .out
            .note("Failed to delete some node(s) in the subtree!");
    }
    Ok(())
}
