//! What the chain knows of a worker, and the words for what it did wrong.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{
	api::{Capacity, Standing},
	BlockNumber, Conduct, EncryptionKey, Kinds, Refusal,
};
use scale_info::TypeInfo;
use sp_runtime::FixedU64;

use crate::reputation::{Judgement, Reputation, OFFLINE, SILENT, WRONG};

/// A registered worker: all that any action reads or writes of it, in one value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Worker<AccountId, Balance> {
	/// Who runs it, and where its rewards go.
	pub operator: AccountId,
	/// What is on hold of its account for [`crate::HoldReason::Bond`].
	pub bond: Balance,
	/// Where range keys are sealed to.
	pub key: EncryptionKey,
	/// What it offers.
	pub capacity: Capacity,
	/// A larger capacity that it offered until lately, and that its bond still answers for.
	pub former: Option<Former>,
	/// The kinds that it serves.
	pub kinds: Kinds,
	/// Its leases that it has not committed to anything for.
	pub busy: u16,
	/// Its standing.
	pub standing: Standing,
	/// How it did so far.
	pub reputation: Reputation,
	/// Good results since the last bad one.
	pub good_run: u32,
	/// When it was last heard of.
	pub last_seen: BlockNumber,
	/// Whether its present absence has been counted on the track "offline".
	pub missed: bool,
	/// From when on its bond may be withdrawn, if it is leaving.
	pub leaving: Option<BlockNumber>,
}

/// Slots that a worker no longer offers while votes on what it computed in them may be open.
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
)]
pub struct Former {
	/// How many slots it had.
	pub slots: u16,
	/// From when on the bond need not answer for them.
	pub until: BlockNumber,
}

impl<AccountId, Balance> Worker<AccountId, Balance> {
	/// The slots that its bond answers for: a reduced capacity lowers them after a while only.
	pub fn bonded_slots(&self) -> u16 {
		self.former.map_or(0, |former| former.slots).max(self.capacity.slots)
	}

	/// Leases that it may still be given, with so many for each slot that it has not given up.
	pub fn room(&self, per_slot: u16) -> u16 {
		self.capacity.leases(per_slot).saturating_sub(self.busy)
	}

	/// Whether it may get work, as far as its standing goes.
	pub fn admitted(&self) -> Result<(), Refusal> {
		match self.standing {
			Standing::Blacklisted => Err(Refusal::Blacklisted),
			_ if self.leaving.is_some() => Err(Refusal::Leaving),
			Standing::Suspended { .. } => Err(Refusal::Suspended),
			Standing::Good => Ok(()),
		}
	}

	/// What `conduct` is a fault of, if it is one.
	pub fn fault(&self, conduct: Conduct) -> Option<Fault> {
		match conduct {
			Conduct::Agreed => None,
			Conduct::Dissented => Some(Fault::Dissented),
			Conduct::Withheld => Some(Fault::Withheld),
			Conduct::Lapsed { since } if self.last_seen >= since => Some(Fault::Silent),
			Conduct::Lapsed { .. } => Some(Fault::Offline),
		}
	}

	/// Counts a fault on its track and judges the worker by that track alone. `None`: this
	/// absence was counted before. One outage is one failure, however many leases it cost.
	pub fn count(&mut self, fault: Fault) -> Option<Judgement> {
		let tracks = &mut self.reputation;
		match fault {
			Fault::Dissented | Fault::Withheld => {
				self.good_run = 0;
				Some(tracks.wrong.fail(&WRONG))
			},
			Fault::Silent => {
				self.good_run = 0;
				Some(tracks.silent.fail(&SILENT))
			},
			Fault::Offline if self.missed => None,
			Fault::Offline => {
				self.missed = true;
				Some(tracks.offline.fail(&OFFLINE))
			},
		}
	}

	/// The score on the track that `fault` counts on.
	pub fn score(&self, fault: Fault) -> FixedU64 {
		match fault {
			Fault::Dissented | Fault::Withheld => self.reputation.wrong.score(),
			Fault::Silent => self.reputation.silent.score(),
			Fault::Offline => self.reputation.offline.score(),
		}
	}
}

/// What a worker did wrong.
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
)]
pub enum Fault {
	/// A result of its does not agree with the verdict. Counts as wrong.
	Dissented,
	/// It committed to results and did not reveal them. Counts as wrong.
	Withheld,
	/// Its lease lapsed although it was heard of meanwhile. Counts as silent.
	Silent,
	/// Its lease lapsed, and it was not heard of since it got it. Counts as offline.
	Offline,
}

/// Why a worker is suspended.
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
)]
pub enum Reason {
	/// This fault brought its track below the threshold.
	Score(Fault),
	/// Too little of its bond is left.
	Bond,
}
