// Nodes as child processes: each with its own folder and its own ports, on loopback alone.
//
// Networks do not find each other, though all `local` chains have the same first block: mDNS is
// off, and a node only knows the addresses that it is given.

import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { stringToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { base58Encode, blake2AsU8a, ed25519PairFromSeed } from '@polkadot/util-crypto';

import { connect, finalizedNumber, SOON, until } from './chain.mjs';
import { deadline, MINUTE } from './time.mjs';

/** Those of the `local` chain, in the order of their well-known names. */
export const MASTERNODES = ['alice', 'bob', 'charlie', 'dave'];

const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(homedir(), '.cache/dgcs/target');

/** The program under test. */
export function binary() {
	const file = process.env.DGCS_BIN ?? path.join(TARGET, 'release/dgcs');
	if (!existsSync(file)) {
		throw new Error(`there is no ${file}: build it (scripts/test.sh does), or set DGCS_BIN`);
	}
	return file;
}

/** All running nodes of this process, so that none outlives it. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
	process.once(signal, () => process.exit(code));
}

/** One node. It can be started and stopped any number of times; its folder and ports stay. */
export class Node {
	/**
	 * @param {object} options
	 * @param {string} options.name what it is called in errors, and its log file
	 * @param {string} options.folder where its data goes
	 * @param {string} options.log the file that it writes its log to, over all starts
	 * @param {number} options.port for other nodes
	 * @param {number} options.rpcPort for us
	 * @param {string[]} options.args the command and its own flags
	 */
	constructor({ name, folder, log, port, rpcPort, args }) {
		Object.assign(this, { name, folder, log, port, rpcPort, args });
		/** The secret of its network identity: any will do, as long as it stays the same. */
		this.nodeKey = blake2AsU8a(stringToU8a(`${name}:${port}`));
		this.url = `ws://127.0.0.1:${rpcPort}`;
		this.child = null;
		this.api = null;
	}

	/** Where other nodes reach it. */
	get address() {
		return `/ip4/127.0.0.1/tcp/${this.port}/p2p/${peerId(this.nodeKey)}`;
	}

	/**
	 * Starts the process and returns once it answers RPC.
	 * @param {string[]} [more] flags for this start
	 * @returns {Promise<import('@polkadot/api').ApiPromise>}
	 */
	async start(more = []) {
		const child = spawn(binary(), [
			...this.args,
			'--base-path', this.folder,
			'--node-key', u8aToHex(this.nodeKey, -1, false),
			'--listen-addr', `/ip4/127.0.0.1/tcp/${this.port}`,
			'--rpc-port', String(this.rpcPort),
			'--no-mdns', '--no-telemetry', '--no-prometheus',
			...more,
		], { stdio: ['ignore', 'ignore', 'pipe'] });
		this.child = child;
		running.add(child);
		this.exited = new Promise((resolve) => {
			child.once('exit', (code, signal) => {
				running.delete(child);
				resolve(code === null ? `was ended by ${signal}` : `ended with exit code ${code}`);
			});
			child.once('error', (error) => {
				running.delete(child);
				resolve(`could not be started: ${error.message}`);
			});
		});

		const log = createWriteStream(this.log, { flags: 'a' });
		child.stderr.pipe(log);
		// The last lines say why, if it ends before it answers.
		const last = [];
		const answers = new Promise((resolve) => {
			createInterface({ input: child.stderr }).on('line', (line) => {
				last.push(line);
				if (last.length > 8) last.shift();
				if (line.includes('Running JSON-RPC server')) resolve(true);
			});
		});
		const ended = this.exited.then((how) => {
			throw new Error(`node ${this.name} ${how}; its log is ${this.log}\n${last.join('\n')}`);
		});
		await deadline(Promise.race([answers, ended]), SOON, `node ${this.name} to answer RPC`);
		ended.catch(() => {}); // From here on its end is no error: whoever waits for it notices.
		this.api = await connect(this.url);
		return this.api;
	}

	/**
	 * Ends the process and returns once it is gone.
	 * @param {NodeJS.Signals} [signal] `SIGKILL` for a crash
	 */
	async stop(signal = 'SIGTERM') {
		const { api, child } = this;
		this.api = null;
		this.child = null;
		await api?.disconnect();
		if (child) {
			child.kill(signal);
			await deadline(this.exited, MINUTE, `node ${this.name} to end`).catch((slow) => {
				child.kill('SIGKILL');
				throw slow;
			});
		}
	}

	/** As a crash: no time to tidy up. */
	kill() {
		return this.stop('SIGKILL');
	}
}

/** A network of nodes that know each other. */
export class Network {
	/**
	 * @param {string} name of the folder for its logs
	 * @param {object} [options]
	 * @param {string} [options.folder] where data goes; by default a temporary one, deleted at the end
	 * @param {string} [options.logs] where logs go; by default into the target directory
	 */
	constructor(name, { folder, logs } = {}) {
		this.name = name;
		this.temporary = !folder;
		this.folder = folder ?? mkdtempSync(path.join(tmpdir(), `dgcs-${name}-`));
		this.logs = logs ?? path.join(TARGET, 'e2e', name);
		rmSync(this.logs, { recursive: true, force: true });
		mkdirSync(this.logs, { recursive: true });
		/** @type {Map<string, Node>} */
		this.nodes = new Map();
	}

	/**
	 * Writes down the specification of the chain that its nodes join, with its first state: so that
	 * this is computed once, and not by every node.
	 * @param {string} chain
	 */
	async specify(chain) {
		const args = ['export-chain-spec', '--chain', chain, '--raw'];
		const { stdout } = await promisify(execFile)(binary(), args, { maxBuffer: 2 ** 28 });
		this.spec = path.join(this.folder, 'spec.json');
		mkdirSync(this.folder, { recursive: true });
		writeFileSync(this.spec, stdout);
	}

	/**
	 * Adds a masternode, not yet started.
	 * @param {string} name
	 * @param {string[]} flags that say whose keys it has
	 * @param {{ port: number, rpcPort: number }} [ports] free ones by default
	 * @param {{ url: string }} [kubo] the daemon that is its store; by default the store is inside
	 */
	add(name, flags, ports, kubo) {
		const store = kubo ? ['--store-kubo', kubo.url] : ['--store-listen', '/ip4/127.0.0.1/tcp/0'];
		return this.#add(name, ['masternode', ...store, ...flags], ports);
	}

	/**
	 * Adds a full node, which only follows the chain, not yet started.
	 * @param {string} name
	 * @param {string[]} [flags]
	 */
	addFull(name, flags = []) {
		return this.#add(name, ['node', ...flags]);
	}

	async #add(name, [command, ...flags], ports) {
		const { port, rpcPort } = ports ?? { port: await freePort(), rpcPort: await freePort() };
		const node = new Node({
			name,
			args: [command, '--chain', this.spec, ...flags],
			port,
			rpcPort,
			folder: path.join(this.folder, name),
			log: path.join(this.logs, `${name}.log`),
		});
		this.nodes.set(name, node);
		return node;
	}

	/** @param {string} name */
	node(name) {
		return this.nodes.get(name) ?? raise(`no node is called ${name}`);
	}

	/** The connection to a node. @param {string} name */
	api(name) {
		return this.node(name).api ?? raise(`node ${name} is not running`);
	}

	/** Flags with which a node of this network holds on to all others. @param {Node} node */
	peers(node) {
		return [...this.nodes.values()]
			.filter((other) => other !== node)
			.flatMap((other) => ['--reserved-nodes', other.address]);
	}

	/** Starts all nodes that are not running. */
	async start() {
		const down = [...this.nodes.values()].filter((node) => !node.child);
		await Promise.all(down.map((node) => node.start(this.peers(node))));
	}

	/** Kills all nodes at once. */
	async kill() {
		await Promise.all([...this.nodes.values()].map((node) => node.kill()));
	}

	/** Ends all nodes and deletes what they wrote, except for the logs. */
	async stop() {
		await Promise.allSettled([...this.nodes.values()].map((node) => node.stop()));
		if (this.temporary) rmSync(this.folder, { recursive: true, force: true });
	}
}

/**
 * A running network of the four masternodes of the `local` chain, which has finalised a block.
 * @param {string} name of the folder for its logs
 * @param {object} [options] those of a network, and:
 * @param {(network: Network) => Promise<Object<string, { url: string }>>} [options.stores] starts Kubo daemons, and
 * says whose stores they are, by the names of masternodes
 * @param {{ port: number, rpcPort: number }[]} [ports] one pair for each; free ones by default
 */
export async function startLocal(name, options, ports = []) {
	const network = await startAll(name, 'local', MASTERNODES, options, ports);
	try {
		await until(network.api('alice'), 'the first block is final', async (api) => {
			return (await finalizedNumber(api)) > 0;
		});
		return network;
	} catch (error) {
		await network.stop();
		throw error;
	}
}

/**
 * A running network of one masternode: for tests that need a chain, and nothing of consensus.
 * @param {string} name of the folder for its logs
 */
export function startDevelopment(name) {
	return startAll(name, 'dev', ['alice']);
}

async function startAll(name, chain, masternodes, options, ports = []) {
	const network = new Network(name, options);
	try {
		await network.specify(chain);
		const kubos = (await options?.stores?.(network)) ?? {};
		for (const [i, masternode] of masternodes.entries()) {
			await network.add(masternode, [`--${masternode}`], ports[i], kubos[masternode]);
		}
		await network.start();
		return network;
	} catch (error) {
		await network.stop();
		throw error;
	}
}

/** Whether nobody listens on a port. @param {number} port @returns {Promise<boolean>} */
export function isFree(port) {
	return new Promise((resolve) => {
		const server = createServer();
		server.once('error', () => resolve(false));
		server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
	});
}

/**
 * A free port. Below those that the system itself gives to outgoing connections, so that it is
 * still free when the node takes it.
 */
export async function freePort() {
	for (;;) {
		const port = 12_000 + Math.floor(Math.random() * 18_000);
		if (!given.has(port) && (await isFree(port))) {
			given.add(port);
			return port;
		}
	}
}
const given = new Set();

/** What libp2p calls a node: its public key, in protobuf, in an identity multihash. */
function peerId(nodeKey) {
	const { publicKey } = ed25519PairFromSeed(nodeKey);
	return base58Encode(u8aConcat([0x00, 0x24, 0x08, 0x01, 0x12, 0x20], publicKey));
}

/** @returns {never} */
function raise(message) {
	throw new Error(message);
}
