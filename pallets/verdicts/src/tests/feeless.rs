//! What a worker owes is free, everything else costs the fee.

use dgcs_primitives::{Commitment, Judge};
use frame_support::{assert_ok, dispatch::CheckIfFeeless};
use sp_core::H256;

use crate::{mock::*, Call};

const FOUND: &[u8] = &[1, 2, 3, 4];

fn is_free(origin: RuntimeOrigin, call: Call<Test>) -> bool {
	RuntimeCall::Verdicts(call).is_feeless(&origin)
}

fn commit_is_free(worker: u64) -> bool {
	let call = Call::commit { task: TASK, range: RANGE, commitment: Commitment(H256::zero()) };
	is_free(RuntimeOrigin::signed(worker), call)
}

fn reveal_is_free(worker: u64, found: &[u8], salt: H256) -> bool {
	let call = Call::reveal { task: TASK, range: RANGE, digests: digests(found), salt };
	is_free(RuntimeOrigin::signed(worker), call)
}

#[test]
fn a_commit_that_is_owed_is_free() {
	ExtBuilder::default().build_and_execute(|| {
		assert!(!commit_is_free(1));
		assert_ok!(seat(1));
		assert!(commit_is_free(1));
		assert!(!commit_is_free(2));
		let call = Call::commit { task: TASK, range: RANGE, commitment: Commitment::default() };
		assert!(!is_free(RuntimeOrigin::none(), call.clone()));
		assert!(!is_free(RuntimeOrigin::root(), call));
		System::set_block_number(11);
		assert!(commit_is_free(1));
		System::set_block_number(12);
		assert!(!commit_is_free(1));
		System::set_block_number(11);
		assert_ok!(commit(1, FOUND));
		assert!(!commit_is_free(1));
	});
}

#[test]
fn a_reveal_that_counts_is_free() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert!(!reveal_is_free(1, FOUND, SALT));
		assert_ok!(commit(1, FOUND));
		assert_ok!(commit(2, FOUND));
		assert!(!reveal_is_free(1, FOUND, SALT)); // Too early.
		assert_ok!(commit(3, FOUND));
		assert!(reveal_is_free(1, FOUND, SALT));
		assert!(!reveal_is_free(1, FOUND, H256::zero()));
		assert!(!reveal_is_free(1, &[1, 2, 3], SALT));
		assert!(!reveal_is_free(1, &[1, 2, 3, 5], SALT));
		assert!(!reveal_is_free(4, FOUND, SALT));
		System::set_block_number(7);
		assert!(!reveal_is_free(1, FOUND, SALT));
		System::set_block_number(6);
		assert_ok!(reveal(1, FOUND));
		assert!(!reveal_is_free(1, FOUND, SALT));
		assert!(reveal_is_free(2, FOUND, SALT));
		Verdicts::close(TASK).unwrap();
		assert!(!reveal_is_free(2, FOUND, SALT));
	});
}

#[test]
fn expire_is_not_free_beforehand() {
	ExtBuilder::default().build_and_execute(|| {
		assert!(!is_free(RuntimeOrigin::signed(1), Call::expire { task: TASK, range: RANGE }));
	});
}
