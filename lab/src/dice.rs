//! Numbers of chance that are the same in each run, so that a failure can be seen again.

/// Dice that fall by their seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed. Neighbouring seeds have nothing in common.
    pub fn new(seed: u64) -> Dice {
        // Never zero, which xorshift would stay at.
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.below(2);
        dice
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 8) % end.max(1) as u64).unwrap_or_default()
    }

    /// One of these.
    ///
    /// # Panics
    /// There are none.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
