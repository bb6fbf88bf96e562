//! A task specification as JSON: what `dgcs_task` returns and `dgcs_estimate` takes. What the one
//! returns the other takes.

use cid::{multihash::Multihash, Cid};
use dgcs_primitives::{
	ContentCodec, ContentId, Payout, Selection, SpecError, SubtaskLimits, TaskKind, TaskSpec,
	Visibility, MAX_MEMORY_MIB, MAX_PPLNS_WINDOW, MAX_RANGE_SIZE, MAX_REPLICAS, MAX_SUBTASKS,
	MIN_REPLICAS,
};
use dgcs_runtime::Balance;
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Map, Value};
use sp_core::H256;

use super::{error::RpcError, params::FromJson, views::Digits};

/// Limits of a subtask that nobody has thought about yet. They do not change the price.
const DEFAULT_LIMITS: SubtaskLimits =
	SubtaskLimits { time_ms: 60_000, memory_mib: 256, fuel: 10_000_000_000 };
/// The same for both timeouts, in blocks: a week.
const DEFAULT_TIMEOUT: u32 = 7 * 24 * 60 * 20;

/// Multicodec of one raw block.
const RAW: u64 = 0x55;
/// Multicodec of a UnixFS node.
const DAG_PB: u64 = 0x70;
/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

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
			manifest: cid_text(&spec.manifest),
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

fn cid_text(id: &ContentId) -> String {
	let codec = match id.codec {
		ContentCodec::Raw => RAW,
		ContentCodec::DagPb => DAG_PB,
	};
	let hash = Multihash::wrap(SHA2_256, id.digest.as_bytes())
		.expect("a SHA-256 digest is shorter than the 64 bytes that a multihash may hold; qed");
	Cid::new_v1(codec, hash).to_string()
}

impl FromJson for ContentId {
	const EXPECTED: &'static str =
		"a CIDv1 of a raw or dag-pb block with SHA-256, such as \"bafkrei…\"";

	fn from_json(value: &Value) -> Option<Self> {
		let cid: Cid = value.as_str()?.parse().ok()?;
		let codec = match cid.codec() {
			RAW => ContentCodec::Raw,
			DAG_PB => ContentCodec::DagPb,
			_ => return None,
		};
		let hash = cid.hash();
		let is_ours = cid.version() == cid::Version::V1 && hash.code() == SHA2_256;
		let digest: [u8; 32] = hash.digest().try_into().ok()?;
		is_ours.then_some(ContentId { codec, digest: H256(digest) })
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

	fn read(name: &str, value: Value) -> Result<Self, RpcError> {
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

	fn read(name: &str, value: Value) -> Result<Self, RpcError> {
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
	fn of<T: FromJson>(name: &str, value: Value) -> Result<Self, RpcError> {
		let name = name.into();
		match value {
			Value::Object(left) => Ok(Fields { name, left }),
			got => Err(RpcError::Wrong { name, expected: T::EXPECTED, got }),
		}
	}

	/// The field, if it is there. `null` counts as not there.
	fn take(&mut self, field: &str) -> Option<Value> {
		self.left.remove(field).filter(|value| !value.is_null())
	}

	fn or<T: FromJson>(&mut self, field: &str, default: T) -> Result<T, RpcError> {
		match self.take(field) {
			Some(value) => T::read(&self.path(field), value),
			None => Ok(default),
		}
	}

	fn needed<T: FromJson>(&mut self, field: &str) -> Result<T, RpcError> {
		let value = self
			.take(field)
			.ok_or_else(|| RpcError::Missing { name: self.path(field), expected: T::EXPECTED })?;
		T::read(&self.path(field), value)
	}

	/// A misspelt field must not silently get its default.
	fn nothing_left(self) -> Result<(), RpcError> {
		match self.left.into_iter().next() {
			Some((field, got)) => {
				let name = format!("{}.{field}", self.name);
				Err(RpcError::Wrong { name, expected: "no such field", got })
			},
			None => Ok(()),
		}
	}

	fn path(&self, field: &str) -> String {
		format!("{}.{field}", self.name)
	}
}

/// Which field of `spec` breaks a rule, and what the rule is.
///
/// Some limits are constants of the chain, which may change with a runtime upgrade: those are named
/// as wallets show them, and not repeated here.
pub fn refusal(error: SpecError, spec: &TaskSpec<Balance>) -> RpcError {
	let SubtaskLimits { time_ms, memory_mib, fuel } = spec.limits;
	let (field, rule, got) = match error {
		SpecError::Subtasks => (
			"subtasks",
			format!(
				"1 to {MAX_SUBTASKS}, and no more than `runTimeout` times the constant \
				 `tasks.maxDecidedPerBlock`"
			),
			json!(spec.subtasks),
		),
		SpecError::RangeSize => {
			("rangeSize", format!("1 to {MAX_RANGE_SIZE}"), json!(spec.range_size))
		},
		SpecError::Replicas => (
			"replicas",
			format!(
				"odd, at least {MIN_REPLICAS} and at most `maxReplicas`, which is at most \
				 {MAX_REPLICAS}"
			),
			json!({ "replicas": spec.replicas, "maxReplicas": spec.max_replicas }),
		),
		SpecError::Reward => (
			"reward",
			"more than 0 and at least the constant `tasks.minReward`".into(),
			json!(spec.reward.to_string()),
		),
		SpecError::Limits => (
			"limits",
			format!("more than 0 each, and `memoryMib` at most {MAX_MEMORY_MIB}"),
			json!({ "timeMs": time_ms, "memoryMib": memory_mib, "fuel": fuel.to_string() }),
		),
		SpecError::Timeout => (
			"runTimeout",
			"at least what a range with its vote takes (`rangeSize` times `limits.timeMs`, and the \
			 constants `tasks.leaseSlack` and `tasks.votePeriod`) and at most \
			 `tasks.maxRunTimeout`; `queueTimeout` from 1 to `tasks.maxQueueTimeout`"
				.into(),
			json!({ "queueTimeout": spec.queue_timeout, "runTimeout": spec.run_timeout }),
		),
		SpecError::Kind => {
			("kind", "\"compute\": the chain has no rules for the others yet".into(), json!(spec.kind))
		},
		SpecError::Window => (
			"payout",
			format!(
				"\"pps\", or \"pplns\" with a window of {} (`maxReplicas`) to {MAX_PPLNS_WINDOW}",
				spec.max_replicas
			),
			json!(spec.payout),
		),
	};
	RpcError::InvalidSpec { field, rule, got }
}

#[cfg(test)]
mod tests {
	use super::*;

	fn read(value: Value) -> Result<TaskSpec<Balance>, RpcError> {
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
		// `printf hello | ipfs add --cid-version=1 --raw-leaves`
		let cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
		let id = ContentId::from_json(&json!(cid)).expect("a CIDv1 of a raw block");
		assert_eq!(id.codec, ContentCodec::Raw);
		let sha256 = "0x2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
		assert_eq!(id.digest, sha256.parse().expect("32 bytes"));
		assert_eq!(cid_text(&id), cid);
		// The same digest as a CIDv0 names something else.
		let old = json!("QmRN6wdp1S2A5EtjW9A3M1vKSBuQQGcgvuhoMUoEz4iiT5");
		assert_eq!(ContentId::from_json(&old), None);
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

	#[test]
	fn each_broken_rule_names_its_field() {
		let right = json!({ "subtasks": 10, "reward": 1 });
		for (field, wrong) in [
			("subtasks", json!(0)),
			("rangeSize", json!(MAX_RANGE_SIZE + 1)),
			("replicas", json!(4)),
			("reward", json!("0")),
			("limits", json!({ "memoryMib": MAX_MEMORY_MIB + 1 })),
			("runTimeout", json!(0)),
			("payout", json!({ "pplns": { "window": 0 } })),
		] {
			let mut spec = right.clone();
			spec[field] = wrong;
			let spec = read(spec).expect("well-formed");
			let error = spec.validate().expect_err("a rule is broken");
			let message = refusal(error, &spec).to_string();
			assert!(message.contains(&format!("`{field}`")), "`{field}` is not in: {message}");
		}
	}
}
