//! What a task costs, before anything is signed.

use dgcs_client::{call, fee, AccountId, Balance, Call, Chain, Funds};
use dgcs_content::MAX_SHARED_KEYS;
use dgcs_primitives::{api::EstimateError, Price, TaskSpec};

use crate::{
	error::{Error, Result},
	workforce::Workforce,
};

/// The most ranges of a task: each has a key that masternodes share, and the task has one.
const MAX_RANGES: u32 = MAX_SHARED_KEYS - 1;

/// A price, and what there is to pay it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
	/// What is asked for.
	pub spec: TaskSpec<Balance>,
	/// What is held when the task is submitted. What is not spent comes back.
	pub price: Price<Balance>,
	/// The fee of the transaction.
	pub fee: Balance,
	/// The owner's money.
	pub funds: Funds,
	/// Whom the network has for the task.
	pub workforce: Workforce,
	/// Milliseconds between two blocks.
	pub block_time: u64,
}

/// Asks the chain what a task with this specification costs `account`.
pub async fn quote(chain: &Chain, account: &AccountId, spec: TaskSpec<Balance>) -> Result<Quote> {
	let at = chain.at_best().await?;
	let price = match at.estimate(&spec).await? {
		Ok(price) => price,
		Err(EstimateError::Invalid(reason)) => return Err(Error::Refused { reason }),
		Err(EstimateError::Overflow) => return Err(Error::PriceOverflow),
	};
	check_ranges(&spec)?;
	Ok(Quote {
		price,
		fee: fee(chain, account, &submission(&spec)).await?,
		funds: at.funds(account).await?,
		workforce: Workforce::at(&at, &spec).await?,
		block_time: at.block_time()?,
		spec,
	})
}

/// Checks what the chain knows nothing of: that masternodes share the keys of so many ranges.
fn check_ranges(spec: &TaskSpec<Balance>) -> Result<()> {
	let (subtasks, range_size, ranges) = (spec.subtasks, spec.range_size, spec.ranges());
	if ranges <= MAX_RANGES {
		return Ok(());
	}
	let least = subtasks.div_ceil(MAX_RANGES);
	Err(Error::TooManyRanges { subtasks, range_size, ranges, most: MAX_RANGES, least })
}

/// The call that submits a task.
pub fn submission(spec: &TaskSpec<Balance>) -> Call {
	call::tasks::submit(spec)
}

impl Quote {
	/// All that is needed: the price and the fee.
	pub fn needed(&self) -> Balance {
		self.price.total().saturating_add(self.fee)
	}

	/// Whether `account`, whose quote this is, has enough money for this and for `more`.
	pub fn check(&self, account: &AccountId, more: Balance) -> Result<()> {
		let needed = self.needed().saturating_add(more);
		if self.funds.spendable >= needed {
			return Ok(());
		}
		let available = self.funds.spendable;
		Err(Error::NotEnough { account: account.to_string(), needed, available })
	}

	/// What the owner should know before it pays.
	pub fn warnings(&self) -> Vec<String> {
		let TaskSpec { max_replicas, queue_timeout, run_timeout, .. } = self.spec;
		let seconds = |blocks: u32| u64::from(blocks) * self.block_time / 1000;
		let operators = self.workforce.count_operators();
		let mut warnings = Vec::new();
		if let Some(lack) = self.workforce.lack(&self.spec) {
			warnings.push(format!(
				"{lack}: the task waits until there are more. If nobody takes it in {} s (--wait), or no \
				 verdict falls in {} s after that (--deadline), it ends, and the money comes back",
				seconds(queue_timeout),
				seconds(run_timeout)
			));
		} else if operators < usize::from(max_replicas) {
			warnings.push(format!(
				"{operators} operators have workers for this task: if they don't agree, there are not enough \
				 for {max_replicas} replicas"
			));
		}
		warnings
	}

	/// What the owner should know before it pays for this task, and for `merge`, the step that merges its
	/// results: what holds for both is said once.
	pub fn warnings_with(&self, merge: Option<&Quote>) -> Vec<String> {
		let mut all = self.warnings();
		let more = merge.map(Quote::warnings).unwrap_or_default();
		let news: Vec<String> = more.into_iter().filter(|warning| !all.contains(warning)).collect();
		all.extend(news.into_iter().map(|warning| format!("the merge step: {warning}")));
		all
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use dgcs_primitives::{Price, MAX_SUBTASKS};
	use proptest::prelude::*;
	use sp_runtime::Perbill;

	use super::*;
	use crate::{
		survey::Survey,
		wish::{Outline, Terms},
		workforce::tests::workforce,
	};

	pub(crate) fn quote(spendable: Balance, operators: u8, subtasks: u32, fee: Balance) -> Quote {
		let terms = Terms::usual();
		let survey = Survey { cut: dgcs_content::Cut::Files, subtasks, bytes: 0 };
		let spec = terms.spec(&Outline::of(&survey, &terms), 3000);
		Quote {
			price: Price::of(&spec, Perbill::from_percent(5)).expect("far below all money"),
			spec,
			fee,
			funds: Funds { free: spendable, held: 0, spendable },
			workforce: workforce(operators),
			block_time: 3000,
		}
	}

	#[test]
	fn too_few_workers_are_warned_of() {
		let warned = |operators| quote(0, operators, 1, 0).warnings().join("");
		assert!(warned(0).contains("no worker") && warned(2).contains("86400 s (--wait)"));
		assert!(warned(2).contains("only 2 operators") && warned(2).contains("money comes back"));
		assert!(warned(3).contains("5 replicas"));
		assert!(warned(5).is_empty());
	}

	#[test]
	fn a_merge_step_that_asks_for_more_is_warned_of_as_well() {
		let warned = |task, merge| {
			let merge = quote(0, merge, 1, 0);
			quote(0, task, 9, 0).warnings_with(Some(&merge))
		};
		assert_eq!(quote(0, 5, 9, 0).warnings_with(None), Vec::<String>::new());
		assert_eq!(warned(5, 5), Vec::<String>::new());
		assert_eq!(warned(2, 2), quote(0, 2, 9, 0).warnings(), "it is the same");
		let merge = warned(5, 2);
		assert_eq!(merge.len(), 1, "{merge:?}");
		assert!(merge[0].starts_with("the merge step: only 2 operators"), "{merge:?}");
	}

	#[test]
	fn no_more_ranges_than_masternodes_share_keys_of() {
		let check = |subtasks, range_size| {
			let terms = Terms { range_size, ..Terms::usual() };
			let survey = Survey { cut: dgcs_content::Cut::Files, subtasks, bytes: 0 };
			check_ranges(&terms.spec(&Outline::of(&survey, &terms), 3000))
		};
		// A key for each range, and the task's.
		let most = (1 << 20) - 1;
		check(most, Some(1)).expect("as many as there may be");
		let error = check(most + 1, Some(1)).expect_err("one range more").to_string();
		for part in [
			"1048576 subtasks, leased 1 at a time, are 1048576 ranges",
			"at most 1048575 ranges",
			"(--range 2)",
		] {
			assert!(error.contains(part), "{part}: {error}");
		}
		check(most + 1, Some(2)).expect("as was said");
		// What is said helps, and nothing less.
		let error = check(MAX_SUBTASKS, Some(16)).expect_err("one range more").to_string();
		assert!(error.contains("1048576 ranges") && error.contains("(--range 17)"), "{error}");
		check(MAX_SUBTASKS, Some(17)).expect("as was said");
		for subtasks in [1, most, most + 1, MAX_SUBTASKS] {
			check(subtasks, None).expect("what suits the number of subtasks is never too many");
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 256,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		/// Enough is exactly price, fee and what else is to be paid; and the error says what is missing.
		#[test]
		fn enough_is_enough(subtasks in 1u32..10_000, fee in 0u128..1 << 40, more in 0u128..1 << 40) {
			let account = AccountId::new([1; 32]);
			let needed = quote(0, 3, subtasks, fee).needed() + more;
			prop_assert!(quote(needed, 3, subtasks, fee).check(&account, more).is_ok());
			let error = quote(needed - 1, 3, subtasks, fee).check(&account, more);
			let error = error.expect_err("one unit is missing").to_string();
			prop_assert!(error.contains("0.000000000001 DGC are missing"), "{}", error);
		}
	}
}
