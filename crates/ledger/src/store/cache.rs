//! Sets that were read lately.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

/// Two generations of sets: what was not asked for during a whole generation goes. Each has at most half the bytes.
pub(crate) struct Cache {
    bytes_max: usize,
    bytes: usize,
    young: HashMap<(u32, u32), Arc<RoaringBitmap>>,
    old: HashMap<(u32, u32), Arc<RoaringBitmap>>,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Cache {
        Cache {
            bytes_max,
            bytes: 0,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn get(&mut self, id: (u32, u32)) -> Option<Arc<RoaringBitmap>> {
        if let Some(set) = self.young.get(&id) {
            return Some(Arc::clone(set));
        }
        let set = self.old.remove(&id)?;
        self.put(id, &set);
        Some(set)
    }

    pub(crate) fn put(&mut self, id: (u32, u32), set: &Arc<RoaringBitmap>) {
        let bytes = set.serialized_size() + 64;
        if bytes > self.bytes_max / 2 {
            return;
        }
        if self.bytes + bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(id, Arc::clone(set)).is_none() {
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_asked_for_and_stays_small() {
        let mut cache = Cache::new(100_000);
        let set = |from: u32| {
            Arc::new(
                (from..from + 100)
                    .map(|unit| unit * 2)
                    .collect::<RoaringBitmap>(),
            )
        };
        cache.put((0, 0), &set(0));
        for number in 1..10_000 {
            cache.put((0, number), &set(number));
            assert_eq!(cache.get((0, 0)).as_deref(), Some(&*set(0)));
        }
        let kept = cache.young.len() + cache.old.len();
        assert!(kept < 500, "{kept}");
        assert!(cache.get((0, 1)).is_none());
    }
}
