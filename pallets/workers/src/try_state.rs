//! What must hold after every block.

use dgcs_primitives::api::Standing;
use frame_support::{ensure, traits::Get};
use sp_runtime::{
	traits::{One, Saturating},
	FixedU64, TryRuntimeError,
};

use crate::{
	reputation::{Track, TrackRules, OFFLINE, SILENT, WRONG},
	Blacklist, Config, Pallet, Workers,
};

impl<T: Config> Pallet<T> {
	/// Checks, for every worker:
	///
	/// - its bond is what is on hold,
	/// - it has slots, and no more leases than those may have,
	/// - a former capacity is larger than the present one,
	/// - it is blacklisted exactly if its account is on the blacklist,
	/// - its scores are shares, and no track weighs more than it can remember.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		for (who, worker) in Workers::<T>::iter() {
			ensure!(worker.bond == Self::held(&who), "a bond is not what is on hold");
			ensure!(worker.capacity.slots > 0, "a worker has no slots");
			let most = worker.capacity.leases(T::LeasesPerSlot::get());
			ensure!(worker.busy <= most, "more leases than the slots may have");
			ensure!(
				worker.former.is_none_or(|former| former.slots > worker.capacity.slots),
				"a former capacity is no larger than the present one"
			);
			ensure!(
				(worker.standing == Standing::Blacklisted) == Blacklist::<T>::contains_key(&who),
				"a standing contradicts the blacklist"
			);
			let tracks = &worker.reputation;
			check_track(&tracks.wrong, &WRONG)?;
			check_track(&tracks.silent, &SILENT)?;
			check_track(&tracks.offline, &OFFLINE)?;
		}
		Ok(())
	}
}

fn check_track(track: &Track, rules: &TrackRules) -> Result<(), TryRuntimeError> {
	ensure!(track.score() <= FixedU64::one(), "a score is above 1");
	// 1 / (1 - lambda), in a form without division; a newcomer's trust may not exceed it either.
	let forgotten = FixedU64::one().saturating_sub(rules.lambda);
	ensure!(
		track.weight().saturating_mul(forgotten) <= FixedU64::one(),
		"a track weighs more than it can remember"
	);
	Ok(())
}
