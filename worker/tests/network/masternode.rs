//! What a masternode keeps, with the real custody: its edges are a client of the chain and a store, and
//! its methods are served over a real WebSocket.

use std::{
	io,
	path::Path,
	sync::{Arc, OnceLock},
	time::Duration,
};

use dgcs_client::{Account, AccountId, At, Chain};
use dgcs_content::{Blob, BlockSink, BlockSource, Masternode};
use dgcs_custody::{
	rpc::{CustodyApiServer, CustodyRpc},
	Balance, Block, Chain as CustodyChain, ChainError, Custody, Limits, Offer, Parts, PeerError,
	Peers, Receipts, Secrets, Store as CustodyStore,
};
use dgcs_primitives::{
	api::{MasternodeView, ServiceAddress, TaskInfo},
	ContentId, EncryptionKey, RangeIndex, TaskId, WorkBlock,
};
use dgcs_store::{Config, Store};
use futures::StreamExt;
use jsonrpsee::server::{Server, ServerHandle};
use sp_core::H256;
use tokio::{runtime::Handle, sync::watch};

pub struct MasternodeCustody {
	pub store: Store,
	account: H256,
	key: EncryptionKey,
	custody: Arc<Custody>,
	address: String,
	_server: ServerHandle,
}

impl MasternodeCustody {
	pub async fn start(chain: &Chain, account: &Account, config: &Config, folder: &Path) -> Self {
		let secrets = folder.join("secrets");
		let key = dgcs_custody::generate(&secrets).unwrap();
		let store = Store::open(config).await.unwrap();
		let addresses = store.addresses().await.unwrap();
		let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
		let runtime = Handle::current();
		let kept = Arc::new(Kept { store: store.clone(), addresses, runtime: runtime.clone() });
		let parts = Parts {
			account: account.id(),
			chain: Arc::new(View { chain: chain.clone(), runtime }),
			store: kept.clone(),
			peers: Arc::new(Alone),
			secrets: Secrets::read(&secrets).unwrap(),
			ledger: folder.join("ledger"),
			limits: Limits::default(),
		};
		let custody = Arc::new(Custody::open(parts).unwrap());
		let (sender, finalised) = watch::channel(0);
		tokio::spawn(dgcs_custody::run(custody.clone(), finalised));
		let follow = chain.clone();
		tokio::spawn(async move {
			let mut heads = follow.heads();
			while sender.send(heads.finalized.number).is_ok() {
				let Ok(moved) = follow.moved(heads).await else { return };
				heads = moved;
			}
		});
		let server = Server::builder().build("127.0.0.1:0").await.unwrap();
		let address = format!("ws://{}", server.local_addr().unwrap());
		let answers = CustodyRpc::new(Arc::new(OnceLock::from(custody.clone())), kept);
		let _server = server.start(answers.into_rpc());
		let account = H256(account.id().into());
		MasternodeCustody { store, account, key, custody, address, _server }
	}

	pub fn key(&self) -> EncryptionKey {
		self.key
	}

	pub fn address(&self) -> ServiceAddress {
		self.address.clone().into_bytes().try_into().unwrap()
	}

	pub fn holder(&self) -> Masternode {
		Masternode { account: self.account, key: self.key }
	}

	pub async fn until_held(&self, task: TaskId) {
		while !self.custody.held(task).is_some_and(|held| held.complete) {
			tokio::time::sleep(Duration::from_millis(50)).await;
		}
	}
}

/// The chain, by a client.
struct View {
	chain: Chain,
	runtime: Handle,
}

impl View {
	fn read<T>(
		&self,
		at: H256,
		read: impl AsyncFnOnce(At) -> dgcs_client::Result<T>,
	) -> Result<T, ChainError> {
		let read = async {
			let at = self.chain.at(self.chain.block(at).await?).await?;
			read(at).await
		};
		self.runtime.block_on(read).map_err(|error| ChainError(Box::new(error)))
	}
}

impl CustodyChain for View {
	fn finalised(&self) -> Result<Block, ChainError> {
		let head = self.chain.heads().finalized;
		Ok(Block { hash: head.hash, number: head.number })
	}

	fn block(&self, number: u32) -> Result<Option<Block>, ChainError> {
		if number > self.chain.heads().finalized.number {
			return Ok(None);
		}
		let head = self.runtime.block_on(self.chain.finalized_heads(Some(number)).next());
		let head = head.transpose().map_err(|error| ChainError(Box::new(error)))?;
		Ok(head.map(|head| Block { hash: head.hash, number: head.number }))
	}

	fn live_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		self.read(at, async |at| at.live_tasks().await)
	}

	fn changed_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		self.read(at, async |at| at.changed_tasks().await)
	}

	fn task(
		&self,
		at: H256,
		task: TaskId,
	) -> Result<Option<TaskInfo<AccountId, Balance>>, ChainError> {
		self.read(at, async |at| at.task(task).await)
	}

	fn work_chain(&self, at: H256, task: TaskId, from: u32) -> Result<Vec<WorkBlock>, ChainError> {
		let chain = self.read(at, async |at| at.work_chain(task).await)?;
		let blocks = chain.iter().flat_map(|chain| chain.blocks());
		Ok(blocks.skip(from as usize).cloned().collect())
	}

	fn receipts(&self, at: H256) -> Result<Receipts, ChainError> {
		let read = async { self.chain.events(self.chain.block(at).await?).await?.receipts() };
		self.runtime.block_on(read).map_err(|error| ChainError(Box::new(error)))
	}

	fn worker_key(
		&self,
		at: H256,
		worker: &AccountId,
	) -> Result<Option<EncryptionKey>, ChainError> {
		Ok(self.read(at, async |at| at.worker(worker).await)?.map(|view| view.key))
	}

	fn has_lease(
		&self,
		at: H256,
		task: TaskId,
		range: Option<RangeIndex>,
		worker: &AccountId,
	) -> Result<bool, ChainError> {
		let votes = self.read(at, async |at| at.votes_of_task(task).await)?;
		Ok(votes.iter().any(|(index, vote)| {
			range.is_none_or(|range| range == *index) && vote.seat(worker).is_some()
		}))
	}

	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError> {
		self.read(at, async |at| at.masternodes().await)
	}
}

/// A store, as custody wants it.
struct Kept {
	store: Store,
	addresses: Vec<String>,
	runtime: Handle,
}

impl BlockSink for Kept {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.store.put(id, bytes)
	}
}

impl BlockSource for Kept {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.store.get(id, limit)
	}

	fn want(&self, ids: &[ContentId]) {
		self.store.want(ids);
	}
}

impl CustodyStore for Kept {
	fn has(&self, id: &ContentId) -> io::Result<bool> {
		self.runtime.block_on(self.store.has(id)).map_err(io::Error::other)
	}

	fn pin(&self, blob: &Blob) -> io::Result<()> {
		self.runtime.block_on(self.store.pin(&blob.id, blob.len)).map_err(io::Error::other)
	}

	fn unpin(&self, id: &ContentId) -> io::Result<()> {
		self.runtime.block_on(self.store.unpin(id)).map(drop).map_err(io::Error::other)
	}

	fn provide(&self, id: &ContentId) -> io::Result<()> {
		let (store, id) = (self.store.clone(), *id);
		self.runtime.spawn(async move { drop(store.provide(&id).await) });
		Ok(())
	}

	fn addresses(&self) -> Vec<String> {
		self.addresses.clone()
	}
}

/// There are no other masternodes.
struct Alone;

impl Peers for Alone {
	fn hand_over(&self, address: &str, _: &Offer) -> Result<(), PeerError> {
		let reason = "there are no other masternodes".into();
		Err(PeerError::Unreachable { address: address.into(), reason })
	}
}
