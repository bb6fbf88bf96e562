//! A task specification as JSON: what `dgcs_task` returns and `dgcs_estimate` takes. What the one
//! returns the other takes.

use dgcs_content::content_id;
use dgcs_primitives::{
	ContentCodec, ContentId, Payout, Selection, SubtaskLimits, TaskKind, TaskSpec, Visibility,
	MIN_REPLICAS,
};
use serde::{de::DeserializeOwned, Serialize, Serializer};
use serde_json::{Map, Value};
use sp_core::H256;

use crate::{
	params::{FromJson, ParamError},
	Balance,
};

/// Limits of a subtask that nobody has thought about yet. They do not change the price.
const DEFAULT_LIMITS: SubtaskLimits =
	SubtaskLimits { time_ms: 60_000, memory_mib: 256, fuel: 10_000_000_000 };
/// The same for both timeouts, in blocks: a week.
const DEFAULT_TIMEOUT: u32 = 7 * 24 * 60 * 20;

/// A number as a string of digits: it may be above what a JSON number holds in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits<T>(pub T);

impl<T: ToString> Serialize for Digits<T> {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.serialize_str(&self.0.to_string())
	}
}

/// A task specification, to be returned.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecJson {
	kind: TaskKind,
	/// A CIDv1, as IPFS writes it.
	manifest: String,
	input_root: H256,
	subtasks: u32,
	range_size: u32,
	replicas: u8,
	max_replicas: u8,
	reward: Digits<Balance>,
	limits: LimitsJson,
	queue_timeout: u32,
	run_timeout: u32,
	selection: Selection,
	payout: Payout,
	visibility: Visibility,
	keep_solution: bool,
}

/// What one subtask may use.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitsJson {
	time_ms: u32,
	memory_mib: u32,
	fuel: Digits<u64>,
}

impl From<TaskSpec<Balance>> for SpecJson {
	fn from(spec: TaskSpec<Balance>) -> Self {
		let SubtaskLimits { time_ms, memory_mib, fuel } = spec.limits;
		SpecJson {
			kind: spec.kind,
			manifest: content_id::display(&spec.manifest),
			input_root: spec.input_root,
			subtasks: spec.subtasks,
			range_size: spec.range_size,
			replicas: spec.replicas,
			max_replicas: spec.max_replicas,
			reward: Digits(spec.reward),
			limits: LimitsJson { time_ms, memory_mib, fuel: Digits(fuel) },
			queue_timeout: spec.queue_timeout,
			run_timeout: spec.run_timeout,
			selection: spec.selection,
			payout: spec.payout,
			visibility: spec.visibility,
			keep_solution: spec.keep_solution,
		}
	}
}

impl FromJson for ContentId {
	const EXPECTED: &'static str =
		"a CIDv1 of a raw or dag-pb block with BLAKE3, such as \"bafkr4i…\"";

	fn from_json(value: &Value) -> Option<Self> {
		content_id::parse(value.as_str()?).ok()
	}
}

/// Reads a choice by the names that it has in what is returned.
macro_rules! choice {
	($kind:ty, $expected:literal) => {
		impl FromJson for $kind {
			const EXPECTED: &'static str = $expected;

			fn from_json(value: &Value) -> Option<Self> {
				by_name(value)
			}
		}
	};
}

choice!(TaskKind, "\"compute\", \"store\" or \"host\"");
choice!(Selection, "\"any\" or \"proven\"");
choice!(Payout, "\"pps\" or {\"pplns\": {\"window\": 8}}");
choice!(Visibility, "\"private\" or \"public\"");

fn by_name<T: DeserializeOwned>(value: &Value) -> Option<T> {
	T::deserialize(value).ok()
}

/// `subtasks` and `reward` are needed. All else has a default, so that a price can be asked for
/// before there is anything to compute: 3 replicas and no extra ones, one subtask a range.
impl FromJson for TaskSpec<Balance> {
	const EXPECTED: &'static str =
		"a task specification, an object with at least `subtasks` and `reward`";

	fn from_json(value: &Value) -> Option<Self> {
		Self::read("spec", value.clone()).ok()
	}

	fn read(name: &str, value: Value) -> Result<Self, ParamError> {
		let mut fields = Fields::of::<Self>(name, value)?;
		let replicas = fields.or("replicas", MIN_REPLICAS)?;
		let unknown = ContentId { codec: ContentCodec::Raw, digest: H256::zero() };
		let spec = TaskSpec {
			kind: fields.or("kind", TaskKind::Compute)?,
			manifest: fields.or("manifest", unknown)?,
			input_root: fields.or("inputRoot", H256::zero())?,
			subtasks: fields.needed("subtasks")?,
			range_size: fields.or("rangeSize", 1)?,
			replicas,
			max_replicas: fields.or("maxReplicas", replicas)?,
			reward: fields.needed("reward")?,
			limits: fields.or("limits", DEFAULT_LIMITS)?,
			queue_timeout: fields.or("queueTimeout", DEFAULT_TIMEOUT)?,
			run_timeout: fields.or("runTimeout", DEFAULT_TIMEOUT)?,
			selection: fields.or("selection", Selection::Any)?,
			payout: fields.or("payout", Payout::Pps)?,
			visibility: fields.or("visibility", Visibility::Private)?,
			keep_solution: fields.or("keepSolution", true)?,
		};
		fields.nothing_left()?;
		Ok(spec)
	}
}

impl FromJson for SubtaskLimits {
	const EXPECTED: &'static str = "an object with `timeMs`, `memoryMib` and `fuel`";

	fn from_json(value: &Value) -> Option<Self> {
		Self::read("limits", value.clone()).ok()
	}

	fn read(name: &str, value: Value) -> Result<Self, ParamError> {
		let mut fields = Fields::of::<Self>(name, value)?;
		let limits = SubtaskLimits {
			time_ms: fields.or("timeMs", DEFAULT_LIMITS.time_ms)?,
			memory_mib: fields.or("memoryMib", DEFAULT_LIMITS.memory_mib)?,
			fuel: fields.or("fuel", DEFAULT_LIMITS.fuel)?,
		};
		fields.nothing_left()?;
		Ok(limits)
	}
}

/// The fields of an object that are not read yet, and what the object is called in errors.
struct Fields {
	name: String,
	left: Map<String, Value>,
}

impl Fields {
	/// The fields of `value`, out of which a `T` is to be made.
	fn of<T: FromJson>(name: &str, value: Value) -> Result<Self, ParamError> {
		let name = name.into();
		match value {
			Value::Object(left) => Ok(Fields { name, left }),
			got => Err(ParamError::Wrong { name, expected: T::EXPECTED, got }),
		}
	}

	/// The field, if it is there. `null` counts as not there.
	fn take(&mut self, field: &str) -> Option<Value> {
		self.left.remove(field).filter(|value| !value.is_null())
	}

	fn or<T: FromJson>(&mut self, field: &str, default: T) -> Result<T, ParamError> {
		match self.take(field) {
			Some(value) => T::read(&self.path(field), value),
			None => Ok(default),
		}
	}

	fn needed<T: FromJson>(&mut self, field: &str) -> Result<T, ParamError> {
		let value = self
			.take(field)
			.ok_or_else(|| ParamError::Missing { name: self.path(field), expected: T::EXPECTED })?;
		T::read(&self.path(field), value)
	}

	/// A misspelt field must not silently get its default.
	fn nothing_left(self) -> Result<(), ParamError> {
		match self.left.into_iter().next() {
			Some((field, got)) => {
				let name = format!("{}.{field}", self.name);
				Err(ParamError::Wrong { name, expected: "no such field", got })
			},
			None => Ok(()),
		}
	}

	fn path(&self, field: &str) -> String {
		format!("{}.{field}", self.name)
	}
}

#[cfg(test)]
mod tests {
	use serde_json::json;

	use super::*;

	fn read(value: Value) -> Result<TaskSpec<Balance>, ParamError> {
		FromJson::read("spec", value)
	}

	#[test]
	fn subtasks_and_reward_are_enough() {
		let spec = read(json!({ "subtasks": 10, "reward": "1000" })).expect("all that is needed");
		assert_eq!((spec.subtasks, spec.reward), (10, 1000));
		assert_eq!((spec.replicas, spec.max_replicas), (MIN_REPLICAS, MIN_REPLICAS));
		assert_eq!(spec.validate(), Ok(()));
	}

	#[test]
	fn what_is_returned_is_taken() {
		let mut spec = read(json!({ "subtasks": 10, "reward": 1 })).expect("all that is needed");
		spec.manifest = ContentId { codec: ContentCodec::DagPb, digest: H256([9; 32]) };
		spec.reward = u128::MAX;
		spec.limits.fuel = u64::MAX;
		spec.payout = Payout::Pplns { window: 8 };
		let json = serde_json::to_value(SpecJson::from(spec.clone())).expect("plain data");
		assert_eq!(json["reward"], u128::MAX.to_string());
		assert_eq!(json["limits"]["fuel"], u64::MAX.to_string());
		assert_eq!(read(json).expect("our own words"), spec);
	}

	#[test]
	fn manifest_is_written_as_ipfs_writes_it() {
		// `printf hello | ipfs add --cid-version=1 --hash=blake3 --raw-leaves`
		let cid = "bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4";
		let id = ContentId::from_json(&json!(cid)).expect("a CIDv1 of a raw block");
		assert_eq!(id.codec, ContentCodec::Raw);
		let blake3 = "0xea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";
		assert_eq!(id.digest, blake3.parse().expect("32 bytes"));
		assert_eq!(content_id::display(&id), cid);
		// Other names for the same bytes are none: a CIDv0, and what `ipfs add` says without `--hash`.
		for other in [
			"QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5",
			"bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
		] {
			assert_eq!(ContentId::from_json(&json!(other)), None);
		}
	}

	#[test]
	fn mistakes_are_named() {
		let message = |spec| read(spec).expect_err("there is a mistake").to_string();
		for (spec, words) in [
			(json!(7), "`spec`"),
			(json!({ "reward": 1 }), "`spec.subtasks` is missing"),
			(json!({ "subtasks": 1, "reward": 1, "replica": 3 }), "`spec.replica`"),
			(json!({ "subtasks": -1, "reward": 1 }), "got -1"),
			(json!({ "subtasks": 1, "reward": 1.5 }), "smallest unit"),
			(json!({ "subtasks": 1, "reward": 1, "kind": "mine" }), "\"compute\""),
			(
				json!({ "subtasks": 1, "reward": 1, "limits": { "fuel": "x" } }),
				"`spec.limits.fuel`",
			),
			(json!({ "subtasks": 1, "reward": 1, "manifest": "Qm" }), "CIDv1"),
		] {
			let message = message(spec);
			assert!(message.contains(words), "`{words}` is not in: {message}");
		}
	}
}
