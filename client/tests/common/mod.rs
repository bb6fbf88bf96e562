//! A real node to test against, and a line to it that can be cut.

mod ports;

use std::{
	process::{Child, Command, Stdio},
	sync::Arc,
	time::Duration,
};

use dgcs_client::{Account, Chain, Options, Sender};
pub use ports::free_port;
use tokio::{
	io::copy_bidirectional,
	net,
	sync::watch,
	task::{JoinHandle, JoinSet},
};

/// Longer than anything takes on a slow machine.
pub const LONG: Duration = Duration::from_secs(300);

/// One token.
pub const UNIT: u128 = 1_000_000_000_000;

/// A development chain of one masternode. Ends with this.
pub struct Node {
	child: Child,
	pub url: String,
	#[allow(dead_code)]
	pub port: u16,
}

impl Node {
	/// Starts one. `None`, said aloud, if no binary was named.
	pub fn start() -> Option<Self> {
		let Some(binary) = std::env::var_os("DGCS_NODE") else {
			eprintln!("SKIPPED: this test needs a node. DGCS_NODE=target/release/dgcs runs it");
			return None;
		};
		let [port, peers] = [free_port(), free_port()];
		let child = Command::new(&binary)
			.args([
				"masternode",
				"--dev",
				"--tmp",
				"--no-mdns",
				"--no-telemetry",
				"--no-prometheus",
			])
			.args(["--rpc-port", &port.to_string()])
			.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{peers}")])
			.stdin(Stdio::null())
			.stdout(Stdio::null())
			.stderr(Stdio::null())
			.spawn()
			.unwrap_or_else(|error| panic!("DGCS_NODE={binary:?} can't be started: {error}"));
		Some(Node { child, url: format!("ws://127.0.0.1:{port}"), port })
	}

	/// A connection to it.
	pub async fn chain(&self) -> Chain {
		Chain::connect([&self.url], patient()).await.expect("the node comes up")
	}
}

impl Drop for Node {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

/// With time enough for a node to come up.
pub fn patient() -> Options {
	Options { patience: LONG, ..Options::default() }
}

pub fn account(uri: &str) -> Account {
	Account::from_uri(uri).expect(uri)
}

#[allow(dead_code)]
pub fn sender(chain: &Chain, uri: &str) -> Sender {
	Sender::new(chain.clone(), account(uri))
}

/// What a line does with what is said over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub enum Mode {
	/// Carries it.
	Open,
	/// Swallows it: connections stay, and nothing arrives.
	Mute,
	/// Ends all connections, and takes no new ones.
	Cut,
}

/// A line to a node that can be cut.
#[allow(dead_code)]
pub struct Line {
	pub url: String,
	mode: Arc<watch::Sender<Mode>>,
	server: JoinHandle<()>,
}

#[allow(dead_code)]
impl Line {
	pub async fn to(port: u16) -> Self {
		let listener = net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
		let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
		let mode = Arc::new(watch::channel(Mode::Open).0);
		let modes = mode.clone();
		let server = tokio::spawn(async move {
			let mut open = JoinSet::new();
			while let Ok((mut near, _)) = listener.accept().await {
				let mut mode = modes.subscribe();
				open.spawn(async move {
					if *mode.borrow() == Mode::Cut {
						return;
					}
					let Ok(mut far) = net::TcpStream::connect(("127.0.0.1", port)).await else {
						return;
					};
					tokio::select! {
						_ = copy_bidirectional(&mut near, &mut far) => return,
						_ = mode.wait_for(|mode| *mode != Mode::Open) => {},
					}
					// Mute: both ends stay open until the line is cut.
					let _ = mode.wait_for(|mode| *mode == Mode::Cut).await;
				});
			}
		});
		Line { url, mode, server }
	}

	pub fn set(&self, mode: Mode) {
		self.mode.send_replace(mode);
	}
}

impl Drop for Line {
	fn drop(&mut self) {
		self.server.abort();
	}
}
