//! The arithmetic that needs no chain.

use dgcs_primitives::{Price, Requirements, Selection, Settlement, TaskId, TaskKind};
use frame_support::{storage::generator::StorageMap, traits::StorageInfoTrait};
use proptest::prelude::*;
use sp_runtime::{AccountId32, Perbill};

use crate::{class::*, mock::*, types::*};

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

fn class(kind: TaskKind, memory_mib: u32, selection: Selection) -> Class {
	Class::of(&Requirements { kind, memory_mib, selection })
}

fn lanes(lanes: impl IntoIterator<Item = (u8, Class)>) -> Lanes {
	let mut set = Lanes::default();
	lanes.into_iter().for_each(|(bucket, class)| set.set(Lane { bucket, class }, true));
	set
}

#[test]
fn classes_round_memory_up() {
	let table = [
		(0, 64),
		(1, 64),
		(64, 64),
		(65, 128),
		(1000, 1024),
		(1024, 1024),
		(1025, 2048),
		(4096, 4096),
		(u32::MAX, 4096),
	];
	for (asked, rounded) in table {
		for selection in [Selection::Any, Selection::Proven] {
			for kind in [TaskKind::Compute, TaskKind::Store, TaskKind::Host] {
				let required = class(kind, asked, selection).requirements();
				assert_eq!(required, Requirements { kind, memory_mib: rounded, selection });
			}
		}
	}
}

#[test]
fn a_set_of_classes_draws_each_alike() {
	let all = [
		class(TaskKind::Compute, 64, Selection::Any),
		class(TaskKind::Compute, 4096, Selection::Proven),
		class(TaskKind::Host, 4096, Selection::Proven),
	];
	let mut set = Classes::default();
	assert_eq!(set.draw(7), None);
	all.into_iter().for_each(|class| set.insert(class));
	for class in all {
		assert_eq!((0..=254).filter(|lot| set.draw(*lot) == Some(class)).count(), 85);
	}
	set.remove(all[1]);
	assert!(!set.contains(all[1]) && set.contains(all[2]));
}

#[test]
fn walks_meet_every_lane_once() {
	let small = class(TaskKind::Compute, 64, Selection::Any);
	let large = class(TaskKind::Compute, 4096, Selection::Any);
	let closed = class(TaskKind::Store, 64, Selection::Any);
	let waiting = lanes([
		(0, small),
		(5, small),
		(5, large),
		(9, large),
		(9, closed),
		(20, closed),
		(31, small),
	]);
	let mut open = Classes::default();
	open.insert(small);
	open.insert(large);
	assert_eq!(waiting.buckets(open), bit(0) | bit(5) | bit(9) | bit(31));
	for (start, order) in
		[(None, [31, 9, 5, 5, 0]), (Some(5), [5, 5, 0, 31, 9]), (Some(9), [9, 5, 5, 0, 31])]
	{
		for lot in 0..4 {
			let mut cursor = Cursor::begin(start, lot);
			let mut met = Vec::new();
			while let Some(lane) = cursor.seek(&waiting, open) {
				assert!(open.contains(lane.class));
				met.push(lane);
				cursor.pass(None);
			}
			assert_eq!(met.iter().map(|lane| lane.bucket).collect::<Vec<_>>(), order);
			let both = met.iter().filter(|lane| lane.bucket == 5).map(|lane| lane.class);
			let expected = if lot % 2 == 0 { [small, large] } else { [large, small] };
			assert_eq!(both.collect::<Vec<_>>(), expected);
		}
	}
}

#[test]
fn a_cursor_that_loses_its_task_goes_on_in_the_end() {
	let mut cursor = Cursor::begin(None, 0);
	for _ in 0..MAX_RESTARTS {
		cursor.next = Some(TaskId(1));
		cursor.lose();
		assert_eq!((cursor.done, cursor.next), (Classes::default(), None));
	}
	cursor.lose();
	assert!(cursor.done.contains(cursor.class));
	assert_eq!(cursor.restarts, 0);
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
