//! The ranking: candidates by bond, highest first, the earlier first among equals.

use crate::{BalanceOf, Config, RankingOf};

/// Puts `who` where its bond belongs, behind those who have the same. `Err`: the ranking is full.
pub(crate) fn place<T: Config>(
	ranking: &mut RankingOf<T>,
	bond: BalanceOf<T>,
	who: T::AccountId,
) -> Result<(), ()> {
	let position = ranking.partition_point(|(other, _)| *other >= bond);
	ranking.try_insert(position, (bond, who)).map_err(|_| ())
}

/// Takes `who` out. Whether it was there.
pub(crate) fn remove<T: Config>(ranking: &mut RankingOf<T>, who: &T::AccountId) -> bool {
	match ranking.iter().position(|(_, other)| other == who) {
		Some(position) => {
			ranking.remove(position);
			true
		},
		None => false,
	}
}
