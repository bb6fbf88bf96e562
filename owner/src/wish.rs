//! What an owner asks for, as it is written down: program, input, how to cut and to join, and the
//! terms on which strangers compute it.

use std::{fmt, path::PathBuf, str::FromStr};

use dgcs_client::Balance;
use dgcs_content::{Cut, Job, Join, Merge};
use dgcs_primitives::{
	ContentCodec, ContentId, Payout, Selection, SubtaskLimits, TaskKind, TaskSpec, Visibility,
	MAX_RANGE_SIZE,
};
use serde::{Deserialize, Serialize};
use sp_core::H256;

use crate::survey::Survey;

/// Into how many ranges a task is divided if it has enough subtasks: with three seats each, about a hundred
/// workers can have one. More would cost each of them more blocks of waiting, a few for every lease.
const GOOD_RANGES: u32 = 32;
/// What a machine of some years ago burns of fuel in a millisecond. A task's fuel follows from its time
/// with this, so that a program that runs too long ends by fuel, on which all workers agree, before it
/// ends by the clock, on which they may not.
pub const FUEL_PER_MS: u64 = 500_000;

/// How an input becomes subtasks. Text: `bytes`, `bytes:SIZE`, `lines`, `lines:N`, `files`, `index:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Split {
	/// Pieces of so many bytes. `None`: as many as suits the length.
	Bytes(Option<u64>),
	/// Pieces of so many lines. `None`: as many as suits the length.
	Lines(Option<u64>),
	/// Each file of a folder.
	Files,
	/// So many subtasks, each of which sees the whole input and its own number.
	Index(u32),
}

impl FromStr for Split {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let expected = "expected bytes, bytes:SIZE, lines, lines:N, files or index:N";
		let (kind, count) = match text.split_once(':') {
			Some((kind, count)) => (kind, Some(count)),
			None => (text, None),
		};
		match (kind, count) {
			("bytes", count) => count.map(size).transpose().map(Split::Bytes),
			("lines", count) => count.map(number).transpose().map(Split::Lines),
			("files", None) => Ok(Split::Files),
			("index", Some(count)) => {
				let count = number(count)?;
				u32::try_from(count).map(Split::Index).map_err(|_| format!("{count} is too many"))
			},
			("index", None) => Err("how many? Give index:N, or --count N beside it".into()),
			_ => Err(format!("`{text}` is no way to cut an input: {expected}")),
		}
	}
}

impl fmt::Display for Split {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Split::Bytes(None) => f.write_str("bytes"),
			Split::Bytes(Some(size)) => write!(f, "bytes:{size}"),
			Split::Lines(None) => f.write_str("lines"),
			Split::Lines(Some(lines)) => write!(f, "lines:{lines}"),
			Split::Files => f.write_str("files"),
			Split::Index(count) => write!(f, "index:{count}"),
		}
	}
}

impl TryFrom<String> for Split {
	type Error = String;

	fn try_from(text: String) -> Result<Self, String> {
		text.parse()
	}
}

impl From<Split> for String {
	fn from(split: Split) -> String {
		split.to_string()
	}
}

fn number(text: &str) -> Result<u64, String> {
	match text.parse() {
		Ok(0) => Err("0 makes no piece: give a number above 0".into()),
		Ok(number) => Ok(number),
		Err(_) => Err(format!("`{text}` is no number")),
	}
}

/// Reads a number of bytes, such as `4096`, `64K`, `8M` or `1G`, by powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
	let text = text.strip_suffix("iB").unwrap_or(text);
	let (digits, factor) = match text.char_indices().last() {
		Some((place, 'K' | 'k')) => (&text[..place], 1 << 10),
		Some((place, 'M' | 'm')) => (&text[..place], 1 << 20),
		Some((place, 'G' | 'g')) => (&text[..place], 1 << 30),
		_ => (text, 1),
	};
	number(digits)?.checked_mul(factor).ok_or_else(|| format!("`{text}` is too much"))
}

/// How the results become a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JoinBy {
	/// In one file, in the order of the subtasks.
	Concat,
	/// Each as a file.
	Files,
	/// By the program itself, in a second task with one subtask, whose input is all results in one file.
	Merge,
}

/// The argument by which a program is told to merge, if nothing else is said.
pub const MERGE: &str = "merge";

impl JoinBy {
	/// How the results of this very task are joined.
	pub fn join(self) -> Join {
		match self {
			JoinBy::Files => Join::Files,
			JoinBy::Concat | JoinBy::Merge => Join::Concatenate,
		}
	}
}

/// On which terms strangers compute a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terms {
	/// How many workers compute each range. Odd, at least 3.
	pub replicas: u8,
	/// How many may at the most.
	pub max_replicas: u8,
	/// What one result earns that agrees with the verdict, in the smallest unit.
	pub reward: Balance,
	/// What a subtask may use.
	pub limits: SubtaskLimits,
	/// What the step that merges the results may use. `None`: as much as a subtask.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub merge_limits: Option<SubtaskLimits>,
	/// How many subtasks are leased together. `None`: as many as suits their number.
	pub range_size: Option<u32>,
	/// How long the task may wait for its first lease, in seconds.
	pub wait: u64,
	/// How long it may take from then on, in seconds.
	pub deadline: u64,
	/// Which workers may be drawn.
	pub selection: Selection,
	/// How rewards are shared.
	pub payout: Payout,
	/// Who may add money.
	pub visibility: Visibility,
	/// Whether the chain keeps the record of the task's end.
	pub keep: bool,
}

impl Terms {
	/// Good terms for a task of which nothing is known: three workers for each range and up to five, a
	/// thousandth of a DGC for a result, a minute and 256 MiB for a subtask, a day to wait and a day to
	/// run.
	pub fn usual() -> Self {
		let time_ms = 60_000;
		Terms {
			replicas: 3,
			max_replicas: 5,
			reward: crate::money::DGC / 1000,
			limits: SubtaskLimits {
				time_ms,
				memory_mib: 256,
				fuel: u64::from(time_ms) * FUEL_PER_MS,
			},
			merge_limits: None,
			range_size: None,
			wait: 24 * 60 * 60,
			deadline: 24 * 60 * 60,
			selection: Selection::Any,
			payout: Payout::Pps,
			visibility: Visibility::Private,
			keep: true,
		}
	}

	/// How many of `subtasks` are leased together.
	pub fn range_size(&self, subtasks: u32) -> u32 {
		let good = subtasks.div_ceil(GOOD_RANGES).clamp(1, MAX_RANGE_SIZE);
		self.range_size.unwrap_or(good)
	}

	/// The specification of a task with this content on these terms. `block_time` is the chain's, in
	/// milliseconds.
	pub fn spec(&self, content: &Outline, block_time: u64) -> TaskSpec<Balance> {
		let blocks = |seconds: u64| {
			let blocks = seconds.saturating_mul(1000).div_ceil(block_time.max(1));
			u32::try_from(blocks).unwrap_or(u32::MAX)
		};
		TaskSpec {
			kind: TaskKind::Compute,
			manifest: content.manifest,
			input_root: content.input_root,
			subtasks: content.subtasks,
			range_size: content.range_size,
			replicas: self.replicas,
			max_replicas: self.max_replicas,
			reward: self.reward,
			limits: self.limits,
			queue_timeout: blocks(self.wait),
			run_timeout: blocks(self.deadline),
			selection: self.selection,
			payout: self.payout,
			visibility: self.visibility,
			keep_solution: self.keep,
		}
	}

	/// The terms of a task with this specification. Times are rounded up to seconds.
	pub fn of(spec: &TaskSpec<Balance>, block_time: u64) -> Self {
		let seconds = |blocks: u32| u64::from(blocks).saturating_mul(block_time).div_ceil(1000);
		Terms {
			replicas: spec.replicas,
			max_replicas: spec.max_replicas,
			reward: spec.reward,
			limits: spec.limits,
			merge_limits: None,
			range_size: Some(spec.range_size),
			wait: seconds(spec.queue_timeout),
			deadline: seconds(spec.run_timeout),
			selection: spec.selection,
			payout: spec.payout,
			visibility: spec.visibility,
			keep: spec.keep_solution,
		}
	}
}

/// What a specification says about a task's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
	/// The manifest's name.
	pub manifest: ContentId,
	/// The Merkle root over the shards.
	pub input_root: H256,
	/// How many subtasks.
	pub subtasks: u32,
	/// How many of them are leased together.
	pub range_size: u32,
}

impl Outline {
	/// That of a task that is not prepared yet: what matters for its price is right.
	pub fn of(survey: &Survey, terms: &Terms) -> Self {
		Outline {
			manifest: ContentId { codec: ContentCodec::Raw, digest: H256::zero() },
			input_root: H256::zero(),
			subtasks: survey.subtasks,
			range_size: terms.range_size(survey.subtasks),
		}
	}
}

/// All that an owner asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
	/// The WASI program.
	pub program: PathBuf,
	/// The file or folder that it computes on. `None`: nothing but each subtask's number.
	pub input: Option<PathBuf>,
	/// How the input becomes subtasks.
	pub split: Split,
	/// How the results become a solution.
	pub join: JoinBy,
	/// The program's arguments.
	pub arguments: Vec<String>,
	/// The program's environment.
	pub environment: Vec<(String, String)>,
	/// The program's arguments when it merges results.
	pub merge_arguments: Vec<String>,
	/// On which terms.
	pub terms: Terms,
}

impl Wish {
	/// The wish for the task that merges this one's results, which are in the file `results`.
	pub fn merge(&self, results: PathBuf) -> Self {
		let limits = self.terms.merge_limits.unwrap_or(self.terms.limits);
		Wish {
			input: Some(results),
			split: Split::Index(1),
			join: JoinBy::Concat,
			arguments: self.merge_arguments.clone(),
			terms: Terms { limits, merge_limits: None, ..self.terms.clone() },
			..self.clone()
		}
	}

	/// What the private part of the task's content says of the step that merges its results.
	pub fn merge_step(&self) -> Option<Merge> {
		let limits = self.terms.merge_limits.unwrap_or(self.terms.limits);
		let arguments = self.merge_arguments.clone();
		(self.join == JoinBy::Merge).then_some(Merge { arguments, limits })
	}

	/// The wish for a task that was found on the chain on these terms, and whose results are merged. Its
	/// input is not here.
	pub(crate) fn found(program: PathBuf, terms: Terms, cut: Cut, job: Job, merge: Merge) -> Self {
		Wish {
			program,
			input: None,
			split: cut.into(),
			join: JoinBy::Merge,
			arguments: job.arguments,
			environment: job.environment,
			merge_arguments: merge.arguments,
			terms: Terms { merge_limits: Some(merge.limits), ..terms },
		}
	}

	/// Whether `other` asks for the same subtasks and the same solution. What the merge step may use is
	/// left out: it is what an owner changes when that step has failed, and no subtask depends on it.
	pub fn is_alike(&self, other: &Wish) -> bool {
		let bare = |wish: &Wish| {
			let terms = Terms { merge_limits: None, ..wish.terms.clone() };
			Wish { terms, ..wish.clone() }
		};
		bare(self) == bare(other)
	}
}

/// How a cut is written in a wish.
impl From<Cut> for Split {
	fn from(cut: Cut) -> Self {
		match cut {
			Cut::Bytes(bytes) => Split::Bytes(Some(bytes)),
			Cut::Lines(lines) => Split::Lines(Some(lines)),
			Cut::Files => Split::Files,
			Cut::Index(count) => Split::Index(count),
		}
	}
}

#[cfg(test)]
mod tests {
	use dgcs_primitives::Price;
	use proptest::prelude::*;
	use sp_runtime::Perbill;

	use super::*;

	#[test]
	fn splits_are_read_and_shown() {
		for (text, split, shown) in [
			("bytes", Split::Bytes(None), "bytes"),
			("bytes:100", Split::Bytes(Some(100)), "bytes:100"),
			("bytes:64K", Split::Bytes(Some(65_536)), "bytes:65536"),
			("bytes:8MiB", Split::Bytes(Some(8 << 20)), "bytes:8388608"),
			("lines", Split::Lines(None), "lines"),
			("lines:7", Split::Lines(Some(7)), "lines:7"),
			("files", Split::Files, "files"),
			("index:24", Split::Index(24), "index:24"),
		] {
			assert_eq!(text.parse(), Ok(split), "{text}");
			assert_eq!(split.to_string(), shown);
			assert_eq!(shown.parse(), Ok(split));
		}
	}

	#[test]
	fn what_is_no_split_is_refused() {
		for text in [
			"",
			":",
			"words",
			"bytes:",
			"bytes:0",
			"bytes:1T",
			"bytes:-1",
			"lines:0",
			"lines:1.5",
			"files:3",
			"index",
			"index:0",
			"index:5000000000",
			"bytes:99999999999G",
			"lines:é",
			"bytes:é",
		] {
			assert!(text.parse::<Split>().is_err(), "{text}");
		}
	}

	#[test]
	fn ranges_suit_the_number_of_subtasks() {
		let mut terms = Terms::usual();
		for (subtasks, size) in [(1, 1), (32, 1), (33, 2), (96, 3), (1000, 32), (1 << 24, 64)] {
			assert_eq!(terms.range_size(subtasks), size, "{subtasks}");
		}
		terms.range_size = Some(5);
		assert_eq!(terms.range_size(1000), 5);
	}

	#[test]
	fn a_merge_is_one_subtask_over_all_results() {
		let wish = Wish {
			program: "count.wasm".into(),
			input: Some("text".into()),
			split: Split::Lines(Some(5)),
			join: JoinBy::Merge,
			arguments: vec!["-i".into()],
			environment: vec![],
			merge_arguments: vec![MERGE.into()],
			terms: Terms::usual(),
		};
		let merge = wish.merge("results".into());
		assert_eq!(merge.split, Split::Index(1));
		assert_eq!(merge.arguments, ["merge"]);
		assert_eq!((merge.join, &merge.program), (JoinBy::Concat, &wish.program));
		assert_eq!(merge.input, Some("results".into()));
		assert_eq!(merge.terms, wish.terms, "it may use as much as a subtask");

		let limits = SubtaskLimits { memory_mib: 1024, ..wish.terms.limits };
		let terms = Terms { merge_limits: Some(limits), ..wish.terms.clone() };
		let generous = Wish { terms, ..wish.clone() };
		let merge = generous.merge("results".into());
		assert_eq!((merge.terms.limits, merge.terms.merge_limits), (limits, None));
		assert!(generous.is_alike(&wish), "its subtasks are the same");
		let other = Wish { merge_arguments: vec!["join".into()], ..generous.clone() };
		assert!(!other.is_alike(&wish), "its solution is another");
		let other = Wish { terms: Terms { limits, ..generous.terms.clone() }, ..generous };
		assert!(!other.is_alike(&wish), "its subtasks are others");
	}

	#[test]
	fn the_merge_step_of_a_task_that_was_found_is_that_of_its_owner() {
		let limits = SubtaskLimits { memory_mib: 1024, ..Terms::usual().limits };
		let mut wish = Wish {
			program: "count.wasm".into(),
			input: Some("text".into()),
			split: Split::Lines(Some(5)),
			join: JoinBy::Merge,
			arguments: vec!["-i".into()],
			environment: vec![("A".into(), "1".into())],
			merge_arguments: vec!["join".into(), "-v".into()],
			terms: Terms { replicas: 5, max_replicas: 7, wait: 90, keep: false, ..Terms::usual() },
		};
		for merge_limits in [Some(limits), None] {
			wish.terms.merge_limits = merge_limits;
			let survey = Survey { cut: Cut::Lines(5), subtasks: 96, bytes: 1 };
			let spec = wish.terms.spec(&Outline::of(&survey, &wish.terms), 3000);
			let (arguments, environment) = (wish.arguments.clone(), wish.environment.clone());
			let job = Job { arguments, environment, shared_input: None };
			let step = wish.merge_step().expect("its results are merged");
			let terms = Terms::of(&spec, 3000);
			let found = Wish::found("count.wasm".into(), terms, survey.cut, job, step);
			let (mut found, merge) = (found.merge("r".into()), wish.merge("r".into()));
			assert_eq!(found.terms.range_size.take(), Some(3), "no matter, with one subtask");
			assert_eq!(found, merge);
		}
		let concat = Wish { join: JoinBy::Concat, ..wish };
		assert_eq!(concat.merge_step(), None);
	}

	#[test]
	fn terms_of_before_merge_steps_had_limits_are_read() {
		let terms = Terms::usual();
		let text = serde_json::to_string(&terms).expect("plain");
		assert!(!text.contains("mergeLimits"), "{text}");
		assert_eq!(serde_json::from_str::<Terms>(&text).expect("just written"), terms);
		let terms = Terms { merge_limits: Some(terms.limits), ..terms };
		let text = serde_json::to_string(&terms).expect("plain");
		assert_eq!(serde_json::from_str::<Terms>(&text).expect("just written"), terms);
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 256,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		/// The specification keeps its own rules, times are rounded up and never down, and its price
		/// is that of the chain's arithmetic.
		#[test]
		fn specifications_follow_the_terms(
			subtasks in 1u32..=1 << 24, extra in 0u8..6, reward in 1u128..1 << 64,
			wait in 1u64..1 << 40, block_time in 1u64..10_000,
		) {
			let terms = Terms { max_replicas: 3 + extra, reward, wait, ..Terms::usual() };
			let survey = Survey { cut: Cut::Lines(1), subtasks, bytes: 1 };
			let spec = terms.spec(&Outline::of(&survey, &terms), block_time);
			prop_assert_eq!(spec.validate(), Ok(()));
			let waits = u64::from(spec.queue_timeout) * block_time;
			prop_assert!(spec.queue_timeout == u32::MAX || waits >= wait * 1000);
			let share = Perbill::from_percent(5);
			let again = Terms::of(&spec, block_time).spec(&Outline::of(&survey, &terms), block_time);
			let TaskSpec { queue_timeout, run_timeout, .. } = again;
			prop_assert!(queue_timeout >= spec.queue_timeout && run_timeout >= spec.run_timeout);
			let TaskSpec { queue_timeout, run_timeout, .. } = spec;
			prop_assert_eq!(&TaskSpec { queue_timeout, run_timeout, ..again }, &spec);
			let price = Price::of(&spec, share).expect("far below all money");
			let most = u128::from(subtasks) * u128::from(spec.max_replicas) * reward;
			prop_assert_eq!(price.rewards + price.reserve, most);
			prop_assert_eq!(price.masternodes, share.mul_ceil(most));
		}

		#[test]
		fn any_text_is_a_split_or_an_error(text in ".{0,30}") {
			let _ = text.parse::<Split>();
		}
	}
}
