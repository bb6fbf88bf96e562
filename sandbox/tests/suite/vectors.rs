//! `docs/sandbox-vectors.json`: what other implementations have to get as well.

use dgcs_sandbox::{Outcome, SubtaskResult};
use serde_json::{json, Value};

use crate::{run, subtask};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox-vectors.json");

/// Each is run anew. `DGCS_WRITE_VECTORS=1` writes down what is found, for a new format.
#[test]
fn vectors_hold() {
	let text = std::fs::read_to_string(VECTORS).unwrap();
	let vectors: Value = serde_json::from_str(&text).unwrap();
	let mut found = vectors.clone();
	for vector in found["runs"].as_array_mut().unwrap() {
		let mut subtask = subtask(vector["stdin"].as_str().unwrap().as_bytes());
		let limit = |name: &str| vector["limits"][name].as_u64().unwrap();
		subtask.limits.fuel = limit("fuel");
		subtask.limits.memory = limit("memory");
		subtask.limits.output = limit("output");
		subtask.seed = hex::decode(vector["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
		let program = wat::parse_str(vector["program"].as_str().unwrap()).unwrap();
		let report = run(&program, subtask).unwrap();
		// Where a stack ends differs between processors.
		vector["fuel"] = json!(report.outcome.has_output().then_some(report.fuel));
		vector["outcome"] = json!(report.outcome.to_string());
		let bytes = report.into_result().encode();
		vector["result"] = json!(hex::encode(&bytes));
		assert_eq!(SubtaskResult::decode(&bytes).unwrap().encode(), bytes);
	}
	for vector in found["ends"].as_array_mut().unwrap() {
		let bytes = hex::decode(vector["result"].as_str().unwrap()).unwrap();
		let result = SubtaskResult::decode(&bytes).unwrap();
		vector["outcome"] = json!(result.outcome.to_string());
		vector["result"] = json!(hex::encode(result.encode()));
	}
	if std::env::var_os("DGCS_WRITE_VECTORS").is_some() {
		std::fs::write(VECTORS, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
	} else {
		assert_eq!(found, vectors);
	}
	assert_eq!(found["ends"][0]["outcome"], Outcome::Ok.to_string());
}
