//! Own host ids for isolated instances.

use spec::IdMap;

use super::ranges::{Range, shared};
use super::{BLOCK, Error};

/// Finds free ids. Made anew for each request from what is taken at that moment, inside the same
/// transaction that stores the answer; it keeps nothing.
#[derive(Clone, Debug)]
pub struct Allocator {
    ranges: Vec<Range>,
    taken: Vec<Range>,
}

impl Allocator {
    /// `ranges` are root's; `taken` are the maps of isolated instances and the host ids of every
    /// `raw.idmap`. The shared map needs no mention.
    pub fn new(ranges: &[Range], taken: impl IntoIterator<Item = Range>) -> Allocator {
        let mut taken: Vec<Range> = taken.into_iter().collect();
        taken.extend(shared(ranges).ok().map(Range::from));
        taken.sort_unstable();
        Allocator { ranges: ranges.to_vec(), taken }
    }

    /// The first free ids, `size` rounded up to whole blocks; 0 is one block.
    pub fn allocate(&self, size: u32) -> Result<IdMap, Error> {
        let size = size.max(1).checked_next_multiple_of(BLOCK).ok_or(Error::Full { size })?;
        let base = self.ranges.iter().find_map(|range| self.first_fit(*range, size));
        base.map(|base| IdMap { base, size }).ok_or(Error::Full { size })
    }

    /// Exactly these ids, if they are free.
    pub fn claim(&self, wanted: IdMap) -> Result<IdMap, Error> {
        let range = Range::from(wanted);
        let ours = self.ranges.iter().any(|ours| ours.contains(range));
        let free = !self.taken.iter().any(|taken| taken.overlaps(range));
        if ours && free && wanted.size > 0 {
            Ok(wanted)
        } else {
            Err(Error::NotFree { wanted: range })
        }
    }

    /// Blocks begin at multiples of a block from the range's begin, so that freed ones fit again.
    fn first_fit(&self, range: Range, size: u32) -> Option<u32> {
        let mut at = u64::from(range.first);
        for taken in &self.taken {
            let wanted = Range { first: u32::try_from(at).ok()?, count: size };
            if wanted.end() <= u64::from(taken.first) {
                break;
            }
            if wanted.overlaps(*taken) {
                let used = taken.end() - u64::from(range.first);
                at = u64::from(range.first) + used.next_multiple_of(u64::from(BLOCK));
            }
        }
        let wanted = Range { first: u32::try_from(at).ok()?, count: size };
        range.contains(wanted).then_some(wanted.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight blocks from one million: the shared map takes four.
    const RANGES: [Range; 1] = [Range { first: 1_000_000, count: 8 * BLOCK }];
    const FREE: u32 = 1_000_000 + 4 * BLOCK;

    fn fresh() -> Allocator {
        Allocator::new(&RANGES, [])
    }

    fn block(index: u32) -> Range {
        Range { first: FREE + index * BLOCK, count: BLOCK }
    }

    #[test]
    fn the_first_one_comes_after_the_shared_map() {
        assert_eq!(fresh().allocate(0).unwrap(), IdMap { base: FREE, size: BLOCK });
        assert_eq!(fresh().allocate(BLOCK + 1).unwrap().size, 2 * BLOCK);
    }

    #[test]
    fn gaps_are_filled_where_they_are_wide_enough() {
        let allocator = Allocator::new(&RANGES, [block(2), block(0)]);
        assert_eq!(allocator.allocate(1).unwrap().base, block(1).first);
        assert_eq!(allocator.allocate(2 * BLOCK), Err(Error::Full { size: 2 * BLOCK }));
        let allocator = Allocator::new(&RANGES, [block(0)]);
        assert_eq!(allocator.allocate(2 * BLOCK).unwrap().base, block(1).first);
    }

    #[test]
    fn ids_of_raw_entries_are_left_out() {
        let single = Range { first: FREE + 5, count: 1 };
        let allocator = Allocator::new(&RANGES, [single, Range { first: 1000, count: 1 }]);
        assert_eq!(allocator.allocate(1).unwrap().base, block(1).first);
    }

    #[test]
    fn all_blocks_are_used_before_it_is_full() {
        let mut taken = Vec::new();
        for index in 0..4 {
            let map = Allocator::new(&RANGES, taken.clone()).allocate(BLOCK).unwrap();
            assert_eq!(map.base, block(index).first);
            taken.push(map.into());
        }
        let error = Allocator::new(&RANGES, taken).allocate(BLOCK).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no 65536 host ids in a row are left for an isolated instance"
        );
    }

    #[test]
    fn a_second_range_is_used_after_the_first() {
        let second = Range { first: 90_000_000, count: BLOCK };
        let first = Range { first: 100_000, count: BLOCK };
        assert_eq!(Allocator::new(&[first, second], []).allocate(1).unwrap().base, second.first);
    }

    #[test]
    fn ids_can_be_wished_for() {
        let wish = |first, size| fresh().claim(IdMap { base: first, size });
        assert!(wish(FREE + 7, 1000).is_ok());
        let error = wish(1_000_000, 1000).unwrap_err().to_string();
        assert!(error.starts_with("host ids 1000000-1000999 are not free"), "{error}");
        assert!(wish(0, 1000).is_err() && wish(FREE, 5 * BLOCK).is_err() && wish(FREE, 0).is_err());
    }

    #[test]
    fn the_largest_ids_do_not_overflow() {
        let all = Range { first: 0, count: u32::MAX };
        let allocator = Allocator::new(&[all], []);
        assert_eq!(allocator.allocate(u32::MAX), Err(Error::Full { size: u32::MAX }));
        assert!(allocator.allocate(u32::MAX / 4).is_ok());
    }
}
