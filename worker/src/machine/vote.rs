//! What a worker votes, and what hides it until everybody has.

use std::fmt;

use codec::{Decode, Encode};
use dgcs_primitives::{Ballot, Commitment, Digests};
use sp_core::H256;

use crate::{chain::Place, hash::blake2_256};

const SALT_DOMAIN: &[u8; 16] = b"dgcs/salt/v1\0\0\0\0";

/// The secret that salts derive from.
///
/// A salt is as good as random to whoever does not have it, and the same each time for the same
/// ballot: a worker that has lost its journal computes the range again and can still reveal.
#[derive(Clone)]
pub struct SaltKey([u8; 32]);

impl SaltKey {
	/// From a secret of the worker's, of which nothing can be learnt from the salts.
	pub fn new(secret: &[u8; 32]) -> Self {
		SaltKey(blake2_256(&(SALT_DOMAIN, secret).encode()))
	}

	/// The salt of the commitment on `ballot`.
	pub fn salt(&self, ballot: &Ballot) -> H256 {
		H256(blake2_256(&(SALT_DOMAIN, self.0, ballot).encode()))
	}
}

impl fmt::Debug for SaltKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("SaltKey(…)")
	}
}

/// One worker's vote on a range: all that it takes to commit and to reveal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Vote {
	/// Where it belongs.
	pub ballot: Ballot,
	/// The subtasks that it speaks about, as bits.
	pub open: u64,
	/// One digest for each of them, in order.
	pub digests: Digests,
	/// What hides them.
	pub salt: H256,
}

impl Vote {
	/// The range.
	pub fn place(&self) -> Place {
		Place { task: self.ballot.task, range: self.ballot.range }
	}

	/// What `worker` commits to.
	pub fn commitment(&self, worker: &H256) -> Commitment {
		self.ballot.commitment(worker, &self.digests, &self.salt)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_primitives::{RangeIndex, Round, TaskId};

	#[test]
	fn salts_follow_from_secret_and_ballot_alone() {
		let ballot = |task, range, round| Ballot {
			genesis: H256::repeat_byte(1),
			task: TaskId(task),
			range: RangeIndex(range),
			round: Round(round),
		};
		let key = SaltKey::new(&[7; 32]);
		let salts = [ballot(1, 2, 3), ballot(2, 2, 3), ballot(1, 1, 3), ballot(1, 2, 4)]
			.map(|ballot| key.salt(&ballot));
		for (number, salt) in salts.iter().enumerate() {
			assert!(salts[..number].iter().all(|other| other != salt));
		}
		assert_eq!(salts[0], SaltKey::new(&[7; 32]).salt(&ballot(1, 2, 3)));
		assert_ne!(salts[0], SaltKey::new(&[8; 32]).salt(&ballot(1, 2, 3)));
		assert_eq!(format!("{key:?}"), "SaltKey(…)");
	}
}
