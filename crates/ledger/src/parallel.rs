//! The same work on many things.

use std::thread;

/// From so many units on, sets are worked on by several threads.
pub(crate) const PARALLEL_UNITS_MIN: u64 = 250_000;

/// What each thing comes to, in order, on as many threads as there are processors.
pub fn each<T: Sync, R: Send>(things: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    in_parts(things, |part| part.iter().map(&of).collect())
}

/// The same for things of so many units in all: one by one where these are few.
pub fn of_units<T: Sync, R: Send>(units: u64, things: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if units < PARALLEL_UNITS_MIN {
        return things.iter().map(of).collect();
    }
    each(things, of)
}

/// The same where the things of a part are worked on together: what each of them comes to.
pub(crate) fn in_parts<T: Sync, R: Send>(
    things: &[T],
    of_part: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part_length = things.len().div_ceil(threads).max(1);
    let mut parts = things.chunks(part_length);
    let Some(own) = parts.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let of_part = &of_part;
        let running: Vec<_> = parts
            .map(|part| (part, scope.spawn(move || of_part(part))))
            .collect();
        let mut done = of_part(own);
        for (part, thread) in running {
            // A thread that could not be joined has told nothing: its part is done here.
            done.extend(thread.join().unwrap_or_else(|_| of_part(part)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_things_is_in_their_order() {
        for length in [0, 1, 2, 3, 1_000] {
            let things: Vec<u64> = (0..length).collect();
            let squares: Vec<u64> = things.iter().map(|thing| thing * thing).collect();
            assert_eq!(each(&things, |thing| thing * thing), squares);
        }
    }
}
