// The demo itself: scripts/demo.sh builds what it needs, then starts it.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

import { finalizedNumber, rpc, until } from '../tests/e2e/lib/chain.mjs';
import { binary, isFree, MASTERNODES, startLocal } from '../tests/e2e/lib/network.mjs';

const once = process.argv.includes('--once');
const state = process.env.XDG_STATE_HOME || path.join(homedir(), '.local/state');
const folder = path.join(state, 'dgcs/demo');
const data = path.join(folder, 'data');
const logs = path.join(folder, 'logs');
const film = path.join(folder, 'film.png');

/** Where wallets look for a node, and the three after it. */
const RPC_PORT = 9944;
const PORT = 30333;
/** The demo's own programs, built by scripts/build-examples.sh. */
const PROGRAMS = process.env.DGCS_PROGRAMS;

/** Strangers who lend a core each: well-known accounts, so that they have money for their bond. */
const WORKERS = ['//Ferdie', '//Alice//stash', '//Bob//stash', '//Charlie//stash', '//Dave//stash'];
const FRAMES = 12;

const say = (text = '') => console.log(text);

/** @type {import('../tests/e2e/lib/network.mjs').Network} */
let network;
/** Child processes that end with the demo. */
const children = [];

try {
	await startNetwork();
	await startWorkers();
	await renderFilm();
	if (!once) await showUntilStopped();
} catch (error) {
	console.error(`demo: error: ${error.message}`);
	process.exitCode = 1;
} finally {
	await Promise.all(children.map(stop));
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
	rmSync(data, { recursive: true, force: true });
	say(`Starting four masternodes: ${MASTERNODES.join(', ')}. All logs are in ${logs}`);
	network = await startLocal('demo', { folder: data, logs }, ports);
	const number = await finalizedNumber(network.api('alice'));
	say(`Block #${number} is final: more than two thirds of the masternodes have signed it.`);
}

async function startWorkers() {
	say();
	say(`Starting ${WORKERS.length} workers. Each lends one core, registers, and puts a bond at stake.`);
	const config = path.join(data, 'worker.toml');
	writeFileSync(config, 'nice = 5\n[idle]\ncores = 1\nmemory = 2048\n');
	for (const [i, uri] of WORKERS.entries()) {
		start(`worker-${i + 1}`, [
			'worker', '--uri', uri, '--register', '--dedicated', '--config', config,
			'--chain', MASTERNODES.map((_, i) => `ws://127.0.0.1:${RPC_PORT + i}`).join(','),
			'--data', path.join(data, `worker-${i + 1}`),
			'--listen', '/ip4/127.0.0.1/tcp/0',
		]);
	}
	const api = network.api('alice');
	await until(api, 'all workers are registered', async () => {
		const ended = children.find((child) => child.exitCode !== null);
		if (ended) throw new Error(`${ended.name} has ended; its log is ${ended.log}`);
		return (await api.query.workers.workers.keys()).length >= WORKERS.length;
	});
	say('All of them are registered, and ask for work when there is any.');
}

async function renderFilm() {
	const out = path.join(data, 'film');
	say();
	say(`Eve has a film rendered: ${FRAMES} frames, each by three strangers, and all frames joined by three of them.`);
	const owner = ['--data', path.join(data, 'eve'), '--chain', `ws://127.0.0.1:${RPC_PORT}`];
	const run = [
		'task', 'run', path.join(PROGRAMS, 'pathtracer.wasm'), '--count', String(FRAMES), '--range', '2',
		'--join', 'merge', '--merge-arg', 'join', '--time', '5m', '--out', out, '--yes', '--account', '//Eve', ...owner,
	];
	say(`  dgcs ${run.map((word) => (/[/]\//.test(word) ? `'${word}'` : word)).join(' ')}`);
	say();
	await command(run);
	mkdirSync(folder, { recursive: true });
	renameSync(path.join(out, 'result'), film);
	say();
	say('Who computed what, who agreed, and who was paid:');
	await command(['task', 'show', '0', ...owner]);
	const { status } = await rpc(network.api('alice'), 'dgcs_task', 0);
	say();
	say(`Task 0 is ${status}. The film, ${statSync(film).size} bytes, opens in any browser:`);
	say(`  file://${film}`);
}

/** Runs a command of dgcs to its end, in this terminal. */
async function command(args) {
	const child = spawn(binary(), args, { stdio: 'inherit' });
	const code = await new Promise((resolve) => child.once('exit', resolve));
	if (code !== 0) throw new Error(`dgcs ${args.slice(0, 2).join(' ')} ended with exit code ${code}`);
}

/** Starts a process of dgcs that runs until the demo ends. */
function start(name, args) {
	const log = path.join(logs, `${name}.log`);
	const child = spawn(binary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
	const file = createWriteStream(log);
	child.stdout.pipe(file);
	child.stderr.pipe(file);
	children.push(Object.assign(child, { name, log }));
	process.on('exit', () => child.kill('SIGKILL'));
}

async function stop(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = new Promise((resolve) => child.once('exit', resolve));
	// A worker would first stay until its results have been fetched.
	child.kill('SIGKILL');
	await ended;
}

function showUntilStopped() {
	const local = encodeURIComponent(`ws://127.0.0.1:${RPC_PORT}`);
	say();
	say('The network keeps running, for tasks of your own. Look at it in a browser, by the polkadot.js apps:');
	say(`  https://polkadot.js.org/apps/?rpc=${local}#/explorer`);
	say('Ctrl-C ends it.');
	return new Promise(() => {});
}
