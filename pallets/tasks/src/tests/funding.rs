//! Money that is added to a task.

use dgcs_primitives::{doubles::TestEscrow, TaskBook, TaskId, TaskSpec, Visibility};
use frame_support::{assert_noop, assert_ok};

use crate::{mock::*, Error, Event};

fn public() -> TaskSpec<Balance> {
	TaskSpec { visibility: Visibility::Public, ..spec() }
}

fn fund(who: Account, task: TaskId, amount: Balance) -> sp_runtime::DispatchResult {
	Tasks::fund(RuntimeOrigin::signed(who), task, amount)
}

#[test]
fn fund_raises_the_reward_by_what_is_covered() {
	ExtBuilder::default().build_and_execute(|| {
		let id = submit(1, spec());
		events();
		// 50 results with 5 % on top cost 52.5 for each unit of reward.
		assert_noop!(fund(1, id, 52), Error::<Test>::TooSmall);
		assert_ok!(fund(1, id, 53));
		assert_eq!(events(), [Event::Funded { task: id, funder: 1, amount: 53, reward: 101 }]);
		// What was left over counts.
		assert_ok!(fund(1, id, 52));
		assert_eq!(Tasks::task(id).unwrap().reward, 102);
		assert_eq!(TestEscrow::ledger(id).unwrap().deposited, 5_355);
	});
}

#[test]
fn fund_lifts_the_task_to_the_end_of_a_higher_bucket() {
	ExtBuilder::default().build_and_execute(|| {
		let first = submit(1, public());
		let second = submit(1, public());
		let rich = submit(1, TaskSpec { reward: 200, ..spec() });
		assert_eq!(Tasks::queue_position(rich).unwrap().bucket, 4);
		assert_ok!(fund(7, first, 5_250));
		let position = Tasks::queue_position(first).unwrap();
		assert_eq!((position.bucket, position.ahead), (4, 1));
		assert_eq!(Tasks::queue_position(second).unwrap().ahead, 0);
		// Within its bucket it keeps its place.
		assert_ok!(fund(1, rich, 100));
		assert_eq!(Tasks::queue_position(rich).unwrap().ahead, 0);
	});
}

#[test]
fn fund_fails_for_strangers_and_ends() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		let open = submit(1, public());
		assert_noop!(fund(2, id, 1_000), Error::<Test>::NotPublic);
		assert_noop!(fund(2, TaskId(9), 1_000), Error::<Test>::UnknownTask);
		assert!(fund(0, open, 1_000).is_err());
		assert_noop!(fund(2, open, 0), Error::<Test>::TooSmall);
		assert_noop!(fund(2, open, u128::MAX), Error::<Test>::PriceOverflow);
		assert_ok!(fund(2, open, u128::MAX / 4));
		assert_eq!(Tasks::queue_position(open).unwrap().bucket, 31);

		take(101, 8);
		run_to(4);
		assert_eq!(Tasks::reward(open), Some(Tasks::task(open).unwrap().reward));
		assert_ok!(Tasks::cancel(RuntimeOrigin::signed(1), open));
		assert_noop!(fund(1, open, 1_000), Error::<Test>::AlreadyEnding);
		Tasks::finished(id);
		assert_noop!(fund(1, id, 1_000), Error::<Test>::AlreadyEnding);
	});
}
