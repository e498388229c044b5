//! Who comes before whom.
//!
//! Sequence numbers are those of the parent, 32 bits with a sign, and wrap around. Of two
//! contenders the earlier one is that from which the other is reached by counting up at most
//! 2^31: right as long as no two that are there at the same time are further apart. Curator and
//! kazoo compare the text, so they take the first numbers after the wrap for the lowest; beside
//! them a lock's directory must not live through 2^31 acquisitions.

use super::name::{Label, parse};

/// What a contender needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nobody before it.
    Exclusive,
    /// No exclusive one before it.
    Shared,
}

/// What a look at the contenders says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this one's turn.
    First,
    /// Not before this node has gone.
    After(String),
}

/// Judges for the contender `own`; `None` if it is not among them.
pub(crate) fn judge(
    children: &[String],
    own: &str,
    mode: Mode,
    labels: &[Label],
) -> Option<Verdict> {
    if !children.iter().any(|child| child == own) {
        return None;
    }
    let before = predecessors(children, own, labels)?;
    let excluding = before
        .into_iter()
        .filter(|(label, ..)| mode == Mode::Exclusive || !label.shared);
    let nearest = excluding.min_by_key(|(_, distance, _)| *distance);
    Some(nearest.map_or(Verdict::First, |(.., name)| Verdict::After(name.to_owned())))
}

/// Those before `own`, with how far before.
fn predecessors<'c>(
    children: &'c [String],
    own: &str,
    labels: &[Label],
) -> Option<Vec<(Label, i32, &'c str)>> {
    let (_, own) = parse(own, labels)?;
    let before = children.iter().filter_map(|child| {
        let (label, number) = parse(child, labels)?;
        let distance = own.wrapping_sub(number);
        (distance > 0).then_some((label, distance, child.as_str()))
    });
    Some(before.collect())
}

/// The contenders, in their order.
pub(crate) fn sorted(children: Vec<String>, labels: &[Label]) -> Vec<String> {
    let numbered = children.into_iter().filter_map(|child| {
        let (_, number) = parse(&child, labels)?;
        Some((number, child))
    });
    let mut numbered: Vec<_> = numbered.collect();
    // Any of them will do as the point to count from: all lie within half the circle.
    let from = numbered.first().map_or(0, |(number, _)| *number);
    numbered.sort_by_key(|(number, _)| number.wrapping_sub(from));
    numbered.into_iter().map(|(_, child)| child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &[Label] = &[Label::exclusive("W-"), Label::shared("R-")];

    fn judged(children: &[&str], own: &str, mode: Mode) -> Option<String> {
        let children: Vec<_> = children.iter().map(|child| (*child).to_owned()).collect();
        match judge(&children, own, mode, LABELS)? {
            Verdict::First => Some("first".to_owned()),
            Verdict::After(name) => Some(name),
        }
    }

    #[test]
    fn who_waits_for_whom() {
        use Mode::{Exclusive, Shared};
        let all = [
            "R-0000000004",
            "W-0000000001",
            "other",
            "R-0000000002",
            "R-0000000003",
            "W-0000000005",
        ];
        for (children, own, mode, expected) in [
            (&all[..], "W-0000000001", Exclusive, Some("first")),
            (&all, "R-0000000002", Shared, Some("W-0000000001")),
            (&all, "R-0000000004", Shared, Some("W-0000000001")),
            (&all, "W-0000000005", Exclusive, Some("R-0000000004")),
            (&all, "W-0000000009", Exclusive, None),
            (
                &["R-0000000002", "R-0000000003"],
                "R-0000000003",
                Shared,
                Some("first"),
            ),
            // A lock that was downgraded has the number of the write lock.
            (
                &["W-0000000005", "R-0000000005"],
                "R-0000000005",
                Shared,
                Some("first"),
            ),
            (
                &["R-0000000005", "W-0000000006"],
                "W-0000000006",
                Exclusive,
                Some("R-0000000005"),
            ),
            // Around the end of the numbers.
            (
                &["W-2147483647", "W--2147483648"],
                "W-2147483647",
                Exclusive,
                Some("first"),
            ),
            (
                &["W-2147483647", "W--2147483648"],
                "W--2147483648",
                Exclusive,
                Some("W-2147483647"),
            ),
            (
                &["W--000000001", "W-0000000000"],
                "W-0000000000",
                Exclusive,
                Some("W--000000001"),
            ),
        ] {
            let judged = judged(children, own, mode);
            assert_eq!(judged.as_deref(), expected, "{own} among {children:?}");
        }
    }

    #[test]
    fn the_order_goes_around_the_end_of_the_numbers() {
        let names = [
            "W--2147483647",
            "W-2147483646",
            "x",
            "W--2147483648",
            "W-2147483647",
        ];
        let names = names.map(str::to_owned).to_vec();
        let expected = [
            "W-2147483646",
            "W-2147483647",
            "W--2147483648",
            "W--2147483647",
        ];
        assert_eq!(sorted(names, LABELS), expected);
    }
}
