//! The work chain: its blocks, their receipts, and who is paid.

use alloc::vec::Vec;
use dgcs_primitives::{
	api::MAX_BLOCKS_PER_CALL, merkle_root, Escrow, Head, RangeIndex, Receipt, Round, TaskId,
	Verdicts, WorkBlock, Workers,
};
use frame_support::{defensive, storage::with_storage_layer};
use sp_runtime::{traits::Zero, DispatchError, Saturating};

use crate::{
	pallet::{Blocks, Config, Event, Heads, Pallet},
	rounds::Score,
	types::{RangeOf, ReceiptOf, ReceiptsOf, MAX_RECEIPTS},
	LOG_TARGET,
};

impl<T: Config> Pallet<T> {
	/// Up to `limit` (at most [`MAX_BLOCKS_PER_CALL`]) blocks of the task's work chain, from index
	/// `from` on. `None`: the task is not live.
	pub fn work_chain(task: TaskId, from: u32, limit: u32) -> Option<Vec<WorkBlock>> {
		let head = Heads::<T>::get(task)?;
		let end = from.saturating_add(limit.min(MAX_BLOCKS_PER_CALL)).min(head.height);
		Some((from..end).filter_map(|index| Blocks::<T>::get(task, index)).collect())
	}

	/// Pays everybody whose answer agrees with these verdicts. Returns who did what and was paid:
	/// one receipt for each seat with an answer, in seat order, then those who are paid for
	/// earlier verdicts alone.
	pub(crate) fn pay(
		task: TaskId,
		reward: Option<T::Balance>,
		range: &RangeOf<T>,
		scores: &[Score],
	) -> ReceiptsOf<T> {
		let mut entries: Vec<(T::AccountId, ReceiptOf<T>)> = range
			.seats
			.iter()
			.filter_map(|seat| {
				let own = seat.answer()?;
				let (_, (agreed, dissented)) = scores.iter().find(|(key, _)| *key == own)?;
				let receipt = Receipt {
					worker: seat.worker.clone(),
					agreed: u32::from(*agreed),
					dissented: u32::from(*dissented),
					paid: Zero::zero(),
				};
				Some((T::Workers::payee(&seat.worker), receipt))
			})
			.collect();
		let credits: Vec<(T::AccountId, u32)> = entries
			.iter()
			.filter(|(_, receipt)| receipt.agreed > 0)
			.map(|(payee, receipt)| (payee.clone(), receipt.agreed))
			.collect();
		for (payee, paid) in Self::credit(task, reward, &credits) {
			match entries.iter_mut().find(|(known, _)| *known == payee) {
				Some((_, receipt)) => receipt.paid = receipt.paid.saturating_add(paid),
				None => {
					let worker = payee.clone();
					entries.push((payee, Receipt { worker, agreed: 0, dissented: 0, paid }));
				},
			}
		}
		if entries.len() > MAX_RECEIPTS as usize {
			defensive!("nobody is paid but seats and the PPLNS window");
		}
		let receipts = entries.into_iter().map(|(_, receipt)| receipt).collect();
		ReceiptsOf::<T>::truncate_from(receipts)
	}

	/// Has the escrow pay. Should it ever refuse, the verdict stands all the same and pays
	/// nothing: a round must end, and the error is logged.
	fn credit(
		task: TaskId,
		reward: Option<T::Balance>,
		credits: &[(T::AccountId, u32)],
	) -> Vec<(T::AccountId, T::Balance)> {
		if credits.is_empty() {
			return Vec::new();
		}
		let paid = reward
			.ok_or(DispatchError::Unavailable)
			.and_then(|reward| with_storage_layer(|| T::Escrow::pay(task, reward, credits)));
		paid.unwrap_or_else(|error| {
			log::error!(target: LOG_TARGET, "a verdict of task {task} was not paid: {error:?}");
			Vec::new()
		})
	}

	/// Adds a block to the work chain. The caller writes the head.
	pub(crate) fn append(
		task: TaskId,
		index: RangeIndex,
		round: Round,
		head: &mut Head,
		verdicts: Verdicts,
		receipts: ReceiptsOf<T>,
	) {
		let decided = verdicts.len() as u32;
		let height = head.height;
		let block = WorkBlock {
			task,
			index: height,
			parent: head.tip,
			when: Self::now(),
			open_subtasks: head.open_subtasks.saturating_sub(decided),
			range: index,
			round,
			verdicts,
			receipts_root: merkle_root(&receipts),
		};
		let agreed = block.agreed();
		head.push(&block);
		Blocks::<T>::insert(task, height, block);
		Self::deposit_event(Event::Decided {
			task,
			range: index,
			round,
			index: height,
			hash: head.tip,
			agreed,
			failed: decided.saturating_sub(agreed),
			receipts,
		});
	}
}
