//! Parameters, taken as any JSON and read by hand, so that a wrong one is answered with its name, its
//! value and what was expected, as by the node's own `dgcs_*` methods.

use std::marker::PhantomData;

use dgcs_primitives::TaskId;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sp_core::{bytes::from_hex, Bytes};

use super::error::RpcError;
use crate::edges::AccountId;

/// The most characters of an account: in hexadecimal, after `0x`.
const LONGEST_ACCOUNT: usize = 66;

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

/// What can be a parameter.
pub trait FromJson: Sized {
	/// What is expected, as the end of the sentence "expected …".
	const EXPECTED: &'static str;

	/// Reads the value. `None` if it is something else.
	fn from_json(value: &Value) -> Option<Self>;
}

/// Reads the parameter `name`, which must have been sent.
pub(super) fn required<T: FromJson>(name: &str, param: Option<Param<T>>) -> Result<T, RpcError> {
	optional(name, param)?
		.ok_or_else(|| RpcError::Missing { name: name.into(), expected: T::EXPECTED })
}

/// Reads the parameter `name`, if it was sent. `null` counts as not sent.
pub(super) fn optional<T: FromJson>(
	name: &str,
	param: Option<Param<T>>,
) -> Result<Option<T>, RpcError> {
	let Some(value) = param.map(|param| param.value).filter(|value| !value.is_null()) else {
		return Ok(None);
	};
	let read = T::from_json(&value);
	read.map(Some).ok_or_else(|| RpcError::Wrong {
		name: name.into(),
		expected: T::EXPECTED,
		got: value,
	})
}

/// A whole number, as a JSON number or as its digits in a string.
fn whole(value: &Value) -> Option<u64> {
	match value {
		Value::Number(number) => number.as_u64(),
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
		whole(value).map(TaskId)
	}
}

impl FromJson for u32 {
	const EXPECTED: &'static str = "a whole number from 0 to 4294967295";

	fn from_json(value: &Value) -> Option<Self> {
		whole(value)?.try_into().ok()
	}
}

impl FromJson for AccountId {
	const EXPECTED: &'static str = "an account, as an SS58 address or as 0x and 64 hexadecimal \
		digits";

	fn from_json(value: &Value) -> Option<Self> {
		// The time that reading base 58 takes grows with the square of the length.
		value.as_str().filter(|text| text.len() <= LONGEST_ACCOUNT)?.parse().ok()
	}
}

impl FromJson for Bytes {
	const EXPECTED: &'static str = "bytes, as 0x and hexadecimal digits";

	fn from_json(value: &Value) -> Option<Self> {
		let text = value.as_str().filter(|text| text.starts_with("0x"))?;
		from_hex(text).ok().map(Bytes)
	}
}
