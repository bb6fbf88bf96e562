// The benchmarks that need running nodes: scripts/bench-chain.sh builds what they need.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { binary, MASTERNODES, Network } from '../tests/e2e/lib/network.mjs';
import { atMost, figure } from './figures.mjs';

/** What a newcomer should wait for at most, in seconds. */
const START_LIMIT = 15;

const benchmarks = { load, start };
await benchmarks[process.argv[2]]();
process.exit();

/** Subtasks decided per second by one masternode, with the load generator beside it. */
async function load() {
	const network = new Network('bench-load');
	try {
		const pool = ['--pool-limit', '32768', '--pool-kbytes', '131072'];
		await network.specify('dev');
		const node = await network.add('alice', ['--alice', ...pool]);
		await network.start();
		// Its own connection is all that the load generator needs.
		await node.api.disconnect();
		const generator = spawn(
			path.join(path.dirname(binary()), 'dgcs-bench'),
			['load', '--url', node.url, '--pid', String(node.child.pid), ...process.argv.slice(3)],
			{ stdio: ['ignore', 'inherit', 'inherit'] },
		);
		process.exitCode = await new Promise((resolve) => generator.once('exit', resolve));
	} finally {
		await network.stop();
	}
}

/** From nothing to the first block of a local network. */
async function start() {
	const network = new Network('bench-start');
	try {
		await network.specify('local');
		for (const name of MASTERNODES) {
			await network.add(name, [`--${name}`]);
		}
		const since = performance.now();
		const started = network.start();
		await firstBlock(network.nodes.get('alice'));
		const seconds = (performance.now() - since) / 1000;
		console.log(`cold start of four masternodes to the first block: ${seconds.toFixed(1)} s`);
		figure(`of the ${START_LIMIT} s that it may take`, seconds / START_LIMIT, atMost(1));
		await started;
	} finally {
		await network.stop();
	}
}

/** Waits until the node has a block. By bare JSON-RPC: polkadot.js takes seconds to begin. */
async function firstBlock(node) {
	const request = {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'chain_getHeader', params: [] }),
	};
	for (;;) {
		// Nobody listens there at first.
		const response = await fetch(`http://127.0.0.1:${node.rpcPort}`, request).catch(() => null);
		const header = (await response?.json())?.result;
		if (Number(header?.number) > 0) return;
		await setTimeout(50);
	}
}
