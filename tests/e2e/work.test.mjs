// Real programs on real files, computed by real workers: the owner's commands, the masternodes'
// custody and `dgcs worker`, on a network of four masternodes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { account, EventLog, rpc, send, until } from './lib/chain.mjs';
import { dgcs, RealWorker } from './lib/dgcs.mjs';
import { MASTERNODES, startLocal } from './lib/network.mjs';
import { Worker } from './lib/worker.mjs';

const PROGRAMS = process.env.DGCS_PROGRAMS ?? assert.fail('DGCS_PROGRAMS: run scripts/test.sh e2e');
const EXAMPLES = new URL('../../examples/', import.meta.url);
const FRAMES = 6;

describe('work', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;
	let api, log, folder, owner;
	/** @type {RealWorker[]} */
	let workers = [];

	before(async () => {
		folder = mkdtempSync(path.join(tmpdir(), 'dgcs-work-'));
		network = await startLocal('work');
		api = network.api('alice');
		log = await EventLog.follow(api);
		owner = (args, data = 'eve') => dgcs(network.node('bob').url, path.join(folder, data), args);
		// Where owners and workers reach them: the chain's first state names other ports.
		const known = await rpc(api, 'dgcs_masternodes');
		await Promise.all(MASTERNODES.map((name) => {
			const who = account(`//${name[0].toUpperCase()}${name.slice(1)}`);
			const { key } = known.find((each) => each.account === who.address);
			return send(api, api.tx.masternodes.update(key, network.node(name).url), who);
		}));
		const config = path.join(folder, 'worker.toml');
		writeFileSync(config, 'nice = 5\n[idle]\ncores = 1\nmemory = 2048\n');
		workers = ['//Ferdie', '//Alice//stash', '//Bob//stash', '//Charlie//stash'].map((uri, i) => {
			return new RealWorker(network, `worker-${i + 1}`, uri, ['--config', config]);
		});
		workers.forEach((worker) => worker.start());
		await until(api, 'the workers are registered', async () => {
			return (await api.query.workers.workers.keys()).length === workers.length;
		});
	});

	after(async () => {
		log?.stop();
		await Promise.all(workers.map((worker) => worker.kill()));
		await network?.stop();
		if (folder) rmSync(folder, { recursive: true, force: true });
	});

	it('counts the words of a large text, though a worker lies, one is killed, one never votes, and the owner leaves', async () => {
		const text = path.join(folder, 'text');
		writeFileSync(text, realText(64 << 20));
		// Strangers of the other kind, who get work like anybody else.
		const [liar, absent] = ['liar', 'neverCommits'].map((conduct) => {
			return new Worker(api, log, `//work//${conduct}`, { conduct, slots: 1 });
		});
		const endow = [liar, absent].map((each) => {
			return api.tx.balances.transferKeepAlive(each.address, 1_000n * 10n ** 12n);
		});
		await send(api, api.tx.utility.batchAll(endow), account('//Bob'));
		await Promise.all([liar, absent].map((each) => each.start()));
		const victim = workers[0];
		const killed = new Promise((resolve) => {
			victim.listeners.add((note) => {
				if (JSON.stringify(note).includes('"computed"') && !victim.killed) {
					victim.killed = true;
					resolve(victim.kill().then(() => victim.start()));
				}
			});
		});

		const out = path.join(folder, 'words');
		const run = await owner([
			'task', 'run', path.join(PROGRAMS, 'wordcount.wasm'), '--input', text, '--split', 'lines:100000',
			'--memory', '512', '--time', '30s', '--range', '2', '--out', out, '--account', '//Eve', '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.said.find(({ event }) => event === 'submitted');
		await Promise.all([liar, absent].map((each) => each.take(1)));
		await killed;
		await network.node('dave').stop();
		const { data } = await log.wait('tasks.Settled', { task }, { timeout: 15 * 60_000 });
		assert.equal(data.settlement.end, 'Completed');
		assert.equal(data.settlement.chain.failed, 0);

		const fetched = await owner(['task', 'fetch', String(task), '--account', '//Eve', '--out', out]);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = native('wordcount', [], readFileSync(text));
		const counted = native('wordcount', ['merge'], readFileSync(path.join(out, 'result')));
		assert.ok(counted.equals(whole), 'as counted at home, in one piece');
		// Who lied got nothing, and who worked was paid.
		const payees = new Set(log.all('escrow.Paid', { task }).map(({ data }) => data.payee));
		assert.ok(!payees.has(liar.operator.address) && !payees.has(absent.operator.address));
		const slashed = log.all('workers.Slashed').map(({ data }) => data.worker);
		assert.deepEqual(new Set(slashed), new Set([liar.address, absent.address]));

		// The masternode that was away comes back with what it holds.
		const dave = await network.node('dave').start(network.peers(network.node('dave')));
		await until(dave, 'dave answers for what it holds', () => {
			return rpc(dave, 'dgcs_held', task).then(({ manifest }) => manifest, () => false);
		});
	});

	it('renders a film and joins it', async () => {
		const out = path.join(folder, 'film');
		const run = await owner([
			'task', 'run', path.join(PROGRAMS, 'pathtracer.wasm'), '--count', String(FRAMES), '--join', 'merge',
			'--merge-arg', 'join', '--time', '2m', '--out', out, '--account', '//Eve', '--yes',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const frames = Array.from({ length: FRAMES }, (_, frame) => {
			return native('pathtracer', [String(frame), String(FRAMES)], Buffer.alloc(0));
		});
		const film = native('pathtracer', ['join'], Buffer.concat(frames));
		assert.ok(readFileSync(path.join(out, 'result')).equals(film), 'as rendered at home');
	});

	/** Runs an example at home, compiled for this machine. */
	function native(name, args, input) {
		const program = path.join(folder, name);
		if (!existsSync(program)) {
			const source = new URL(`${name}/${name}.c`, EXAMPLES).pathname;
			execFileSync('clang', ['-O2', '-ffp-contract=off', source, '-o', program, '-lm']);
		}
		return execFileSync(program, args, { input, maxBuffer: 2 ** 30 });
	}
});

/** So many bytes of text: the documents of this project and its sources, again and again. */
function realText(bytes) {
	const root = new URL('../../', import.meta.url).pathname;
	const files = execFileSync('git', ['ls-files', '*.md', '*.rs', '*.mjs'], { cwd: root });
	const names = files.toString().trim().split('\n');
	const once = Buffer.concat(names.map((name) => readFileSync(path.join(root, name))));
	const text = Buffer.alloc(bytes);
	for (let at = 0; at < bytes; at += once.length) once.copy(text, at);
	return text;
}
