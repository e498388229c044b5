//! What the compiler does not look at: lengths of files and of comments, words that do not belong
//! into a commit, and mutants that no longer fit the code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Longest source file; past about 600 lines a file asks for a seam.
const LINES_MAX: usize = 700;
/// Longest line of a comment, characters: the formatter leaves comments alone.
const COMMENT_MAX: usize = 100;
/// Files looked at, at most.
const FILES_MAX: usize = 100_000;
/// Folders that hold nothing to check: builds, history, recorded bytes, fuzz findings.
const SKIPPED: [&str; 6] = ["target", ".git", "testdata", "corpus", "artifacts", "data"];
/// Endings of the files that are text of ours.
const CHECKED: [&str; 8] = ["rs", "toml", "md", "sh", "py", "java", "cfg", "yml"];

pub(crate) fn run() -> Result<()> {
    let root = crate::workspace::root();
    let files = files(root)?;
    let mut findings = Vec::new();
    for file in &files {
        let text = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        let name = file.strip_prefix(root).unwrap_or(file);
        findings.extend(check(name, &text));
    }
    findings.extend(crate::mutants::stale()?);
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy: {} findings", findings.len());
    println!("tidy: {} files, nothing found", files.len());
    Ok(())
}

fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| CHECKED.iter().any(|c| e == *c))
            {
                found.push(path);
                ensure!(found.len() <= FILES_MAX, "more than {FILES_MAX} files");
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Words that no file may contain. Put together from parts, so that this file may say them.
fn forbidden() -> Vec<(String, &'static str)> {
    let words = [
        (["/wo", "rk/"], "a path of one machine"),
        (["/ro", "ot/"], "a path of one machine"),
        (["/ho", "me/"], "a path of one machine"),
        (["todo", "!("], "unfinished code"),
        (["unimple", "mented!("], "unfinished code"),
        (["dbg", "!("], "a left-over"),
        (["#[ig", "nore"], "a test that does not run"),
    ];
    words.map(|(parts, why)| (parts.concat(), why)).into()
}

fn check(name: &Path, text: &str) -> Vec<String> {
    let name = name.display();
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if text_is_source(&name.to_string()) && lines > LINES_MAX {
        findings.push(format!("{name}: {lines} lines, at most {LINES_MAX}"));
    }
    let forbidden = forbidden();
    // In the middle of a drawing or of an example.
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        for (word, why) in &forbidden {
            if line.contains(word.as_str()) {
                findings.push(format!("{name}:{}: {word} is {why}", n + 1));
            }
        }
        let comment = line.trim_start();
        fenced ^= comment.starts_with("//") && comment.contains("```");
        let prose = comment.starts_with("//") && !fenced && !comment.contains(" | ");
        if prose && text_is_source(&name.to_string()) && line.chars().count() > COMMENT_MAX {
            findings.push(format!(
                "{name}:{}: a comment is longer than {COMMENT_MAX}",
                n + 1
            ));
        }
        if line.ends_with([' ', '\t']) && text_is_source(&name.to_string()) {
            findings.push(format!("{name}:{}: trailing blanks", n + 1));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{name}: no newline at the end"));
    }
    findings
}

fn text_is_source(name: &str) -> bool {
    name.ends_with(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_forbids() {
        let long = "x\n".repeat(LINES_MAX + 1);
        let wide = format!("/// {}x\n", "x ".repeat(COMMENT_MAX / 2));
        let todo = ["fn f() { todo", "!() }\n"].concat();
        let path = ["see /ro", "ot/x\n"].concat();
        for (name, text, expected) in [
            ("a.rs", "fn f() {}\n", 0),
            ("a.rs", long.as_str(), 1),
            ("a.md", long.as_str(), 0),
            ("a.rs", wide.as_str(), 1),
            ("a.rs", &format!("/// ```text\n{wide}/// ```\n"), 0),
            ("a.md", wide.as_str(), 0),
            ("a.rs", todo.as_str(), 1),
            ("a.md", path.as_str(), 1),
            ("a.rs", "fn f() {} \n", 1),
            ("a.rs", "fn f() {}", 1),
        ] {
            assert_eq!(
                check(Path::new(name), text).len(),
                expected,
                "{name}: {text}"
            );
        }
    }
}
