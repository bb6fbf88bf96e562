//! Four masternodes and some workers, as processes of the binary under test, whose every word over
//! JSON-RPC is kept.

#[path = "../../../client/tests/common/ports.rs"]
mod ports;

use std::{
	fs::File,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	time::Duration,
};

use dgcs_client::{call, Account, Chain, Options, Sender};
use ports::free_port;
use serde_json::Value;

use crate::tap::Tap;

/// Longer than anything takes on a slow machine.
pub const LONG: Duration = Duration::from_secs(600);

/// A masternode, and the line over which others reach it.
pub struct Masternode {
	pub name: &'static str,
	pub account: Account,
	pub rpc: Tap,
	store_port: u16,
	rpc_port: u16,
	port: u16,
	peer: String,
}

impl Masternode {
	/// Where it listens: its store, for the chain's other nodes, and for JSON-RPC.
	pub fn ports(&self) -> [u16; 3] {
		[self.store_port, self.port, self.rpc_port]
	}
}

pub struct Network {
	binary: String,
	folder: tempfile::TempDir,
	processes: Vec<Child>,
	pub masternodes: Vec<Masternode>,
}

impl Network {
	/// The four of the `local` chain. Owners and workers reach all of them, and the chain itself, over
	/// lines that keep what is said.
	pub async fn start(binary: String) -> (Self, Chain) {
		let folder = tempfile::tempdir().expect("a folder");
		let mut network =
			Network { binary, folder, processes: Vec::new(), masternodes: Vec::new() };
		let spec = network.run(&["export-chain-spec", "--chain", "local", "--raw"]);
		std::fs::write(network.path("spec.json"), spec).expect("writable");
		for name in ["Alice", "Bob", "Charlie", "Dave"] {
			let key = network.path(&format!("{name}.key"));
			std::fs::write(
				&key,
				format!("{:064x}", name.len() * 1000 + usize::from(name.as_bytes()[0])),
			)
			.expect("writable");
			let peer = network.run(&["key", "inspect-node-key", "--file", text(&key)]);
			let peer = String::from_utf8(peer).expect("a name").trim().to_owned();
			let [port, rpc_port, store_port] = [free_port(), free_port(), free_port()];
			network.masternodes.push(Masternode {
				name,
				account: Account::from_uri(&format!("//{name}")).expect("known"),
				rpc: Tap::to(rpc_port),
				store_port,
				rpc_port,
				port,
				peer,
			});
		}
		for number in 0..network.masternodes.len() {
			network.start_masternode(number);
		}
		let chain = network.say_where_they_are().await;
		(network, chain)
	}

	fn start_masternode(&mut self, number: usize) {
		let own = &self.masternodes[number];
		let flag = format!("--{}", own.name.to_lowercase());
		let at = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}");
		let (spec, base) = (self.path("spec.json"), self.path(own.name));
		let (key, rpc_port) = (self.path(&format!("{}.key", own.name)), own.rpc_port.to_string());
		let (listen, store) = (at(own.port), at(own.store_port));
		let mut arguments = vec![
			"masternode",
			"--chain",
			text(&spec),
			&flag,
			"--base-path",
			text(&base),
			"--node-key-file",
			text(&key),
			"--listen-addr",
			&listen,
			"--rpc-port",
			&rpc_port,
			"--store-listen",
			&store,
			"--no-mdns",
			"--no-telemetry",
			"--no-prometheus",
			// Or it refuses who names the line's port in place of its own.
			"--rpc-cors",
			"all",
		];
		let others = self.masternodes.iter().filter(|other| other.name != own.name);
		let others: Vec<_> =
			others.map(|other| format!("{}/p2p/{}", at(other.port), other.peer)).collect();
		for other in &others {
			arguments.extend(["--reserved-nodes", other]);
		}
		let (name, arguments) =
			(own.name.to_owned(), arguments.iter().map(|each| each.to_string()));
		self.spawn(&name, &arguments.collect::<Vec<_>>());
	}

	/// Registers the lines as the masternodes' addresses. The connection that it gives is none of them.
	async fn say_where_they_are(&self) -> Chain {
		let options = Options { patience: LONG, ..Options::default() };
		let url = format!("ws://127.0.0.1:{}", self.masternodes[1].rpc_port);
		let chain = Chain::connect([url], options).await.expect("the node starts");
		let at = chain.at_finalized().await.expect("it is there");
		let known = at.masternodes().await.expect("it answers");
		let updates = self.masternodes.iter().map(|each| {
			let view = known.iter().find(|view| view.account == each.account.id());
			let address = each.rpc.url().into_bytes().try_into().expect("short");
			let update = call::masternodes::update(view.expect("it is one").key, &address);
			let sender = Sender::new(chain.clone(), each.account.clone());
			async move { sender.send_and_finalize(&update).await.expect("its own address") }
		});
		futures::future::join_all(updates).await;
		chain
	}

	/// Starts a worker, whose node is the first masternode.
	pub fn start_worker(&mut self, uri: &str) {
		let name = uri.replace('/', "-");
		let config = self.path("worker.toml");
		std::fs::write(&config, "nice = 5\n[idle]\ncores = 1\nmemory = 1152\n").expect("writable");
		let (data, url) = (self.path(&name), self.masternodes[0].rpc.url());
		let arguments = [
			"worker",
			"--uri",
			uri,
			"--register",
			"--dedicated",
			"--config",
			text(&config),
			"--chain",
			&url,
			"--data",
			text(&data),
			"--listen",
			"/ip4/127.0.0.1/tcp/0",
		];
		self.spawn(&name, &arguments.map(String::from));
	}

	/// Types a command of an owner whose node is the first masternode, and gives what it said.
	pub fn dgcs(&self, arguments: &[&str], last: &[&str]) -> Vec<Value> {
		let data = self.path("owner");
		let output = Command::new(&self.binary)
			.args(arguments)
			.args([
				"--output",
				"json",
				"--data",
				text(&data),
				"--chain",
				&self.masternodes[0].rpc.url(),
			])
			.args(last)
			.stdin(Stdio::null())
			.output()
			.expect("it starts");
		let said = String::from_utf8(output.stdout).expect("text");
		assert!(output.status.success(), "{said}");
		said.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
	}

	pub fn path(&self, name: &str) -> PathBuf {
		self.folder.path().join(name)
	}

	pub fn log_of(&self, name: &str) -> PathBuf {
		self.path(&format!("{name}.log"))
	}

	fn run(&self, arguments: &[&str]) -> Vec<u8> {
		let output = Command::new(&self.binary).args(arguments).output().expect("it starts");
		assert!(output.status.success(), "{arguments:?}: {output:?}");
		output.stdout
	}

	fn spawn(&mut self, name: &str, arguments: &[String]) {
		let log = File::create(self.log_of(name)).expect("writable");
		let process = Command::new(&self.binary)
			.args(arguments)
			.stdin(Stdio::null())
			.stdout(log.try_clone().expect("one more handle"))
			.stderr(log)
			.spawn();
		self.processes.push(process.expect("DGCS_NODE names a binary"));
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		for process in &mut self.processes {
			let _ = process.kill();
			let _ = process.wait();
		}
		if std::thread::panicking() {
			for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
				let path = entry.path();
				if path.extension().is_some_and(|extension| extension == "log") {
					let log = std::fs::read_to_string(&path).unwrap_or_default();
					let lines: Vec<_> = log.lines().collect();
					let last = &lines[lines.len().saturating_sub(10)..];
					eprintln!("{}:\n{}", path.display(), last.join("\n"));
				}
			}
		}
	}
}

pub fn text(path: &Path) -> &str {
	path.to_str().expect("plain")
}
