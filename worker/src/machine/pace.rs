//! How fast subtasks are computed, and so when a slot will be free.

/// So many subtasks in so many blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
	subtasks: u32,
	blocks: u32,
}

impl Pace {
	/// That of a run that has computed `subtasks` in `blocks`. `None`: nothing is known before the first.
	pub fn new(subtasks: u32, blocks: u32) -> Option<Self> {
		(subtasks > 0).then_some(Pace { subtasks, blocks })
	}

	/// Blocks that `subtasks` take, rounded up.
	pub fn blocks(self, subtasks: u32) -> u32 {
		let blocks = u64::from(self.blocks) * u64::from(subtasks);
		u32::try_from(blocks.div_ceil(self.subtasks.max(1).into())).unwrap_or(u32::MAX)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_is_left_takes_as_long_as_what_is_done() {
		assert_eq!(Pace::new(0, 7), None, "nothing is done");
		for (done, blocks, left, expected) in [
			(1, 0, 64, 0),
			(1, 3, 0, 0),
			(1, 3, 5, 15),
			(4, 6, 4, 6),
			(4, 6, 1, 2),
			(64, 1, 63, 1),
			(1, u32::MAX, 64, u32::MAX),
		] {
			let pace = Pace::new(done, blocks).expect("something is done");
			assert_eq!(pace.blocks(left), expected, "{done} in {blocks}, {left} left");
		}
	}
}
