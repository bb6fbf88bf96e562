//! What the other pallets see of the workers, and what people see of one.

use dgcs_primitives::{api::WorkerView, Conduct, Offer, Refusal};
use frame_support::traits::Get;
use sp_runtime::{FixedU64, Permill};

use crate::{BalanceOf, Blacklist, Config, Event, Pallet, WorkerOf, Workers};

impl<T: Config> dgcs_primitives::Workers<T::AccountId> for Pallet<T> {
	fn offer(worker: &T::AccountId) -> Result<Offer<T::AccountId>, Refusal> {
		let record = Self::recorded(worker)?;
		record.admitted()?;
		Ok(Offer {
			kinds: record.kinds,
			memory_mib: record.capacity.memory_mib,
			room: record.room(T::LeasesPerSlot::get()),
			proven: record.good_run >= T::ProvenRun::get(),
			operator: record.operator,
		})
	}

	fn payee(worker: &T::AccountId) -> T::AccountId {
		Workers::<T>::get(worker).map_or_else(|| worker.clone(), |record| record.operator)
	}

	fn occupy(worker: &T::AccountId) -> Result<(), Refusal> {
		let mut record = Self::recorded(worker)?;
		record.admitted()?;
		if record.room(T::LeasesPerSlot::get()) == 0 {
			return Err(Refusal::NoFreeSlot);
		}
		record.busy = record.busy.saturating_add(1);
		Workers::<T>::insert(worker, record);
		Ok(())
	}

	fn vacate(worker: &T::AccountId) {
		let Some(mut record) = Workers::<T>::get(worker) else { return };
		record.busy = record.busy.saturating_sub(1);
		// The vote on what was computed in this slot begins now, so the wait for it does, too.
		if record.leaving.is_some() {
			let due = Self::now().saturating_add(T::UnbondingPeriod::get());
			if record.leaving.replace(due) != Some(due) {
				Self::deposit_event(Event::Leaving { worker: worker.clone(), due });
			}
		}
		Workers::<T>::insert(worker, record);
	}

	fn seen(worker: &T::AccountId) {
		let Some(mut record) = Workers::<T>::get(worker) else { return };
		record.last_seen = Self::now();
		record.missed = false;
		Workers::<T>::insert(worker, record);
	}

	fn rate(worker: &T::AccountId, conduct: Conduct) {
		Self::do_rate(worker, conduct);
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn view(account: &T::AccountId) -> Option<WorkerView<T::AccountId, BalanceOf<T>>> {
		let record = Workers::<T>::get(account)?;
		let share = FixedU64::into_clamped_perthing::<Permill>;
		Some(WorkerView {
			operator: record.operator,
			bond: record.bond,
			key: record.key,
			capacity: record.capacity,
			kinds: record.kinds,
			busy: record.busy,
			standing: record.standing,
			good_run: record.good_run,
			wrong: share(record.reputation.wrong.score()),
			silent: share(record.reputation.silent.score()),
			offline: share(record.reputation.offline.score()),
			last_seen: record.last_seen,
			leaving: record.leaving,
		})
	}

	/// Whether `account` would get work if there were any that suits it.
	pub(crate) fn ability(account: &T::AccountId) -> Result<(), Refusal> {
		let record = Self::recorded(account)?;
		record.admitted()?;
		if record.room(T::LeasesPerSlot::get()) == 0 {
			return Err(Refusal::NoFreeSlot);
		}
		Ok(())
	}

	fn recorded(account: &T::AccountId) -> Result<WorkerOf<T>, Refusal> {
		Workers::<T>::get(account).ok_or_else(|| {
			if Blacklist::<T>::contains_key(account) {
				Refusal::Blacklisted
			} else {
				Refusal::NotRegistered
			}
		})
	}
}
