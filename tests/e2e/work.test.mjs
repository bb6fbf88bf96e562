// Real programs on real files, computed by real workers: the owner's commands, the masternodes'
// custody and `dgcs worker`, on a network of four masternodes, one of which goes down meanwhile.
// The tests run at the same time: each of them mostly waits for blocks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { account, rpc, send, SOON, until } from './lib/chain.mjs';
import { realText, Site } from './lib/site.mjs';
import { deadline } from './lib/time.mjs';
import { Worker } from './lib/worker.mjs';

const FRAMES = 4;
/** How many pieces of the text are leased together. */
const RANGE = 4;
/** Where scripts/build-foreign.sh has put somebody else's program. */
const { DGCS_FOREIGN } = process.env;

describe('work', { concurrency: true }, () => {
	/** @type {Site} */
	let site;
	let api, log;
	/** When one masternode is down, and the first task's owner gone. */
	const down = later();
	/** When that task's solution is there. */
	const counted = later();

	before(async () => {
		site = await Site.start('work');
		({ api, log } = site);
		await site.hire(4, { slots: 2 });
	});

	after(() => site?.stop());

	it('counts the words of a large text, though a worker lies, one is killed, one never fetches, the owner leaves and a masternode fails', async () => {
		await countWords().catch((error) => {
			[down, counted].forEach((each) => each.reject(error));
			throw error;
		});
		counted.resolve();
	});

	async function countWords() {
		const text = site.path('text');
		writeFileSync(text, realText(64 << 20));
		// Strangers of the other kind, who get work like anybody else. One votes for something else than
		// what comes of it; one takes a range, and neither fetches nor votes.
		const [liar, absent] = ['liar', 'neverCommits'].map((conduct) => {
			return new Worker(api, log, `//work//${conduct}`, { conduct, slots: 1 });
		});
		const endow = [liar, absent].map((each) => {
			return api.tx.balances.transferKeepAlive(each.address, 1_000n * 10n ** 12n);
		});
		await send(api, api.tx.utility.batchAll(endow), account('//Bob'));
		await Promise.all([liar, absent].map((each) => each.start()));
		const [victim] = site.workers;
		const killed = killedMidRange(victim, RANGE);

		const out = site.path('words');
		// A short time limit, since it is how long a range is waited for that nobody computes.
		const running = site.owner('eve', [
			'task', 'run', site.program('wordcount.wasm'), '--input', text, '--split', 'lines:50000',
			'--memory', '512', '--time', '5s', '--range', String(RANGE), '--out', out, '--account', '//Eve',
			'--yes', '--detach',
		]);
		// While there is work for everybody.
		const submitted = log.wait('tasks.Submitted', { owner: account('//Eve').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		const served = await Promise.all([liar, absent].map((each) => each.take(1)));
		assert.deepEqual(served.map(({ leased }) => leased), [1, 1]);
		const run = await running;
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		assert.ok(run.event('held'), 'its owner is gone, and its store with it');
		const place = await killed;
		await site.network.node('dave').stop();
		down.resolve();
		const { data } = await log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.equal(data.settlement.end, 'Completed');
		assert.equal(data.settlement.chain.failed, 0);

		const fetched = await site.owner('eve', ['task', 'fetch', String(task), '--account', '//Eve', '--out', out]);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = site.native('wordcount', [], readFileSync(text));
		const counted = site.native('wordcount', ['merge'], readFileSync(path.join(out, 'result')));
		assert.ok(counted.equals(whole), 'as counted at home, in one piece');
		// Who lied got nothing, and who worked was paid.
		const payees = new Set(log.all('escrow.Paid', { task }).map(({ data }) => data.payee));
		assert.ok(!payees.has(liar.operator.address) && !payees.has(absent.operator.address));
		const slashed = log.all('workers.Slashed').map(({ data }) => data.worker);
		assert.deepEqual(new Set(slashed), new Set([liar.address, absent.address]));
		assert.deepEqual(absent.actions, [], 'it did nothing at all');
		// Who was killed has taken its range up again, voted, and was paid for it.
		const revealed = { event: 'revealed', ...place };
		assert.ok(victim.said.some((note) => includes(note, revealed)), `${victim.log}: ${JSON.stringify(place)}`);
		assert.ok(payees.has(account(victim.uri).address));
	}

	it('renders a film and joins it, submitted while a masternode is down', async () => {
		await down.promise;
		const out = site.path('film');
		const run = await site.owner('dave', [
			'task', 'run', site.program('pathtracer.wasm'), '--count', String(FRAMES), '--join', 'merge',
			'--merge-arg', 'join', '--time', '2m', '--out', out, '--account', '//Dave', '--yes',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const frames = Array.from({ length: FRAMES }, (_, frame) => {
			return site.native('pathtracer', [String(frame), String(FRAMES)]);
		});
		const film = site.native('pathtracer', ['join'], Buffer.concat(frames));
		assert.ok(readFileSync(path.join(out, 'result')).equals(film), 'as rendered at home');

		// The masternode that was away comes back, with what it holds.
		await counted.promise;
		const dave = site.network.node('dave');
		const back = await dave.start(site.network.peers(dave));
		const tasks = log.all('tasks.Submitted').map(({ data }) => data.task);
		await until(back, 'dave answers for what it holds', async () => {
			const held = await Promise.all(tasks.map((task) => rpc(back, 'dgcs_held', task).catch(() => ({}))));
			return held.some(({ manifest }) => manifest);
		});
	});

	const foreign = DGCS_FOREIGN ? {} : { skip: 'DGCS_FOREIGN is not set: scripts/build-foreign.sh says why' };
	it("runs somebody else's program, unchanged, on a folder of files", foreign, async () => {
		// Not before: those who lie or do nothing are for the first task.
		await down.promise;
		const [frames, out] = [site.path('frames'), site.path('pictures')];
		const names = ['opening.ppm', 'scene 2/first.ppm', 'scene 2/second.ppm', 'ende/größer.ppm'];
		for (const [i, name] of names.entries()) {
			const file = path.join(frames, name);
			mkdirSync(path.dirname(file), { recursive: true });
			const size = [64 + 16 * i, 48 + 3 * i, 4].map(String);
			writeFileSync(file, site.native('pathtracer', [String(i), String(names.length), ...size]));
		}
		const flags = ['-quality', '85', '-optimize', '-progressive'];
		const run = await site.owner('charlie', [
			'task', 'run', path.join(DGCS_FOREIGN, 'cjpeg.wasm'), '--input', frames, '--split', 'files',
			'--join', 'files', '--out', out, '--account', '//Charlie', '--yes', '--', ...flags,
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const found = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
		assert.equal(found.length, names.length);
		// Debian's own, with the instructions of this very processor.
		const env = { LD_LIBRARY_PATH: path.join(DGCS_FOREIGN, 'debian') };
		for (const name of names) {
			const input = readFileSync(path.join(frames, name));
			const picture = execFileSync(path.join(DGCS_FOREIGN, 'debian/cjpeg'), flags, { input, env });
			assert.ok(existsSync(path.join(out, name)), name);
			assert.ok(readFileSync(path.join(out, name)).equals(picture), `${name} as Debian's cjpeg makes it`);
		}
	});
});

/** Fails when a command does. */
async function failed(running) {
	const { code, said } = await running;
	assert.equal(code, 0, JSON.stringify(said.at(-1)));
	return new Promise(() => {});
}

/** Something to wait for. */
function later() {
	const each = {};
	each.promise = new Promise((resolve, reject) => Object.assign(each, { resolve, reject }));
	// Perhaps nobody waits for it.
	each.promise.catch(() => {});
	return each;
}

/**
 * Kills a worker when it has finished one subtask of a range and not the range, starts it again, and
 * says which range that was.
 * @param {import('./lib/dgcs.mjs').RealWorker} worker
 * @param {number} size of the ranges
 */
function killedMidRange(worker, size) {
	const killed = new Promise((resolve) => {
		const started = [];
		const crash = async ({ task, range, round }) => {
			await worker.kill();
			const committed = { event: 'committed', task, range, round };
			const late = worker.said.some((note) => includes(note, committed));
			assert.ok(!late, 'it has voted already: the range is too short for this machine');
			worker.start();
			return { task, range, round };
		};
		const watch = (note) => {
			if (note.event === 'started') started.push(note);
			if (note.event !== 'computed') return;
			const range = Math.floor(note.subtask / size);
			const place = started.find((each) => includes(each, { task: note.task, range, subtasks: size }));
			if (!place) return;
			worker.listeners.delete(watch);
			resolve(crash(place));
		};
		worker.listeners.add(watch);
	});
	return deadline(killed, SOON, `${worker.name} to compute something`);
}

/** Whether a note has these fields. */
function includes(note, wanted) {
	return Object.entries(wanted).every(([field, value]) => note[field] === value);
}
