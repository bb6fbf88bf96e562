//! Why a subtask adds nothing to a solution, or not what it should: as the record has it, and in words.

use std::fmt;

use dgcs_content::{content_id::display, Gap};
use serde::{Deserialize, Serialize};

const UNDECIDED: &str = "no verdict";
const MISSING: &str = "nobody has its result";
const UNREADABLE: &str = "what its workers agreed on is no result";

/// Why a subtask adds nothing to a solution, or not what it should.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
	/// No majority agreed on a result.
	Undecided,
	/// Nobody has this block of its result. Somebody may later.
	Missing(String),
	/// What the majority agreed on is no result, and never will be one: why.
	Unreadable(String),
	/// Its program ended so. The record has the words alone.
	#[serde(untagged)]
	Ended(String),
}

impl Reason {
	/// Of what kind it is: the same can be done about all of a kind.
	pub(crate) fn kind(&self) -> &str {
		match self {
			Reason::Undecided => UNDECIDED,
			Reason::Missing(_) => MISSING,
			Reason::Unreadable(_) => UNREADABLE,
			Reason::Ended(words) if words.starts_with("exit code") => "exit code",
			Reason::Ended(words) => words,
		}
	}

	/// Whether it is a result that nobody has.
	pub(crate) fn is_missing(&self) -> bool {
		matches!(self, Reason::Missing(_))
	}
}

impl fmt::Display for Reason {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Reason::Undecided => f.write_str(UNDECIDED),
			Reason::Missing(block) => write!(f, "{MISSING} (block {block})"),
			Reason::Unreadable(why) => write!(f, "{UNREADABLE} ({why})"),
			Reason::Ended(words) => f.write_str(words),
		}
	}
}

impl From<Gap> for Reason {
	fn from(gap: Gap) -> Self {
		match gap {
			Gap::Undecided => Reason::Undecided,
			Gap::Ended(ending) => Reason::Ended(ending.to_string()),
			Gap::Missing(block) => Reason::Missing(display(&block)),
			Gap::Unreadable(why) => Reason::Unreadable(why),
		}
	}
}

/// The reason in these words, which are all that records up to version 2 have.
impl From<&str> for Reason {
	fn from(words: &str) -> Self {
		let within = |start: &str| words.strip_prefix(start)?.strip_prefix(" (")?.strip_suffix(')');
		if words == UNDECIDED {
			Reason::Undecided
		} else if let Some(block) = within(MISSING).and_then(|it| it.strip_prefix("block ")) {
			Reason::Missing(block.into())
		} else if let Some(why) = within(UNREADABLE) {
			Reason::Unreadable(why.into())
		} else {
			Reason::Ended(words.into())
		}
	}
}

#[cfg(test)]
mod tests {
	use dgcs_content::Ending;
	use serde_json::json;

	use super::*;

	#[test]
	fn reasons_are_told_apart_by_their_kind_and_not_by_their_words() {
		let block = dgcs_content::content_id::raw(b"");
		let (name, why) = (display(&block), "it has (no) ending");
		for (gap, kind, words, written) in [
			(Gap::Undecided, "no verdict", "no verdict".into(), json!("undecided")),
			(
				Gap::Missing(block),
				"nobody has its result",
				format!("nobody has its result (block {name})"),
				json!({"missing": name}),
			),
			(
				Gap::Unreadable(why.into()),
				"what its workers agreed on is no result",
				format!("what its workers agreed on is no result ({why})"),
				json!({"unreadable": why}),
			),
			(Gap::Ended(Ending::Trap), "trap", "trap".into(), json!("trap")),
			(Gap::Ended(Ending::Exit(3)), "exit code", "exit code 3".into(), json!("exit code 3")),
		] {
			let reason = Reason::from(gap);
			assert_eq!((reason.kind(), reason.to_string()), (kind, words.clone()));
			assert_eq!(reason.is_missing(), kind == "nobody has its result", "{words}");
			assert_eq!(serde_json::to_value(&reason).expect("plain"), written);
			assert_eq!(serde_json::from_value::<Reason>(written).expect("just written"), reason);
			assert_eq!(Reason::from(words.as_str()), reason, "of an earlier version");
		}
		// Words are words, whatever they begin with.
		let words = "nobody has its result (block b)";
		let ended: Reason = serde_json::from_value(json!(words)).expect("words");
		assert_eq!((ended.clone(), ended.is_missing()), (Reason::Ended(words.into()), false));
	}
}
