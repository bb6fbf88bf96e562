//! The `dgcs_*` methods as they are asked and answered: JSON in, JSON out.

use std::sync::Arc;

use dgcs_primitives::{
	api::{
		Capacity, EstimateError, MasternodeView, QueuePosition, RangeView, SeatStage, SeatView,
		Standing, TaskInfo, TaskState, TaskView, WorkerView, MAX_BLOCKS_PER_CALL,
	},
	ChainRecord, EncryptionKey, Kinds, Outcome, Price, RangeIndex, ResultDigest, Round, Settlement,
	Sums, TaskEnd, TaskId, TaskKind, TaskSpec, Verdict, WorkBlock,
};
use dgcs_rpc::FromJson;
use dgcs_runtime::{AccountId, Balance};
use jsonrpsee::RpcModule;
use serde_json::{json, Value};
use sp_api::{ApiRef, ProvideRuntimeApi};
use sp_blockchain::{BlockStatus, HeaderBackend, Info};
use sp_core::H256;
use sp_runtime::{
	traits::{Block as BlockT, Zero},
	Perbill, Permill,
};

use super::dgcs::{Dgcs, DgcsApiServer};
use crate::service::{Block, BlockHash};

/// A task that runs.
const RUNNING: TaskId = TaskId(1);
/// A task that has ended.
const SETTLED: TaskId = TaskId(2);
/// Blocks in the work chain of the one that runs: more than one call returns.
const HEIGHT: u32 = 300;
/// The best block.
const BEST: H256 = H256([0xbe; 32]);
/// A block whose state is gone.
const PRUNED: H256 = H256([0xd0; 32]);

fn alice() -> AccountId {
	AccountId::from([1; 32])
}

fn spec() -> TaskSpec<Balance> {
	let spec = json!({ "subtasks": 1000, "reward": "9007199254740993", "rangeSize": 10 });
	FromJson::read("spec", spec).expect("well-formed")
}

fn work_block(index: u32) -> WorkBlock {
	let verdicts = [Outcome::Agreed(ResultDigest(H256([9; 32]))), Outcome::Failed]
		.into_iter()
		.zip(0..)
		.map(|(outcome, subtask)| Verdict { subtask, outcome });
	WorkBlock {
		task: RUNNING,
		index,
		parent: H256::zero(),
		when: 100 + index,
		open_subtasks: 500,
		range: RangeIndex(7),
		round: Round(0),
		verdicts: verdicts.collect::<Vec<_>>().try_into().expect("two are not too many"),
		receipts_root: H256::zero(),
	}
}

/// A runtime that knows two tasks, one worker and one masternode.
struct TestApi;

sp_api::mock_impl_runtime_apis! {
	impl dgcs_primitives::api::DgcsApi<Block, AccountId, Balance> for TestApi {
		#[advanced]
		fn task(
			at: <Block as BlockT>::Hash,
			task: TaskId,
		) -> Result<Option<TaskInfo<AccountId, Balance>>, sp_api::ApiError> {
			if at == PRUNED {
				return Err(sp_api::ApiError::UnknownBlock("State already discarded".into()));
			}
			Ok(match task {
				RUNNING => Some(TaskInfo::Live(TaskView {
					owner: alice(),
					spec: spec(),
					state: TaskState::Running,
					due: 5000,
					reward: u128::MAX,
					held: 12,
					begun_ranges: 50,
					open_subtasks: 500,
					agreed: 499,
					failed: 1,
					height: HEIGHT,
				})),
				SETTLED => Some(TaskInfo::Settled(Settlement {
					owner: alice(),
					when: 77,
					end: TaskEnd::DeadlinePassed,
					chain: ChainRecord { height: 3, ..Default::default() },
					sums: Sums { paid: 10, masternodes: 1, refunded: 5 },
				})),
				_ => None,
			})
		}

		fn queue_position(task: TaskId) -> Option<QueuePosition> {
			(task == TaskId(3)).then_some(QueuePosition { bucket: 4, ahead: 2 })
		}

		fn work_chain(task: TaskId, from: u32, limit: u32) -> Option<Vec<WorkBlock>> {
			let to = from.saturating_add(limit).min(HEIGHT);
			(task == RUNNING).then(|| (from..to).map(work_block).collect())
		}

		fn range(task: TaskId, range: RangeIndex) -> Option<RangeView<AccountId>> {
			(task == RUNNING && range == RangeIndex(99)).then(|| RangeView {
				round: Round(1),
				open: 0b101,
				reveal_until: None,
				seats: [SeatStage::Leased { until: 60 }, SeatStage::Withheld]
					.map(|stage| SeatView {
						worker: alice(),
						operator: AccountId::from([2; 32]),
						round: Round(1),
						stage,
						agreed: 0,
						dissented: 1,
					})
					.into(),
			})
		}

		fn worker(account: AccountId) -> Option<WorkerView<AccountId, Balance>> {
			(account == alice()).then(|| WorkerView {
				operator: AccountId::from([2; 32]),
				bond: 1_000_000_000_000_000_000,
				key: EncryptionKey(H256([3; 32])),
				capacity: Capacity { slots: 4, memory_mib: 512 },
				kinds: Kinds(3),
				busy: 1,
				standing: Standing::Suspended { until: 99 },
				good_run: 12,
				wrong: Permill::one(),
				silent: Permill::from_percent(50),
				offline: Permill::zero(),
				last_seen: 42,
				leaving: None,
			})
		}

		fn estimate(spec: TaskSpec<Balance>) -> Result<Price<Balance>, EstimateError> {
			spec.validate().map_err(EstimateError::Invalid)?;
			Price::of(&spec, Perbill::from_percent(5)).ok_or(EstimateError::Overflow)
		}

		fn masternodes() -> Vec<MasternodeView<AccountId, Balance>> {
			vec![MasternodeView {
				account: alice(),
				bond: 7,
				key: EncryptionKey(H256([4; 32])),
				address: b"https://one.example:9955".to_vec().try_into().expect("short enough"),
				active: true,
				authored: 3,
			}]
		}
	}
}

/// A chain of one block, beside one whose state is gone.
struct TestClient;

impl ProvideRuntimeApi<Block> for TestClient {
	type Api = TestApi;

	fn runtime_api(&self) -> ApiRef<'_, Self::Api> {
		TestApi.into()
	}
}

impl HeaderBackend<Block> for TestClient {
	fn header(&self, _: BlockHash) -> sp_blockchain::Result<Option<<Block as BlockT>::Header>> {
		Ok(None)
	}

	fn info(&self) -> Info<Block> {
		Info {
			best_hash: BEST,
			best_number: Zero::zero(),
			genesis_hash: BEST,
			finalized_hash: BEST,
			finalized_number: Zero::zero(),
			finalized_state: None,
			number_leaves: 1,
			block_gap: None,
		}
	}

	fn status(&self, hash: BlockHash) -> sp_blockchain::Result<BlockStatus> {
		let known = self.number(hash)?.is_some();
		Ok(if known { BlockStatus::InChain } else { BlockStatus::Unknown })
	}

	fn number(&self, hash: BlockHash) -> sp_blockchain::Result<Option<u32>> {
		Ok([BEST, PRUNED].contains(&hash).then_some(0))
	}

	fn hash(&self, _: u32) -> sp_blockchain::Result<Option<BlockHash>> {
		Ok(Some(BEST))
	}
}

/// The answer to one request, whole.
fn ask(method: &str, params: Value) -> Value {
	let module: RpcModule<_> = Dgcs::new(Arc::new(TestClient)).into_rpc();
	let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
	let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
	let (answer, _) = runtime
		.block_on(module.raw_json_request(&request.to_string(), 1))
		.expect("the request is well-formed");
	serde_json::from_str(&answer).expect("the answer is JSON")
}

fn result(method: &str, params: Value) -> Value {
	let mut answer = ask(method, params);
	assert!(answer.get("error").is_none(), "{answer}");
	answer["result"].take()
}

/// The error's code, message and data.
fn error(method: &str, params: Value) -> (i64, String, Value) {
	let answer = ask(method, params);
	let error = &answer["error"];
	let code = error["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}"));
	(code, error["message"].as_str().unwrap_or_default().into(), error["data"].clone())
}

#[test]
fn live_task_keeps_every_digit() {
	let task = result("dgcs_task", json!([1]));
	assert_eq!(task["status"], "running");
	assert_eq!(task["task"], 1);
	assert_eq!(task["owner"], alice().to_string());
	assert_eq!(task["reward"], u128::MAX.to_string());
	assert_eq!(task["spec"]["reward"], "9007199254740993");
	assert_eq!(task["spec"]["rangeSize"], 10);
	assert_eq!((&task["ranges"], &task["height"]), (&json!(100), &json!(HEIGHT)));
}

#[test]
fn settled_task_says_where_the_money_went() {
	let task = result("dgcs_task", json!({ "task": 2 }));
	assert_eq!(task["status"], "settled");
	assert_eq!(task["end"], "deadlinePassed");
	assert_eq!(task["chain"]["height"], 3);
	assert_eq!(task["paid"], "10");
	assert_eq!(task["refunded"], "5");
}

#[test]
fn unknown_task_is_an_error_with_its_id() {
	for method in ["dgcs_task", "dgcs_queuePosition", "dgcs_workChain"] {
		let (code, message, data) = error(method, json!([404]));
		assert_eq!(code, -32901, "{method}");
		assert!(message.contains("task 404"), "{message}");
		assert_eq!(data, json!({ "task": 404, "at": BEST }));
	}
}

#[test]
fn queue_position_tells_not_waiting_from_not_there() {
	let waiting = result("dgcs_queuePosition", json!([3]));
	assert_eq!(waiting, json!({ "task": 3, "bucket": 4, "ahead": 2 }));
	assert_eq!(result("dgcs_queuePosition", json!([1])), Value::Null);
}

#[test]
fn work_chain_is_read_page_by_page() {
	let first = result("dgcs_workChain", json!([1, 0, 1_000_000]));
	assert_eq!(first["blocks"].as_array().map(Vec::len), Some(MAX_BLOCKS_PER_CALL as usize));
	assert_eq!(first["next"], MAX_BLOCKS_PER_CALL);
	let second = result("dgcs_workChain", json!({ "task": 1, "from": first["next"] }));
	assert_eq!(second["blocks"].as_array().map(Vec::len), Some(44));
	assert_eq!(second["next"], Value::Null);
	let tip = result("dgcs_workChain", json!([1, HEIGHT]));
	assert_eq!(tip["blocks"], json!([]));
	assert_eq!(tip["next"], Value::Null);
}

#[test]
fn work_block_counts_subtasks_from_the_start_of_the_task() {
	let page = result("dgcs_workChain", json!([1, 5, 1]));
	let block = &page["blocks"][0];
	assert_eq!((&block["index"], &block["range"]), (&json!(5), &json!(7)));
	assert_eq!(block["hash"], json!(work_block(5).hash()));
	assert_eq!(
		block["verdicts"],
		json!([
			{ "subtask": 70, "agreed": true, "digest": H256([9; 32]) },
			{ "subtask": 71, "agreed": false },
		])
	);
}

#[test]
fn work_chain_does_not_outlive_its_task() {
	let (code, message, data) = error("dgcs_workChain", json!([2]));
	assert_eq!(code, -32902);
	assert!(message.contains("dgcs_task"), "{message}");
	assert_eq!(data, json!({ "task": 2, "endedAt": 77 }));
}

#[test]
fn range_says_who_has_a_seat_and_what_is_open() {
	let range = result("dgcs_range", json!([1, 99]));
	assert_eq!(
		(&range["task"], &range["range"], &range["round"]),
		(&json!(1), &json!(99), &json!(1))
	);
	assert_eq!(range["openSubtasks"], json!([990, 992]));
	assert_eq!(range["revealUntil"], Value::Null);
	let seats = &range["seats"];
	assert_eq!((&seats[0]["stage"], &seats[0]["leasedUntil"]), (&json!("leased"), &json!(60)));
	assert_eq!((&seats[1]["stage"], &seats[1]["dissented"]), (&json!("withheld"), &json!(1)));
	assert_eq!(seats[1]["worker"], alice().to_string());
	assert_eq!(result("dgcs_range", json!({ "task": 1, "range": 0 })), Value::Null);
}

#[test]
fn range_must_be_one_of_a_live_task() {
	assert_eq!(error("dgcs_range", json!([404, 0])).0, -32901);
	assert_eq!(error("dgcs_range", json!([2, 0])).0, -32902);
	let (code, message, data) = error("dgcs_range", json!([1, 100]));
	assert_eq!(code, -32921);
	assert!(message.contains("99 at the most"), "{message}");
	assert_eq!(data, json!({ "task": 1, "range": 100, "ranges": 100 }));
	assert_eq!(error("dgcs_range", json!([1])).0, -32602);
	assert_eq!(error("dgcs_range", json!([1, -1])).0, -32602);
}

#[test]
fn work_chain_has_no_blocks_beyond_its_tip() {
	let (code, _, data) = error("dgcs_workChain", json!([1, 301]));
	assert_eq!(code, -32903);
	assert_eq!(data, json!({ "task": 1, "from": 301, "height": HEIGHT }));
}

#[test]
fn worker_is_shown_in_words() {
	let worker = result("dgcs_worker", json!([alice()]));
	assert_eq!(worker["bond"], "1000000000000000000");
	assert_eq!(worker["kinds"], json!([TaskKind::Compute, TaskKind::Store]));
	assert_eq!((&worker["standing"], &worker["suspendedUntil"]), (&json!("suspended"), &json!(99)));
	assert_eq!(worker["scores"], json!({ "wrong": 1_000_000, "silent": 500_000, "offline": 0 }));
	assert_eq!(worker["leaving"], Value::Null);
}

#[test]
fn unknown_worker_is_an_error_with_its_account() {
	let bob = AccountId::from([2; 32]);
	let (code, message, _) = error("dgcs_worker", json!([bob]));
	assert_eq!(code, -32904);
	assert!(message.contains(&bob.to_string()), "{message}");
}

#[test]
fn masternodes_show_their_address_as_text() {
	let masternodes = result("dgcs_masternodes", json!([]));
	assert_eq!(masternodes[0]["address"], "https://one.example:9955");
	assert_eq!(masternodes[0]["bond"], "7");
}

#[test]
fn estimate_adds_up() {
	let spec = json!({ "subtasks": 10, "reward": "100", "replicas": 3, "maxReplicas": 5 });
	let price = result("dgcs_estimate", json!([spec]));
	assert_eq!(
		price,
		json!({ "rewards": "3000", "reserve": "2000", "masternodes": "250", "total": "5250" })
	);
}

#[test]
fn estimate_names_the_rule_that_is_broken() {
	let (code, message, data) = error("dgcs_estimate", json!([{ "subtasks": 0, "reward": "100" }]));
	assert_eq!(code, -32907);
	assert!(message.contains("`subtasks` must be 1 to"), "{message}");
	assert_eq!((&data["field"], &data["got"]), (&json!("subtasks"), &json!(0)));
}

#[test]
fn estimate_refuses_what_cannot_be_counted() {
	let spec = json!({ "subtasks": 10, "reward": u128::MAX.to_string() });
	assert_eq!(error("dgcs_estimate", json!([spec])).0, -32908);
}

#[test]
fn wrong_parameters_are_named() {
	for (method, params, parameter) in [
		("dgcs_task", json!([]), "task"),
		("dgcs_task", json!(["one"]), "task"),
		("dgcs_task", json!({ "task": -1 }), "task"),
		("dgcs_task", json!([1, "0x12"]), "at"),
		("dgcs_workChain", json!([1, 4_294_967_296_u64]), "from"),
		("dgcs_workChain", json!([1, 0, "many"]), "limit"),
		("dgcs_worker", json!(["nobody"]), "account"),
		("dgcs_estimate", json!([{ "subtasks": 1, "reward": 1, "prize": 2 }]), "spec.prize"),
	] {
		let (code, message, data) = error(method, params);
		assert_eq!(code, -32602, "{method}: {message}");
		assert_eq!(data["parameter"], parameter, "{method}: {message}");
		assert!(message.contains(&format!("`{parameter}`")), "{message}");
	}
}

#[test]
fn blocks_are_unknown_or_pruned() {
	let unknown = H256([0xff; 32]);
	assert_eq!(error("dgcs_masternodes", json!([unknown])).0, -32905);
	let (code, message, _) = error("dgcs_task", json!([1, PRUNED]));
	assert_eq!(code, -32906);
	assert!(message.contains("--state-pruning archive"), "{message}");
}
