//! Access control lists as text: `scheme:id:perms,…`.

use jute::data::{Acl, perms};

/// A list that was read, and what could not be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The entries that could be read.
    pub(crate) acl: Vec<Acl<'static>>,
    /// A line for each thing that could not; Apache's shell goes on without it.
    pub(crate) complaints: Vec<String>,
}

/// Reads a list.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for entry in entries(text) {
        let Some((scheme, id, letters)) = parts(entry) else {
            let complaint = format!("{entry} does not have the form scheme:id:perm");
            parsed.complaints.push(complaint);
            continue;
        };
        let mut bits = 0;
        for letter in letters.chars() {
            match LETTERS.iter().find(|(known, _)| *known == letter) {
                Some((_, bit)) => bits |= bit,
                None => parsed
                    .complaints
                    .push(format!("Unknown perm type: {letter}")),
            }
        }
        parsed.acl.push(Acl::new(bits, scheme, id).into_owned());
    }
    parsed
}

/// Reads one entry, all of it.
///
/// # Errors
/// What could not be read.
pub(crate) fn parse_one(entry: &str) -> Result<Acl<'static>, String> {
    let mut parsed = parse(entry);
    match (parsed.acl.pop(), parsed.complaints.pop()) {
        (Some(entry), None) if parsed.acl.is_empty() => Ok(entry),
        (_, Some(complaint)) => Err(complaint),
        _ => Err(format!("{entry} is more than one entry")),
    }
}

/// In the order in which they are written.
const LETTERS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

/// As Java splits: empty entries at the end are none, unless there is nothing else.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let kept = text.trim_end_matches(',');
    let is_some = !kept.is_empty() || text.is_empty();
    kept.split(',').filter(move |_| is_some)
}

/// The scheme ends at the first colon, the id at the last one.
fn parts(entry: &str) -> Option<(&str, &str, &str)> {
    let (scheme, behind) = entry.split_once(':')?;
    let (id, letters) = behind.rsplit_once(':')?;
    Some((scheme, id, letters))
}

/// The letters of permissions; other bits have none.
pub(crate) fn letters(bits: i32) -> String {
    let given = LETTERS.iter().filter(|(_, bit)| bits & bit != 0);
    given.map(|(letter, _)| letter).collect()
}

/// Scheme and id of an entry.
pub(crate) fn who<'a>(entry: &'a Acl<'_>) -> (&'a str, &'a str) {
    let scheme = entry.id.scheme.as_deref().unwrap_or_default();
    (scheme, entry.id.id.as_deref().unwrap_or_default())
}

/// An entry in the form that [`parse`] reads.
pub(crate) fn entry_text(entry: &Acl<'_>) -> String {
    let (scheme, id) = who(entry);
    format!("{scheme}:{id}:{}", letters(entry.perms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_apache_reads_them() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("world:anyone:cdrwa", &["world:anyone:cdrwa"], &[]),
            ("world:anyone:awrdc", &["world:anyone:cdrwa"], &[]),
            (
                "world:anyone:r,digest:bob:hash=:w",
                &["world:anyone:r", "digest:bob:hash=:w"],
                &[],
            ),
            ("ip:::1:r", &["ip:::1:r"], &[]),
            ("auth::cdrwa", &["auth::cdrwa"], &[]),
            ("world:anyone:", &["world:anyone:"], &[]),
            ("::", &["::"], &[]),
            (
                "world:anyone:rx",
                &["world:anyone:r"],
                &["Unknown perm type: x"],
            ),
            (
                "world:anyone",
                &[],
                &["world:anyone does not have the form scheme:id:perm"],
            ),
            ("", &[], &[" does not have the form scheme:id:perm"]),
            (",", &[], &[]),
            (
                ",world:anyone:r,,",
                &["world:anyone:r"],
                &[" does not have the form scheme:id:perm"],
            ),
        ];
        for (text, acl, complaints) in table {
            let parsed = parse(text);
            let entries: Vec<String> = parsed.acl.iter().map(entry_text).collect();
            assert_eq!(entries, *acl, "{text}");
            assert_eq!(parsed.complaints, *complaints, "{text}");
        }
    }
}
