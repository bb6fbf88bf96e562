//! What a task costs: pure arithmetic, shared by the pallets, the RPC and every client.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::{traits::AtLeast32BitUnsigned, Perbill};

use crate::TaskSpec;

/// The price of a task, in the smallest unit. All of it is held at submission; what is not spent
/// comes back at settlement.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct Price<Balance> {
	/// `subtasks * replicas * reward`: what is spent when all workers agree.
	pub rewards: Balance,
	/// `subtasks * (max_replicas - replicas) * reward`: for the extra replicas.
	pub reserve: Balance,
	/// The masternodes' share of both, rounded up.
	pub masternodes: Balance,
}

impl<Balance: AtLeast32BitUnsigned + Copy> Price<Balance> {
	/// The price of `spec` when the masternodes get `share` of every reward.
	/// `None` if it does not fit the balance type.
	pub fn of(spec: &TaskSpec<Balance>, share: Perbill) -> Option<Self> {
		let each = spec.reward.checked_mul(&spec.subtasks.into())?;
		let rewards = each.checked_mul(&u32::from(spec.replicas).into())?;
		let extra = u32::from(spec.max_replicas.saturating_sub(spec.replicas));
		let reserve = each.checked_mul(&extra.into())?;
		let masternodes = share.mul_ceil(rewards.checked_add(&reserve)?);
		let price = Price { rewards, reserve, masternodes };
		price.checked_total().map(|_| price)
	}

	/// All that is held.
	pub fn total(&self) -> Balance {
		self.rewards.saturating_add(self.reserve).saturating_add(self.masternodes)
	}

	fn checked_total(&self) -> Option<Balance> {
		self.rewards.checked_add(&self.reserve)?.checked_add(&self.masternodes)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{doubles::task_spec, ContentCodec, ContentId, MAX_REPLICAS, MAX_SUBTASKS};
	use proptest::prelude::*;
	use sp_core::H256;

	fn spec(subtasks: u32, replicas: u8, extra: u8, reward: u128) -> TaskSpec<u128> {
		let manifest = ContentId { codec: ContentCodec::Raw, digest: H256::zero() };
		let spec = task_spec(manifest, H256::zero(), subtasks, 64);
		TaskSpec { replicas, max_replicas: replicas + extra, reward, ..spec }
	}

	#[test]
	fn a_price_that_does_not_fit_is_none() {
		let share = Perbill::from_percent(5);
		assert!(Price::of(&spec(2, 3, 0, u128::MAX / 2), share).is_none());
		assert!(Price::of(&spec(1, 3, 0, u128::MAX / 3), share).is_none());
		let most = u128::from(MAX_SUBTASKS) * u128::from(MAX_REPLICAS) * 2;
		assert!(Price::of(&spec(MAX_SUBTASKS, 15, 0, u128::MAX / most), share).is_some());
	}

	proptest! {
		/// Whatever is agreed on, the price covers every reward and the share of each.
		#[test]
		fn covers_every_payment(
			subtasks in 1u32..1_000, extra in 0u8..12, reward in 1u128..1 << 64, parts in 0u32..1_000_000_000,
		) {
			let share = Perbill::from_parts(parts);
			let spec = spec(subtasks, 3, extra, reward);
			let price = Price::of(&spec, share).expect("fits");
			let most = u128::from(subtasks) * u128::from(spec.max_replicas) * reward;
			prop_assert_eq!(price.rewards + price.reserve, most);
			prop_assert!(price.total() >= most + share.mul_floor(most));
		}
	}
}
