// Real programs on real files, computed by real workers: the owner's commands, the masternodes'
// custody and `dgcs worker`, on a network of four masternodes, one of which goes down meanwhile.
// The tests run at the same time: each of them mostly waits for blocks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { blake2AsU8a } from '@polkadot/util-crypto';

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
	/** The task that stays live, once all masternodes hold its content. */
	let kept;

	before(async () => {
		site = await Site.start('work');
		({ api, log } = site);
		await site.hire(5, { slots: 2 });
		// One goes as soon as it has its folders, and comes back as a cheat.
		const cheat = site.workers.at(-1);
		await cheat.says('status');
		await cheat.kill();
		kept = keepTask();
		kept.catch(() => {}); // Whoever waits for it sees why.
	});

	after(() => site?.stop());

	/** Submits a task for which no worker has the memory, so that it ends when it is cancelled. */
	async function keepTask() {
		const run = await site.owner('alice', [
			'task', 'run', site.program('pi.wasm'), '--count', '1', '--memory', '4096', '--out', site.path('kept'),
			'--account', '//Alice', '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.event('submitted');
		await until(site.network.api('dave'), 'dave holds all of a task', (dave) => isComplete(dave, task));
		return task;
	}

	it('counts the words of a large text, though a worker lies, one is killed, one never fetches, the owner leaves and a masternode fails', async () => {
		await countWords().catch((error) => {
			[down, counted].forEach((each) => each.reject(error));
			throw error;
		});
		counted.resolve();
	});

	async function countWords() {
		const text = site.path('text');
		writeFileSync(text, realText(128 << 20));
		// A stranger of another kind, who gets work like anybody else: it takes a range, and neither
		// fetches nor votes.
		const absent = new Worker(api, log, '//work//absent', { conduct: 'neverCommits', slots: 1 });
		const endow = api.tx.balances.transferKeepAlive(absent.address, 1_000n * 10n ** 12n);
		await send(api, endow, account('//Bob'));
		await absent.start();
		const cheat = site.workers.at(-1);
		const out = site.path('words');
		// A short time limit, since it is how long a range is waited for that nobody computes.
		const running = site.owner('eve', [
			'task', 'run', site.program('wordcount.wasm'), '--input', text, '--split', 'lines:50000',
			'--join', 'merge', '--merge-time', '2m', '--memory', '512', '--time', '5s', '--range', String(RANGE), '--out', out,
			'--account', '//Eve', '--yes', '--detach',
		]);
		// While there is work for everybody.
		const submitted = log.wait('tasks.Submitted', { owner: account('//Eve').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		const killed = killedMidRange(site.workers, task, RANGE);
		killed.catch(() => {}); // It is waited for later.
		assert.equal((await absent.take(1)).leased, 1);
		const { worker: victim, place } = await killed;
		corrupt(victim, cheat);
		cheat.start();
		const run = await running;
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		assert.ok(run.event('held'), 'its owner is gone, and its store with it');
		await kept;
		await site.network.node('dave').stop();
		down.resolve();
		const decided = log.all('verdicts.Decided', { task }).length;
		const { data } = await log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.equal(data.settlement.end, 'Completed');
		assert.equal(data.settlement.chain.failed, 0);
		// At least that on the range of which one did nothing.
		assert.ok(log.all('verdicts.Decided', { task }).length > decided, 'some of it with a masternode down');

		const fetch = ['task', 'fetch', String(task), '--account', '//Eve', '--out', out, '--yes'];
		const fetched = await site.owner('eve', fetch);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = site.native('wordcount', [], readFileSync(text));
		assert.ok(readFileSync(path.join(out, 'result')).equals(whole), 'as counted at home, in one piece');
		// Who lied got nothing, and who worked was paid.
		const payees = new Set(log.all('escrow.Paid', { task }).map(({ data }) => data.payee));
		assert.ok(!payees.has(account(cheat.uri).address) && !payees.has(absent.operator.address));
		const slashed = log.all('workers.Slashed').map(({ data }) => data.worker);
		assert.deepEqual(new Set(slashed), new Set([account(cheat.uri).address, absent.address]));
		assert.deepEqual(absent.actions, [], 'it did nothing at all');
		// Who was killed has taken its range up again, voted, and was paid for it.
		const revealed = { event: 'revealed', ...place };
		assert.ok(victim.said.some((note) => includes(note, revealed)), `${victim.log}: ${JSON.stringify(place)}`);
		assert.ok(payees.has(account(victim.uri).address));
	}

	it('renders a film and joins it, submitted while a masternode is down, though its owner leaves and a worker is killed', async () => {
		await down.promise;
		const out = site.path('film');
		const running = site.owner('dave', [
			'task', 'run', site.program('pathtracer.wasm'), '--count', String(FRAMES), '--range', String(FRAMES),
			'--join', 'merge', '--merge-arg', 'join', '--time', '2m', '--out', out, '--account', '//Dave', '--yes',
			'--detach',
		]);
		const submitted = log.wait('tasks.Submitted', { owner: account('//Dave').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		await killedMidRange(site.workers, task, FRAMES);
		assert.equal((await running).code, 0);
		await log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		const fetch = ['task', 'fetch', String(task), '--account', '//Dave', '--out', out, '--yes'];
		const fetched = await site.owner('dave', fetch);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const frames = Array.from({ length: FRAMES }, (_, frame) => {
			return site.native('pathtracer', [String(frame), String(FRAMES)]);
		});
		const film = site.native('pathtracer', ['join'], Buffer.concat(frames));
		assert.ok(readFileSync(path.join(out, 'result')).equals(film), 'as rendered at home');

		// The masternode that was away comes back, and answers for what it held.
		await counted.promise;
		const dave = site.network.node('dave');
		const back = await dave.start(site.network.peers(dave));
		const held = await kept;
		await until(back, 'dave answers for what it holds', () => isComplete(back, held));
		const cancelled = await site.owner('alice', ['task', 'cancel', String(held), '--account', '//Alice', '--yes']);
		assert.equal(cancelled.code, 0, JSON.stringify(cancelled.said.at(-1)));
	});

	it('throws points at a square, with random numbers on which all agree', async () => {
		// Bob's money is on its way to others until then.
		await down.promise;
		const out = site.path('pi');
		const run = await site.owner('bob', [
			'task', 'run', site.program('pi.wasm'), '--count', '3', '--join', 'merge', '--time', '2m', '--out', out,
			'--account', '//Bob', '--yes',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const [found] = /3\.14\d+/.exec(readFileSync(path.join(out, 'result'), 'utf8')) ?? [];
		assert.ok(Math.abs(Number(found) - Math.PI) < 0.001, `${found}`);
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

/** Whether a masternode holds all of a task's content. Before it knows the task, it says that. */
async function isComplete(masternode, task) {
	const { complete } = await rpc(masternode, 'dgcs_held', task).catch(() => ({}));
	return complete;
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
 * Gives a worker that does not run what another has compiled of the word count, with one letter changed: it
 * then writes all numbers to the base of sixteen, and votes for that. As who is dishonest would do, or a
 * disk that is broken, but for the seal, which is made anew here.
 * @param {import('./lib/dgcs.mjs').RealWorker} from
 * @param {import('./lib/dgcs.mjs').RealWorker} to
 */
function corrupt(from, to) {
	const [theirs, own] = [from, to].map(({ data }) => path.join(data, 'programs'));
	const SEAL = 32;
	const FORMAT = '%llu %s\n\0';
	const compiled = readdirSync(theirs).filter((name) => name.endsWith('.cwasm')).map((file) => {
		return { file, content: readFileSync(path.join(theirs, file)).subarray(0, -SEAL) };
	});
	const found = compiled.filter(({ content }) => content.includes(FORMAT));
	assert.equal(found.length, 1, 'the word count was compiled');
	const [{ file, content }] = found;
	content.write(FORMAT.replace('u', 'x'), content.indexOf(FORMAT), 'latin1');
	const name = path.basename(file, '.cwasm');
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(name.length));
	const key = readFileSync(path.join(own, 'key'));
	const seal = blake2AsU8a(Buffer.concat([length, Buffer.from(name), content]), 8 * SEAL, key);
	writeFileSync(path.join(own, file), Buffer.concat([content, seal]));
}

/**
 * Kills the first of some workers that has finished one subtask of a range and not the range, starts it
 * again, and says which one and which range that was.
 * @param {import('./lib/dgcs.mjs').RealWorker[]} workers
 * @param {number} task
 * @param {number} size of the task's ranges
 */
function killedMidRange(workers, task, size) {
	const killed = new Promise((resolve) => {
		const stops = [];
		const crash = async (worker, { range, round }) => {
			stops.forEach((stop) => stop());
			await worker.kill();
			const committed = { event: 'committed', task, range, round };
			const late = worker.said.some((note) => includes(note, committed));
			assert.ok(!late, 'it has voted already: the range is too short for this machine');
			worker.start();
			return { worker, place: { task, range, round } };
		};
		for (const worker of workers) {
			const watch = (note) => {
				if (!includes(note, { event: 'computed', task })) return;
				const range = Math.floor(note.subtask / size);
				const started = { event: 'started', task, range, subtasks: size };
				const place = worker.said.findLast((each) => includes(each, started));
				if (place) resolve(crash(worker, place));
			};
			worker.listeners.add(watch);
			stops.push(() => worker.listeners.delete(watch));
		}
	});
	return deadline(killed, SOON, () => `${workers.map(({ name }) => name)} to compute something`);
}

/** Whether a note has these fields. */
function includes(note, wanted) {
	return Object.entries(wanted).every(([field, value]) => note[field] === value);
}
