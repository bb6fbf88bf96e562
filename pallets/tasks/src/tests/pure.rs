//! The arithmetic that needs no chain.

use dgcs_primitives::{Price, Settlement, TaskId};
use frame_support::{storage::generator::StorageMap, traits::StorageInfoTrait};
use proptest::prelude::*;
use sp_runtime::{AccountId32, Perbill};

use crate::{mock::*, types::*};

#[test]
fn buckets_follow_the_reward() {
	let table: [(u128, u8); 10] = [
		(0, 0),
		(9, 0),
		(10, 0),
		(19, 0),
		(20, 1),
		(39, 1),
		(40, 2),
		(10 << 30, 30),
		(10 << 31, 31),
		(u128::MAX, 31),
	];
	for (reward, bucket) in table {
		assert_eq!(bucket_of(reward, 10u128), bucket, "of {reward}");
	}
	assert_eq!(bucket_of(8u128, 0), 3);
}

#[test]
fn every_fourth_draw_rotates() {
	let mut turn = Turn::default();
	let waiting = bit(3) | bit(7) | bit(30);
	let draws: Vec<_> = (0..16).map(|_| turn.advance(waiting)).collect();
	let rotated: Vec<_> = draws.iter().flatten().copied().collect();
	assert_eq!(rotated, [30, 7, 3, 30]);
	for (draw, bucket) in draws.iter().enumerate() {
		assert_eq!(bucket.is_some(), draw % 4 == 3);
	}
	assert_eq!((0..4).find_map(|_| turn.advance(0)), None);
}

#[test]
fn walks_meet_every_bucket_once() {
	let waiting = bit(0) | bit(5) | bit(9) | bit(31);
	for (start, order) in
		[(None, [31, 9, 5, 0]), (Some(5), [5, 0, 31, 9]), (Some(9), [9, 5, 0, 31])]
	{
		let mut cursor = Cursor::begin(start);
		let mut met = Vec::new();
		while let Some(bucket) = cursor.seek(waiting) {
			met.push(bucket);
			cursor.pass(None);
		}
		assert_eq!(met, order);
	}
}

#[test]
fn a_cursor_that_loses_its_task_goes_on_in_the_end() {
	let mut cursor = Cursor::begin(None);
	for _ in 0..MAX_RESTARTS {
		cursor.next = Some(TaskId(1));
		cursor.lose();
		assert_eq!((cursor.steps, cursor.next), (0, None));
	}
	cursor.lose();
	assert_eq!((cursor.steps, cursor.restarts), (1, 0));
}

#[test]
fn spans_are_queues() {
	let mut span = Span::default();
	assert_eq!(span.pop(), None);
	assert_eq!((span.push(), span.push()), (0, 1));
	assert_eq!((span.pop(), span.push()), (Some(0), 2));
	assert_eq!((span.pop(), span.pop(), span.pop()), (Some(1), Some(2), None));
	assert_eq!(span, Span::default());
}

#[test]
fn what_stays_of_a_task_is_small() {
	use codec::MaxEncodedLen;
	let key = ExtBuilder::default()
		.build()
		.execute_with(|| crate::Settlements::<Test>::hashed_key_for(TaskId(u64::MAX)).len());
	let value = Settlement::<AccountId32, u128>::max_encoded_len();
	assert!(key + value <= 256, "{key} + {value} bytes");
	let prefix = crate::Settlements::<Test>::storage_prefix();
	let info = crate::Settlements::<Test>::storage_info();
	assert!(info.iter().all(|info| info.max_size.is_some()), "{prefix:?}");
}

proptest! {
	/// The reward that money buys is covered by it, and one unit more is not.
	#[test]
	fn the_reward_is_the_highest_covered(
		deposited in 0u128..=u128::MAX >> 40,
		subtasks in 1u32..=1 << 24,
		max_replicas in 3u8..=15,
		share in 0u32..=1_000_000_000,
	) {
		let share = Perbill::from_parts(share);
		let spec = dgcs_primitives::TaskSpec { subtasks, max_replicas, ..spec() };
		let price = |reward| {
			let spec = dgcs_primitives::TaskSpec { reward, ..spec.clone() };
			Price::of(&spec, share).unwrap().total()
		};
		let reward = affordable_reward(deposited, &spec, share);
		prop_assert!(price(reward) <= deposited);
		prop_assert!(price(reward + 1) > deposited);
	}

	/// The price of a reward buys that reward, to the unit.
	#[test]
	fn the_price_buys_the_reward(
		reward in 1u128..1 << 90,
		subtasks in 1u32..=1 << 24,
		share in 0u32..=1_000_000_000,
	) {
		let share = Perbill::from_parts(share);
		let spec = dgcs_primitives::TaskSpec { subtasks, reward, ..spec() };
		let price = Price::of(&spec, share).unwrap().total();
		prop_assert_eq!(affordable_reward(price, &spec, share), reward);
	}

	/// Nothing overflows at the ends of the balance type.
	#[test]
	fn no_amount_overflows(deposited in u128::MAX - 1000..=u128::MAX, least in 0u64..9) {
		let reward = affordable_reward(deposited, &spec(), Perbill::one());
		prop_assert!(reward > 0);
		let low = affordable_reward(u64::MAX, &dgcs_primitives::TaskSpec {
			reward: 1u64, kind: spec().kind, manifest: spec().manifest, input_root: spec().input_root,
			subtasks: 1, range_size: 1, replicas: 3, max_replicas: 3, limits: spec().limits,
			queue_timeout: 1, run_timeout: 1, selection: spec().selection, payout: spec().payout,
			visibility: spec().visibility, keep_solution: false,
		}, Perbill::one());
		prop_assert_eq!(low, u64::MAX / 6);
		prop_assert!(bucket_of(deposited, u128::from(least)) == 31);
	}
}
