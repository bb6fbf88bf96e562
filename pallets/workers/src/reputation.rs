//! Reputation by beta distribution, in fixed point: three tracks, each with its own memory and
//! thresholds. Pure arithmetic; what follows from a judgement is decided in `conduct.rs`.
//!
//! A track remembers weighted successes (`alpha`) and failures (`beta`). Each new observation
//! first shrinks both by `lambda`, then adds 1 to its side; the score is the share of successes.
//! After `n` successes `alpha` is `lambda^n * alpha + (1 - lambda^n) / (1 - lambda)`, so that a
//! track never weighs more than `1 / (1 - lambda)` observations: old merit and old sins fade.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{CheckedDiv, One, Saturating, Zero},
	FixedU64,
};

/// How one track remembers and when it condemns.
#[derive(Clone, Copy, Debug)]
pub struct TrackRules {
	/// What is left of the past after one more observation.
	pub lambda: FixedU64,
	/// The trust that a newcomer starts with, in successes.
	pub start_alpha: FixedU64,
	/// A failure that leaves the score below this suspends.
	pub suspend_below: FixedU64,
	/// A failure that leaves the score below this blacklists. `None`: this track never does.
	pub blacklist_below: Option<FixedU64>,
}

/// Results that lost the vote, or were committed to and withheld.
pub const WRONG: TrackRules = TrackRules {
	lambda: FixedU64::from_rational(95, 100),
	start_alpha: FixedU64::from_u32(2),
	suspend_below: FixedU64::from_rational(75, 100),
	blacklist_below: Some(FixedU64::from_rational(50, 100)),
};

/// Leases that lapsed although the worker was there.
pub const SILENT: TrackRules = TrackRules {
	lambda: FixedU64::from_rational(95, 100),
	start_alpha: FixedU64::from_u32(4),
	suspend_below: FixedU64::from_rational(60, 100),
	blacklist_below: None,
};

/// Times that the worker fell out of sight with leases in hand.
pub const OFFLINE: TrackRules = TrackRules {
	lambda: FixedU64::from_rational(98, 100),
	start_alpha: FixedU64::from_u32(10),
	suspend_below: FixedU64::from_rational(60, 100),
	blacklist_below: None,
};

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
	/// The score bears it.
	Tolerated,
	/// No new work for a while.
	Suspend,
	/// No new work ever.
	Blacklist,
}

/// One track of a worker.
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
pub struct Track {
	/// Weighted successes.
	alpha: FixedU64,
	/// Weighted failures.
	beta: FixedU64,
}

impl Track {
	/// A newcomer's track.
	pub fn new(rules: &TrackRules) -> Self {
		Self { alpha: rules.start_alpha, beta: FixedU64::zero() }
	}

	/// Counts a success.
	pub fn succeed(&mut self, rules: &TrackRules) {
		self.decay(rules);
		self.alpha = self.alpha.saturating_add(FixedU64::one());
	}

	/// Counts a failure, and judges the worker by it.
	pub fn fail(&mut self, rules: &TrackRules) -> Judgement {
		self.decay(rules);
		self.beta = self.beta.saturating_add(FixedU64::one());
		let score = self.score();
		if rules.blacklist_below.is_some_and(|least| score < least) {
			Judgement::Blacklist
		} else if score < rules.suspend_below {
			Judgement::Suspend
		} else {
			Judgement::Tolerated
		}
	}

	/// The share of successes, from 0 to 1.
	pub fn score(&self) -> FixedU64 {
		// Nothing remembered is no reason for distrust; no rule above lets it happen.
		self.alpha.checked_div(&self.alpha.saturating_add(self.beta)).unwrap_or_else(FixedU64::one)
	}

	/// How many observations the track weighs.
	pub fn weight(&self) -> FixedU64 {
		self.alpha.saturating_add(self.beta)
	}

	fn decay(&mut self, rules: &TrackRules) {
		self.alpha = self.alpha.saturating_mul(rules.lambda);
		self.beta = self.beta.saturating_mul(rules.lambda);
	}
}

/// All three tracks of a worker.
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
pub struct Reputation {
	/// Under the rules [`WRONG`].
	pub wrong: Track,
	/// Under the rules [`SILENT`].
	pub silent: Track,
	/// Under the rules [`OFFLINE`].
	pub offline: Track,
}

impl Default for Reputation {
	fn default() -> Self {
		Self {
			wrong: Track::new(&WRONG),
			silent: Track::new(&SILENT),
			offline: Track::new(&OFFLINE),
		}
	}
}

impl Reputation {
	/// A result in time that agrees with the verdict is a success on every track.
	pub fn succeed(&mut self) {
		self.wrong.succeed(&WRONG);
		self.silent.succeed(&SILENT);
		self.offline.succeed(&OFFLINE);
	}
}
