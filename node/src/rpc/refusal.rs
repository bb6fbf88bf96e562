//! Which rule a task specification breaks, for who asked what it would cost.

use dgcs_primitives::{
	SpecError, SubtaskLimits, TaskSpec, MAX_MEMORY_MIB, MAX_PPLNS_WINDOW, MAX_RANGE_SIZE,
	MAX_REPLICAS, MAX_SUBTASKS, MIN_REPLICAS,
};
use dgcs_runtime::Balance;
use serde_json::json;

use super::error::RpcError;

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
	use dgcs_rpc::FromJson;

	use super::*;

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
			let spec = TaskSpec::<Balance>::read("spec", spec).expect("well-formed");
			let error = spec.validate().expect_err("a rule is broken");
			let message = refusal(error, &spec).to_string();
			assert!(message.contains(&format!("`{field}`")), "`{field}` is not in: {message}");
		}
	}
}
