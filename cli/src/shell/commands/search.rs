//! Subtrees as pictures and by conditions: tree, find.

use jute::data::Stat;
use serde_json::{Map, Value, json};

use crate::shell::failure::Failure;
use crate::shell::link::Link;
use crate::shell::options::{Given, Opt, flag, valued};
use crate::shell::walk::{Survey, Visited, WINDOW};
use crate::shell::{Shell, path, render};

/// The options of `find`.
pub(crate) const OPTIONS: &[Opt] = &[
    valued(
        "name",
        "Glob of the last name: * is any text, ? any character",
    ),
    valued("data", "Text that the data contain"),
    valued("type", "persistent or ephemeral"),
    valued("owner", "Session that owns an ephemeral, as 0x..."),
    valued(
        "size",
        "Length of the data: n, at least +n, at most -n bytes",
    ),
    valued("depth", "Levels below the path, all unless told"),
    flag("l", "Size, version and kind of each node too"),
];

/// A word for what a Stat tells of a node's life. Containers and nodes with a time to live look
/// persistent: no server tells clients of them.
fn kind_name(stat: &Stat) -> &'static str {
    match stat.ephemeral_owner {
        0 => "persistent",
        _ => "ephemeral",
    }
}

pub(crate) async fn tree(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let top = given.argument(0).unwrap_or("/");
    path::check(top)?;
    let mut survey = Survey::from(top, depth(given, "d")?);
    let (link, mut picture) = (shell.link()?, Picture::default());
    let mut count = 0_u64;
    while let Some(node) = survey.next(&link).await {
        if node.depth == 0 {
            node.stat.clone()?;
        }
        count += 1;
        let mut line = picture.line(&node);
        match &node.stat {
            Ok(stat) if given.has("s") => line.push_str(&details(stat)),
            Ok(_) => {}
            Err(failure) => line.push_str(&format!("  ({failure})")),
        }
        shell.out.row(&line, || row_json(&node))?;
    }
    let text = || format!("{count} node{}", if count == 1 { "" } else { "s" });
    shell.out.say("nodes", || json!(count), text)
}

/// The branches in front of a name.
#[derive(Default)]
struct Picture {
    /// For each level above the present one: was the node there the last of its siblings?
    ends: Vec<bool>,
}

impl Picture {
    fn line(&mut self, node: &Visited) -> String {
        if node.depth == 0 {
            self.ends.clear();
            return node.path.clone();
        }
        self.ends.truncate(node.depth - 1);
        let mut line = String::new();
        for end in &self.ends {
            line.push_str(if *end { "    " } else { "\u{2502}   " });
        }
        let branch = if node.is_last { '\u{2514}' } else { '\u{251c}' };
        self.ends.push(node.is_last);
        let name = node.path.rsplit('/').next().unwrap_or_default();
        line.push_str(&format!("{branch}\u{2500}\u{2500} {name}"));
        line
    }
}

fn details(stat: &Stat) -> String {
    let more = match stat.ephemeral_owner {
        0 => String::new(),
        session => format!(" of 0x{session:x}"),
    };
    let (length, version) = (stat.data_length, stat.version);
    format!("  {length} B  v{version}  {}{more}", kind_name(stat))
}

fn row_json(node: &Visited) -> Value {
    let mut row = Map::new();
    row.insert("path".to_owned(), json!(node.path));
    match &node.stat {
        Ok(stat) => {
            row.insert("kind".to_owned(), json!(kind_name(stat)));
            row.insert("stat".to_owned(), render::stat_json(stat));
        }
        Err(failure) => {
            row.insert("error".to_owned(), json!(failure.message));
        }
    }
    Value::Object(row)
}

pub(crate) async fn find(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let top = given.argument(0).unwrap_or("/");
    path::check(top)?;
    let wanted = Wanted::of(given)?;
    let mut survey = Survey::from(top, depth(given, "depth")?);
    let link = shell.link()?;
    // Conditions on data are looked at for many nodes at a time.
    let mut kept: Vec<(Visited, Stat)> = Vec::new();
    while let Some(node) = survey.next(&link).await {
        match node.stat.clone() {
            Err(failure) if node.depth == 0 => return Err(failure),
            Err(failure) => shell.out.note(&failure.message),
            Ok(stat) if wanted.takes(&node.path, &stat) => kept.push((node, stat)),
            Ok(_) => {}
        }
        if kept.len() == WINDOW {
            show_found(shell, &link, given, &wanted, &mut kept).await?;
        }
    }
    show_found(shell, &link, given, &wanted, &mut kept).await
}

async fn show_found(
    shell: &Shell,
    link: &Link,
    given: &Given,
    wanted: &Wanted<'_>,
    kept: &mut Vec<(Visited, Stat)>,
) -> Result<(), Failure> {
    let paths: Vec<&str> = kept.iter().map(|(node, _)| node.path.as_str()).collect();
    let takes = wanted.takes_data(shell, link, &paths).await?;
    for ((node, stat), takes) in kept.drain(..).zip(takes) {
        if !takes {
            continue;
        }
        let more = if given.has("l") {
            details(&stat)
        } else {
            String::new()
        };
        let line = format!("{}{more}", node.path);
        shell.out.row(&line, || row_json(&node))?;
    }
    Ok(())
}

/// The conditions of `find`; a node must meet all of them.
#[derive(Debug, Default)]
struct Wanted<'a> {
    name: Option<&'a str>,
    data: Option<&'a str>,
    kind: Option<&'a str>,
    owner: Option<i64>,
    size: Option<(Sign, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Exactly,
    AtLeast,
    AtMost,
}

impl<'a> Wanted<'a> {
    fn of(given: &'a Given) -> Result<Self, Failure> {
        let kind = given.value("type");
        let kinds = ["persistent", "ephemeral"];
        if let Some(kind) = kind.filter(|kind| !kinds.contains(kind)) {
            let message = format!("{kind} is none of {}", kinds.join(", "));
            return Err(Failure::new(message));
        }
        let owner = given.value("owner").map(|text| {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let session = u64::from_str_radix(digits, 16);
            let session = session.map(u64::cast_signed);
            session.map_err(|_| Failure::new(format!("{text} is no session id")))
        });
        let size = given.value("size").map(|text| {
            let (sign, digits) = match text.split_at_checked(1) {
                Some(("+", digits)) => (Sign::AtLeast, digits),
                Some(("-", digits)) => (Sign::AtMost, digits),
                _ => (Sign::Exactly, text),
            };
            let size = digits.parse::<i64>();
            let size = size.map(|size| (sign, size));
            size.map_err(|_| Failure::new(format!("{text} is no size")))
        });
        Ok(Self {
            name: given.value("name"),
            data: given.value("data"),
            kind,
            owner: owner.transpose()?,
            size: size.transpose()?,
        })
    }

    /// The conditions that need no data.
    fn takes(&self, path: &str, stat: &Stat) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let length = i64::from(stat.data_length);
        self.name.is_none_or(|glob| matches(glob, name))
            && self.kind.is_none_or(|kind| kind == kind_name(stat))
            && self
                .owner
                .is_none_or(|session| stat.ephemeral_owner == session)
            && self.size.is_none_or(|(sign, size)| match sign {
                Sign::Exactly => length == size,
                Sign::AtLeast => length >= size,
                Sign::AtMost => length <= size,
            })
    }

    async fn takes_data(
        &self,
        shell: &Shell,
        link: &Link,
        paths: &[&str],
    ) -> Result<Vec<bool>, Failure> {
        let Some(text) = self.data else {
            return Ok(vec![true; paths.len()]);
        };
        let mut takes = Vec::with_capacity(paths.len());
        for found in link.get_each(paths).await {
            takes.push(match found {
                Ok((data, _)) => contains(data.as_deref().unwrap_or_default(), text.as_bytes()),
                Err(failure) if failure.code.is_some() => {
                    shell.out.note(&failure.message);
                    false
                }
                Err(failure) => return Err(failure),
            });
        }
        Ok(takes)
    }
}

fn contains(data: &[u8], part: &[u8]) -> bool {
    part.is_empty() || data.windows(part.len()).any(|window| window == part)
}

/// Does the text match the glob? Looks at each pair of positions at most once.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut position) = (0, 0);
    // Where the last star stands, and up to where it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match star {
                None => return false,
                Some((star_at, eaten)) => {
                    star = Some((star_at, eaten + 1));
                    at = star_at + 1;
                    position = eaten + 1;
                }
            },
        }
    }
    glob[at..].iter().all(|rest| *rest == '*')
}

/// The levels that an option allows.
fn depth(given: &Given, option: &str) -> Result<usize, Failure> {
    match given.value(option).map(|text| (text, text.parse())) {
        None => Ok(usize::MAX),
        Some((_, Ok(depth))) => Ok(depth),
        Some((text, Err(_))) => Err(Failure::new(format!("{text} is no depth"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("?", "\u{e9}", true),
            ("??", "a", false),
            ("*-??", "lock-01", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("lock-*", "lock", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn pictures_show_what_hangs_where() {
        let nodes = [
            ("/app", 0, true),
            ("/app/a", 1, false),
            ("/app/a/x", 2, true),
            ("/app/a/x/y", 3, true),
            ("/app/b", 1, true),
            ("/app/b/z", 2, true),
        ];
        let mut picture = Picture::default();
        let lines = nodes.map(|(path, depth, is_last)| {
            picture.line(&Visited {
                path: path.to_owned(),
                depth,
                is_last,
                stat: Ok(Stat::default()),
            })
        });
        assert_eq!(
            lines.join("\n"),
            "/app\n\
             \u{251c}\u{2500}\u{2500} a\n\
             \u{2502}   \u{2514}\u{2500}\u{2500} x\n\
             \u{2502}       \u{2514}\u{2500}\u{2500} y\n\
             \u{2514}\u{2500}\u{2500} b\n    \
             \u{2514}\u{2500}\u{2500} z"
        );
    }

    #[test]
    fn owners_tell_kinds() {
        for (owner_raw, expected) in [
            (0, "  5 B  v2  persistent"),
            (0x1000, "  5 B  v2  ephemeral of 0x1000"),
        ] {
            let stat = Stat {
                ephemeral_owner: owner_raw,
                data_length: 5,
                version: 2,
                ..Stat::default()
            };
            assert_eq!(details(&stat), expected);
        }
    }
}
