//! Counting distinct ids exactly: ids are dense, so a bit each is enough.

/// Ids that were met.
#[derive(Default)]
pub(super) struct Distinct {
    words: Vec<u64>,
    count: u64,
}

impl Distinct {
    pub(super) fn insert(&mut self, id: u32) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.count += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    proptest::proptest! {
        #[test]
        fn it_counts_as_a_set_does(ids in proptest::collection::vec(0..5_000_u32, 0..300)) {
            let mut distinct = Distinct::default();
            ids.iter().for_each(|&id| distinct.insert(id));
            let set: HashSet<_> = ids.into_iter().collect();
            assert_eq!(distinct.count(), set.len() as u64);
        }
    }
}
