//! Makes a diverging run short: ever smaller pieces are left out as long as the runs still differ.

use std::time::{Duration, Instant};

use super::step::Step;

/// Longest time spent on making one report shorter.
const LIMIT: Duration = Duration::from_secs(300);

/// The shortest list found for which `diverges` still holds; `steps` itself must diverge.
pub(crate) fn shrink(steps: Vec<Step>, mut diverges: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let deadline = Instant::now() + LIMIT;
    let mut best = without_parts(steps, deadline, &mut diverges);
    // Then inside the bursts that are left, newest first: it holds the divergence.
    for index in (0..best.len()).rev() {
        let Step::Burst(slot, requests) = best[index].clone() else {
            continue;
        };
        let with = |requests: &[super::step::Request]| {
            let mut steps = best.clone();
            steps[index] = Step::Burst(slot, requests.to_vec());
            steps
        };
        let kept = without_parts(requests, deadline, &mut |requests| {
            diverges(&with(requests))
        });
        best[index] = Step::Burst(slot, kept);
    }
    best
}

/// Leaves out runs of half, a quarter, … of the list, down to single items.
fn without_parts<T: Clone>(
    mut items: Vec<T>,
    deadline: Instant,
    diverges: &mut impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut size = items.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < items.len() {
            if Instant::now() >= deadline {
                return items;
            }
            let end = (start + size).min(items.len());
            let mut candidate = items[..start].to_vec();
            candidate.extend_from_slice(&items[end..]);
            if diverges(&candidate) {
                items = candidate;
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    items
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, without_parts};

    #[test]
    fn only_what_is_needed_remains() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut calls = 0;
        let kept = without_parts((0..1000).collect(), deadline, &mut |items: &[i32]| {
            calls += 1;
            items.contains(&17) && items.contains(&801)
        });
        assert_eq!(kept, [17, 801]);
        assert!(calls < 200);
    }
}
