//! From what is seen of the machine to what may run on it.

use super::{
	config::Terms,
	observe::{Observer, Senses},
	policy::{Allowance, Policy},
};

/// Says, whenever it is asked, how much may run now.
#[derive(Debug)]
pub struct Lender<S> {
	observer: Observer<S>,
	policy: Policy,
}

impl<S: Senses> Lender<S> {
	/// Lends by these terms the machine that is seen by `senses`.
	pub fn new(terms: Terms, senses: S) -> Self {
		Lender { observer: Observer::new(senses), policy: Policy::new(terms) }
	}

	/// How much may run now. Leave a second or more between two calls.
	pub fn look(&mut self) -> Allowance {
		let (at, seen) = self.observer.look();
		self.policy.step(at, &seen)
	}
}
