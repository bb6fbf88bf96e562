//! What may be submitted, and what comes of it.

use dgcs_primitives::{
	api::{EstimateError, QueuePosition, TaskState},
	doubles::{TestEscrow, TestJudge},
	Payout, RangeIndex, SpecError, TaskId, TaskKind, TaskSpec, MAX_SUBTASKS,
};
use frame_support::{assert_noop, assert_ok};

use crate::{mock::*, Error, Event, NextTaskId, Places, Windows};

type Spec = TaskSpec<Balance>;

#[test]
fn submit_works() {
	ExtBuilder::default().build_and_execute(|| {
		let price = Tasks::estimate(spec()).unwrap();
		assert_eq!((price.rewards, price.reserve, price.masternodes), (3_000, 2_000, 250));
		let id = submit(1, spec());
		assert_eq!(id, TaskId(0));
		assert_eq!(events(), [Event::Submitted { task: id, owner: 1, price, due: 51 }]);
		assert_eq!(TestEscrow::ledger(id).unwrap().deposited, 5_250);
		assert_eq!(TestJudge::votes(id).unwrap().open, 10);

		let task = Tasks::task(id).unwrap();
		assert_eq!((task.owner, task.state, task.due), (1, TaskState::Queued, 51));
		assert_eq!((task.reward, task.deposited, task.begun, task.issued), (100, 5_250, 0, 5));
		let window = Windows::<Test>::get(id);
		assert_eq!(window.len(), 5);
		assert!(window.iter().all(|open| open.seats == 3 && open.fresh));
		assert_eq!(Tasks::queue_position(id), Some(QueuePosition { bucket: 3, ahead: 0 }));

		let next = submit(2, spec());
		assert_eq!(next, TaskId(1));
		assert_eq!(Tasks::queue_position(next).unwrap().ahead, 1);
		assert_eq!(Tasks::queue_position(TaskId(2)), None);
	});
}

#[test]
fn submit_of_many_ranges_opens_a_window_of_them() {
	ExtBuilder::default().build_and_execute(|| {
		let most = Spec { subtasks: MAX_SUBTASKS, range_size: 1, run_timeout: 100_000, ..spec() };
		let id = submit(1, most);
		assert_eq!(Windows::<Test>::get(id).len(), 16);
		assert_eq!(Tasks::task(id).unwrap().issued, 16);
	});
}

#[test]
fn submit_fails_when_the_owner_cannot_pay() {
	ExtBuilder::default().build_and_execute(|| {
		let call = Tasks::submit(RuntimeOrigin::signed(0), spec());
		assert!(call.is_err());
		assert_eq!(NextTaskId::<Test>::get(), 0);
		assert_eq!(Places::<Test>::iter().count(), 0);
		assert_noop!(
			Tasks::submit(RuntimeOrigin::none(), spec()),
			sp_runtime::DispatchError::BadOrigin
		);
	});
}

#[test]
fn submit_refuses_zero_and_the_maximum_of_every_number() {
	let limits = spec().limits;
	let with = |change: fn(&mut Spec)| {
		let mut spec = spec();
		change(&mut spec);
		spec
	};
	let time =
		|time_ms| Spec { limits: dgcs_primitives::SubtaskLimits { time_ms, ..limits }, ..spec() };
	let memory = |memory_mib| Spec {
		limits: dgcs_primitives::SubtaskLimits { memory_mib, ..limits },
		..spec()
	};
	let fuel = |fuel| Spec { limits: dgcs_primitives::SubtaskLimits { fuel, ..limits }, ..spec() };
	let window = |window| Spec { payout: Payout::Pplns { window }, ..spec() };
	let refused: Vec<(Spec, Error<Test>)> = vec![
		(with(|s| s.subtasks = 0), Error::SubtasksOutOfRange),
		(with(|s| s.subtasks = u32::MAX), Error::SubtasksOutOfRange),
		(with(|s| s.range_size = 0), Error::RangeSizeOutOfRange),
		(with(|s| s.range_size = u32::MAX), Error::RangeSizeOutOfRange),
		(with(|s| s.replicas = 0), Error::BadReplicas),
		(with(|s| s.replicas = 1), Error::BadReplicas),
		(with(|s| s.replicas = 4), Error::BadReplicas),
		(with(|s| s.replicas = u8::MAX), Error::BadReplicas),
		(with(|s| s.max_replicas = 0), Error::BadReplicas),
		(with(|s| s.max_replicas = u8::MAX), Error::BadReplicas),
		(with(|s| s.reward = 0), Error::RewardTooLow),
		(with(|s| s.reward = 9), Error::RewardTooLow),
		(with(|s| s.reward = u128::MAX), Error::PriceOverflow),
		(with(|s| s.reward = u128::MAX / 50), Error::PriceOverflow),
		(time(0), Error::LimitsOutOfRange),
		(time(u32::MAX), Error::DeadlineTooShort),
		(memory(0), Error::LimitsOutOfRange),
		(memory(u32::MAX), Error::LimitsOutOfRange),
		(fuel(0), Error::LimitsOutOfRange),
		(with(|s| s.queue_timeout = 0), Error::TimeoutOutOfRange),
		(with(|s| s.queue_timeout = u32::MAX), Error::TimeoutOutOfRange),
		(with(|s| s.run_timeout = 0), Error::TimeoutOutOfRange),
		(with(|s| s.run_timeout = u32::MAX), Error::TimeoutOutOfRange),
		(with(|s| s.run_timeout = 31), Error::DeadlineTooShort),
		(with(|s| s.subtasks = 200_001), Error::TooManySubtasks),
		(window(0), Error::WindowOutOfRange),
		(window(4), Error::WindowOutOfRange),
		(window(u32::MAX), Error::WindowOutOfRange),
		(with(|s| s.kind = TaskKind::Store), Error::KindNotSupported),
		(with(|s| s.kind = TaskKind::Host), Error::KindNotSupported),
	];
	ExtBuilder::default().build_and_execute(|| {
		for (spec, error) in refused {
			assert_noop!(Tasks::submit(RuntimeOrigin::signed(1), spec), error);
		}
		assert_ok!(Tasks::submit(RuntimeOrigin::signed(1), fuel(u64::MAX)));
		assert_ok!(Tasks::submit(RuntimeOrigin::signed(1), memory(4096)));
		assert_ok!(Tasks::submit(RuntimeOrigin::signed(1), with(|s| s.run_timeout = 32)));
		assert_ok!(Tasks::submit(RuntimeOrigin::signed(1), with(|s| s.subtasks = 200_000)));
		assert_ok!(Tasks::submit(RuntimeOrigin::signed(1), window(32)));
		// One range of one subtask, though ranges could hold more.
		assert_ok!(Tasks::submit(
			RuntimeOrigin::signed(1),
			with(|s| {
				s.subtasks = 1;
				s.range_size = 64;
				s.run_timeout = 31;
			})
		));
		assert_eq!(Tasks::task(TaskId(5)).unwrap().spec.range_len(RangeIndex(0)), 1);
	});
}

#[test]
fn estimate_says_what_is_wrong() {
	ExtBuilder::default().build_and_execute(|| {
		let estimate = |change: fn(&mut Spec)| {
			let mut spec = spec();
			change(&mut spec);
			Tasks::estimate(spec).map(|price| price.total())
		};
		let invalid = |error| Err(EstimateError::Invalid(error));
		assert_eq!(estimate(|_| ()), Ok(5_250));
		assert_eq!(estimate(|s| s.kind = TaskKind::Store), invalid(SpecError::Kind));
		assert_eq!(estimate(|s| s.replicas = 2), invalid(SpecError::Replicas));
		assert_eq!(estimate(|s| s.reward = 1), invalid(SpecError::Reward));
		assert_eq!(estimate(|s| s.run_timeout = 1), invalid(SpecError::Timeout));
		assert_eq!(estimate(|s| s.subtasks = 200_001), invalid(SpecError::Subtasks));
		assert_eq!(estimate(|s| s.reward = u128::MAX), Err(EstimateError::Overflow));
	});
}
