//! What is wrong around the call: nobody signed it, nobody pays for it, or it was signed for
//! another chain, another time or by somebody else.

use dgcs_primitives::{Commitment, Digests, EncryptionKey, RangeIndex, ResultDigest, TaskId};
use dgcs_runtime::{
	constants::{DGC, MILLI},
	RuntimeCall, Signature, UncheckedExtrinsic,
};
use sp_core::{Pair as _, H256};
use sp_runtime::{
	transaction_validity::{
		InvalidTransaction::{BadProof, Future, Payment, Stale, UnknownOrigin},
		UnknownTransaction::NoUnsignedValidator,
	},
	DispatchError,
};

use crate::{
	common::{
		blocks::{apply, chain, extension, id, key, transaction, Binding},
		spec, state, SALT,
	},
	register, rejected, set_balance, stranger, validity,
};

/// One of each call, such that nothing is wrong with it in itself.
pub fn samples() -> Vec<RuntimeCall> {
	let (task, range, who) = (TaskId(0), RangeIndex(0), id(&key(1)));
	let (encryption, commitment) = (EncryptionKey(H256::repeat_byte(9)), Commitment::default());
	let address = dgcs_primitives::api::ServiceAddress::truncate_from(b"http://a".to_vec());
	let digests = Digests::truncate_from(vec![ResultDigest::default(); 4]);
	let RuntimeCall::Workers(pallet_workers::Call::register { operator, key, capacity, kinds }) =
		register(&key(1))
	else {
		unreachable!("it registers");
	};
	vec![
		pallet_escrow::Call::refund { task, funder: who.clone() }.into(),
		pallet_masternodes::Call::join {
			bond: 1_000 * DGC,
			key: encryption,
			address: address.clone(),
		}
		.into(),
		pallet_masternodes::Call::bond_more { amount: DGC }.into(),
		pallet_masternodes::Call::update { key: encryption, address }.into(),
		pallet_masternodes::Call::leave {}.into(),
		pallet_masternodes::Call::withdraw { who: who.clone() }.into(),
		pallet_masternodes::Call::set_active_count { count: 5 }.into(),
		pallet_tasks::Call::submit { spec: spec() }.into(),
		pallet_tasks::Call::fund { task, amount: DGC }.into(),
		pallet_tasks::Call::cancel { task }.into(),
		pallet_tasks::Call::take { slots: 1 }.into(),
		pallet_tasks::Call::settle { task }.into(),
		pallet_verdicts::Call::commit { task, range, commitment }.into(),
		pallet_verdicts::Call::reveal { task, range, digests, salt: SALT }.into(),
		pallet_verdicts::Call::expire { task, range }.into(),
		register(&crate::key(1)),
		pallet_workers::Call::update { operator, key, capacity, kinds }.into(),
		pallet_workers::Call::replenish {}.into(),
		pallet_workers::Call::resume {}.into(),
		pallet_workers::Call::leave {}.into(),
		pallet_workers::Call::withdraw { worker: who }.into(),
	]
}

#[test]
fn nobody_sends_a_call_unsigned() {
	chain().execute_with(|| {
		for call in samples() {
			unpooled(UncheckedExtrinsic::new_bare(call.clone()));
			let extension = extension(Binding::of(&id(&stranger())));
			rejected(UncheckedExtrinsic::new_transaction(call, extension), UnknownOrigin);
		}
	});
}

/// A transaction without any signature, which the pool does not take. An author could put it into
/// its own block all the same, to no effect.
#[track_caller]
fn unpooled(transaction: UncheckedExtrinsic) {
	let before = state::beside(&[]);
	assert_eq!(validity(transaction.clone()), Err(NoUnsignedValidator.into()));
	assert_eq!(apply(transaction), Ok(Err(DispatchError::BadOrigin)));
	assert!(state::changes(&before, &state::beside(&[])).is_empty());
}

#[test]
fn nobody_sends_a_call_without_paying_for_it() {
	chain().execute_with(|| {
		let nobody = key(1_002);
		for balance in [0, MILLI, MILLI + 1] {
			set_balance(&id(&nobody), balance);
			for call in samples() {
				let binding = Binding::of(&id(&nobody));
				rejected(transaction(&nobody, call, binding), Payment);
			}
		}
		let rich = stranger();
		for tip in [1_000 * DGC, u128::MAX / 2, u128::MAX] {
			for call in samples() {
				let binding = Binding { tip, ..Binding::of(&id(&rich)) };
				rejected(transaction(&rich, call, binding), Payment);
			}
		}
	});
}

#[test]
fn nobody_sends_what_was_signed_for_another_chain_or_time() {
	chain().execute_with(|| {
		let key = stranger();
		for call in samples() {
			let right = Binding::of(&id(&key));
			let others = [
				Binding { genesis: H256::repeat_byte(5), ..right },
				Binding { genesis: H256::zero(), ..right },
				Binding { spec_version: right.spec_version + 1, ..right },
				Binding { transaction_version: right.transaction_version + 1, ..right },
			];
			for other in others {
				rejected(transaction(&key, call.clone(), other), BadProof);
			}
			for nonce in [right.nonce + 1, u32::MAX] {
				let early = Binding { nonce, ..right };
				rejected(transaction(&key, call.clone(), early), Future);
			}
			let once = transaction(&key, call, right);
			assert!(apply(once.clone()).is_ok());
			rejected(once, Stale);
		}
	});
}

#[test]
fn nobody_signs_for_somebody_else() {
	chain().execute_with(|| {
		let (victim, thief) = (stranger(), key(1_003));
		let binding = Binding::of(&id(&victim));
		for call in samples() {
			let other = samples().into_iter().find(|other| *other != call).unwrap();
			let signatures = [
				thief.sign(b"anything"),
				victim.sign(b"anything"),
				sp_core::sr25519::Signature::default(),
			];
			for signature in signatures {
				let address = id(&victim).into();
				let signature = Signature::Sr25519(signature);
				let forged = UncheckedExtrinsic::new_signed(
					call.clone(),
					address,
					signature,
					extension(binding),
				);
				rejected(forged, BadProof);
			}
			// What the victim did sign, with another call in it.
			let mut changed = transaction(&victim, call, binding);
			changed.function = other;
			rejected(changed, BadProof);
		}
	});
}
