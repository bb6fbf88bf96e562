//! The parameters of the `dgcs_*` methods.
//!
//! A parameter is taken as any JSON and read by hand, so that a wrong one is answered with its
//! name, its value and what was expected, and not with a parser's complaint about a column.

use std::marker::PhantomData;

use dgcs_primitives::{RangeIndex, TaskId};
use serde::{Deserialize, Deserializer};
use serde_json::{json, Value};
use sp_core::{bytes::from_hex, Bytes, H256};

use crate::AccountId;

/// What is wrong with a parameter.
#[derive(Debug, thiserror::Error)]
pub enum ParamError {
	/// It is needed, and was not sent.
	#[error("parameter `{name}` is missing: expected {expected}")]
	Missing {
		/// The parameter.
		name: String,
		/// What it should be.
		expected: &'static str,
	},
	/// It is not what it should be.
	#[error("parameter `{name}` is wrong: expected {expected}, got {}", shortened(.got))]
	Wrong {
		/// The parameter.
		name: String,
		/// What it should be.
		expected: &'static str,
		/// What was sent.
		got: Value,
	},
}

impl ParamError {
	/// JSON-RPC's own code for it.
	pub const CODE: i32 = -32602;

	/// The details for programs.
	pub fn data(&self) -> Value {
		let (name, expected, got) = match self {
			ParamError::Missing { name, expected } => (name, expected, Value::Null),
			ParamError::Wrong { name, expected, got } => (name, expected, json!(shortened(got))),
		};
		json!({ "parameter": name, "expected": expected, "got": got })
	}
}

/// A value as it was sent, cut short if somebody sent a novel.
pub fn shortened(value: &Value) -> String {
	const MOST: usize = 80;
	let text = value.to_string();
	match text.char_indices().nth(MOST) {
		Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
		None => text,
	}
}

/// A parameter that is to be a `T`.
#[derive(Debug)]
pub struct Param<T> {
	value: Value,
	kind: PhantomData<fn() -> T>,
}

impl<'de, T> Deserialize<'de> for Param<T> {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		Ok(Param { value: Value::deserialize(deserializer)?, kind: PhantomData })
	}
}

/// What can be a parameter, or a field of one.
pub trait FromJson: Sized {
	/// What is expected, as the end of the sentence "expected …".
	const EXPECTED: &'static str;

	/// Reads the value. `None` if it is something else.
	fn from_json(value: &Value) -> Option<Self>;

	/// Reads the value of the parameter `name`.
	fn read(name: &str, value: Value) -> Result<Self, ParamError> {
		Self::from_json(&value).ok_or_else(|| ParamError::Wrong {
			name: name.into(),
			expected: Self::EXPECTED,
			got: value,
		})
	}
}

/// Reads the parameter `name`, which must have been sent.
pub fn required<T: FromJson>(name: &str, param: Option<Param<T>>) -> Result<T, ParamError> {
	optional(name, param)?
		.ok_or_else(|| ParamError::Missing { name: name.into(), expected: T::EXPECTED })
}

/// Reads the parameter `name`, if it was sent. `null` counts as not sent.
pub fn optional<T: FromJson>(name: &str, param: Option<Param<T>>) -> Result<Option<T>, ParamError> {
	param.filter(|param| !param.value.is_null()).map(|param| T::read(name, param.value)).transpose()
}

/// A whole number, as a JSON number or, for those above what JavaScript can hold, as its digits in
/// a string.
fn whole(value: &Value) -> Option<u128> {
	match value {
		Value::Number(number) => number.as_u64().map(u128::from),
		// `parse` alone would also take a leading plus.
		Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
			digits.parse().ok()
		},
		_ => None,
	}
}

impl FromJson for TaskId {
	const EXPECTED: &'static str = "a task id, a whole number such as 7";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok().map(TaskId)
	}
}

impl FromJson for RangeIndex {
	const EXPECTED: &'static str = "a range of the task, a whole number from 0";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok().map(RangeIndex)
	}
}

impl FromJson for u32 {
	const EXPECTED: &'static str = "a whole number from 0 to 4294967295";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok()
	}
}

impl FromJson for u8 {
	const EXPECTED: &'static str = "a whole number from 0 to 255";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok()
	}
}

impl FromJson for u64 {
	const EXPECTED: &'static str = "a whole number, in a string if it is above 9007199254740991";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok()
	}
}

impl FromJson for u128 {
	const EXPECTED: &'static str =
		"an amount in the smallest unit (1 DGC is 1000000000000), as a string such as \"250000\"";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)
	}
}

impl FromJson for bool {
	const EXPECTED: &'static str = "true or false";

	fn from_json(value: &Value) -> Option<Self> {
		value.as_bool()
	}
}

impl FromJson for H256 {
	const EXPECTED: &'static str = "a hash, 0x and 64 hexadecimal digits";

	fn from_json(value: &Value) -> Option<Self> {
		value.as_str().filter(|text| text.starts_with("0x"))?.parse().ok()
	}
}

/// Characters of the longest way to write an account: 0x and 64 digits.
const MAX_ACCOUNT: usize = 66;

impl FromJson for AccountId {
	const EXPECTED: &'static str = "an account, as an SS58 address or as 0x and 64 hexadecimal \
		digits";

	fn from_json(value: &Value) -> Option<Self> {
		// Longer ones would take minutes to decode from base 58.
		value.as_str().filter(|text| text.len() <= MAX_ACCOUNT)?.parse().ok()
	}
}

impl FromJson for Bytes {
	const EXPECTED: &'static str = "bytes, as 0x and hexadecimal digits";

	fn from_json(value: &Value) -> Option<Self> {
		let text = value.as_str().filter(|text| text.starts_with("0x"))?;
		from_hex(text).ok().map(Bytes)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn param<T>(value: Value) -> Option<Param<T>> {
		serde_json::from_value(value).expect("a parameter takes any JSON")
	}

	#[test]
	fn whole_numbers_come_as_numbers_and_as_digits() {
		assert_eq!(whole(&json!(7)), Some(7));
		assert_eq!(whole(&json!("7")), Some(7));
		assert_eq!(whole(&json!(u128::MAX.to_string())), Some(u128::MAX));
		for wrong in [json!(-1), json!(1.5), json!("+1"), json!("0x7"), json!(""), json!([7])] {
			assert_eq!(whole(&wrong), None, "{wrong}");
		}
	}

	#[test]
	fn missing_and_null_are_the_same() {
		for sent in [None, param::<TaskId>(Value::Null)] {
			let error = required("task", sent).expect_err("nothing was sent").to_string();
			assert!(error.contains("`task`") && error.contains("such as 7"), "{error}");
		}
		assert_eq!(optional::<u32>("limit", None).expect("may be left out"), None);
	}

	#[test]
	fn wrong_kinds_are_named() {
		let error = required::<TaskId>("task", param(json!("seven"))).expect_err("no number");
		assert!(error.to_string().contains("got \"seven\""), "{error}");
		required::<u32>("limit", param(json!(u64::MAX))).expect_err("too large");
		required::<AccountId>("account", param(json!("5Grw"))).expect_err("too short");
		required::<AccountId>("account", param(json!("5".repeat(1 << 20)))).expect_err("too long");
		required::<H256>("at", param(json!("0x12"))).expect_err("too short");
		required::<H256>("at", param(json!(12))).expect_err("a number");
	}

	#[test]
	fn accounts_come_as_address_and_as_hex() {
		let alice = AccountId::from([7; 32]);
		let hex = format!("0x{}", "07".repeat(32));
		for text in [alice.to_string(), hex] {
			assert_eq!(AccountId::from_json(&json!(text)), Some(alice.clone()));
		}
	}
}
