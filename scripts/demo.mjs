// The demo itself: scripts/demo.sh builds what it needs, then starts it.

import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

import { account, balance, EventLog, finalizedNumber, only, rpc, send } from '../tests/e2e/lib/chain.mjs';
import { isFree, MASTERNODES, startLocal } from '../tests/e2e/lib/network.mjs';
import { spec } from '../tests/e2e/lib/task.mjs';
import { startWorkers, Worker } from '../tests/e2e/lib/worker.mjs';

const once = process.argv.includes('--once');
const state = process.env.XDG_STATE_HOME || path.join(homedir(), '.local/state');
const folder = path.join(state, 'dgcs/demo');

/** Where wallets look for a node, and the three after it. */
const RPC_PORT = 9944;
const PORT = 30333;

const say = (text = '') => console.log(text);
const dgc = (amount) => `${(Number(amount) / 1e12).toFixed(4)} DGC`;

/** @type {import('../tests/e2e/lib/network.mjs').Network} */
let network;

try {
	await startNetwork();
	await runTask();
	if (!once) await showUntilStopped();
} catch (error) {
	console.error(`demo: error: ${error.message}`);
	process.exitCode = 1;
} finally {
	await network?.stop();
}
process.exit();

async function startNetwork() {
	const ports = MASTERNODES.map((_, i) => ({ port: PORT + i, rpcPort: RPC_PORT + i }));
	for (const port of ports.flatMap(Object.values)) {
		if (await isFree(port)) continue;
		throw new Error(`port ${port} is taken: end what uses it (another demo?) and start again`);
	}
	// Every demo starts a new chain.
	const data = path.join(folder, 'data');
	const logs = path.join(folder, 'logs');
	rmSync(data, { recursive: true, force: true });
	say(`Starting four masternodes: ${MASTERNODES.join(', ')}. Their logs are in ${logs}`);
	network = await startLocal('demo', { folder: data, logs }, ports);
	const number = await finalizedNumber(network.api('alice'));
	say(`Block #${number} is final: more than two thirds of the masternodes have signed it.`);
}

async function runTask() {
	const api = network.api('alice');
	const log = await EventLog.follow(api);
	const owner = account('//Eve');

	say();
	say('Three workers register. Here they are accounts that a script votes with: it computes nothing,');
	say('and does on the chain just what a worker does. Each puts a bond at stake.');
	const names = ['ann', 'ben', 'cid'];
	const workers = names.map((name) => new Worker(api, log, `//worker//${name}`, { slots: 2 }));
	await startWorkers(api, log, account('//Bob'), workers);
	const nameOf = Object.fromEntries(workers.flatMap((worker, i) => [
		[worker.address, names[i]],
		[worker.operator.address, names[i]],
	]));

	say();
	const wanted = spec();
	const estimate = await rpc(api, 'dgcs_estimate', { subtasks: 4, rangeSize: 2, maxReplicas: 5, reward: String(wanted.reward) });
	say(`Eve wants ${wanted.subtasks} subtasks computed, in ranges of ${wanted.rangeSize}, by ${wanted.replicas} workers each.`);
	say(`The chain estimates ${dgc(estimate.total)}, of which ${dgc(estimate.reserve)} are a reserve for disputes.`);
	const submitted = await send(api, api.tx.tasks.submit(wanted), owner);
	const { task } = only(submitted.events, 'tasks.Submitted');
	const { amount: held } = only(submitted.events, 'escrow.Opened');
	say(`Submitted: task ${task}, in block #${submitted.block}. Price held on Eve's account: ${dgc(held)}`);

	say();
	say('The workers ask for work. A later block draws who gets what; nobody can choose.');
	tell(log, task, nameOf);
	await Promise.all(workers.map((worker) => worker.take()));
	const { data } = await log.wait('tasks.Settled', { task });
	await log.wait('escrow.Emptied', { task });

	const { sums, chain } = data.settlement;
	say();
	say(`Settled. ${chain.agreed} subtasks have their verdict, ${chain.failed} failed.`);
	say(`  to workers      ${dgc(sums.paid)}`);
	say(`  to masternodes  ${dgc(sums.masternodes)}`);
	say(`  back to Eve     ${dgc(sums.refunded)}`);
	say(`  together        ${dgc(sums.paid + sums.masternodes + sums.refunded)}, which is the price to the last unit`);
	const { reserved } = await balance(api, owner.address);
	say(`Still held on Eve's account: ${dgc(reserved)}. The chain keeps the root of the solution:`);
	say(`  ${chain.solutionRoot}`);
	log.stop();
}

/** Says in plain words what happens to a task. */
function tell(log, task, nameOf) {
	const words = {
		'tasks.Leased': ({ range, worker, until }) => {
			return `  range ${range} leased to ${nameOf[worker]}, until block #${until}`;
		},
		'verdicts.Committed': ({ range, worker }) => {
			return `  ${nameOf[worker]} committed to its results for range ${range}, free of charge`;
		},
		'verdicts.Revealed': ({ range, worker }) => {
			return `  ${nameOf[worker]} revealed its results for range ${range}, free of charge`;
		},
		'verdicts.RevealStarted': ({ range }) => `  all have committed to range ${range}: now they reveal`,
		'verdicts.Decided': ({ range, agreed, index, hash }) => {
			return `  verdict on range ${range}: ${agreed} results agreed on. ` +
				`Block ${index} of the work chain is ${hash.slice(0, 10)}…`;
		},
		'escrow.Paid': ({ payee, amount }) => `  ${nameOf[payee]} was paid ${dgc(amount)}`,
		'escrow.Refunded': ({ amount }) => `  Eve got back ${dgc(amount)}`,
	};
	log.listen(({ pallet, name, data }) => {
		const sentence = words[`${pallet}.${name}`];
		if (sentence && data.task === task) say(sentence(data));
	});
}

function showUntilStopped() {
	const local = encodeURIComponent(`ws://127.0.0.1:${RPC_PORT}`);
	say();
	say('The network keeps running. Look at it in a browser, by the polkadot.js apps:');
	say(`  https://polkadot.js.org/apps/?rpc=${local}#/explorer`);
	say(`or ask it: curl -H 'content-type: application/json' http://127.0.0.1:${RPC_PORT} \\`);
	say(`  -d '{"jsonrpc":"2.0","id":1,"method":"dgcs_task","params":[0]}'`);
	say('Ctrl-C ends it.');
	return new Promise(() => {});
}
