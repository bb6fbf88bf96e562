// The benchmarks of the work that tasks are about: scripts/bench-work.sh builds what they need.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

import { finalizedNumber, reached } from '../tests/e2e/lib/chain.mjs';
import { binary } from '../tests/e2e/lib/network.mjs';
import { Site } from '../tests/e2e/lib/site.mjs';
import {
	atLeast, atMost, childrenCpuTime, cpuTime, figure, median, memory,
} from './figures.mjs';

const MIB = 2 ** 20;
/** So many as there are operators who lend a core each: ranges want three of them. */
const WORKERS = 4;
/** Frames that are drawn natively, before a film is and again after it: a few were off by half once. */
const SAMPLES = 12;

const benchmarks = { owner, task, latency, idle };
await benchmarks[process.argv[2]]();
process.exit();

// The owner's side -----------------------------------------------------------------------------

/** From a file to CIDs, and from results to a file; and how much memory `dgcs` takes for that. */
async function owner() {
	const example = path.join(path.dirname(binary()), 'examples/owner');
	const kubo = process.env.DGCS_KUBO;
	const against = kubo ? ['--kubo', kubo] : [];
	const { stdout } = await promisify(execFile)(example, ['--mib', '1024', ...against]);
	const seen = JSON.parse(stdout);
	const rate = (name) => `${seen[`${name}MibPerSecond`]} MiB/s`;
	console.log(`1 GiB on ${seen.cores} cores, the median of three rounds, each against what was measured in it`);
	console.log(`the machine encrypts and hashes, once by BLAKE3: ${rate('seal')}; it checks and decrypts: ${rate('open')}`);
	const hashes = ['sha256', 'blake2b512'].map((name) => seen.cores * hashRate(name));
	const withBoth = (name) => 1 / sum([seen[`${name}MibPerSecond`], ...hashes].map((rate) => 1 / rate));
	console.log(`the same with SHA-256 and Blake2b (by OpenSSL): ${withBoth('sealAlone').toFixed(0)} MiB/s; ${withBoth('openAlone').toFixed(0)} MiB/s; a file to disk: ${rate('disk')}`);
	console.log(`a core copies a file out of the system's cache: ${rate('copy')}; to odd addresses: ${rate('copyAskew')}`);
	console.log(`a file to CIDs and Merkle roots: ${rate('name')}`);
	figure('of the machine\'s limit with SHA-256 and Blake2b', seen.nameMibPerSecond / withBoth('sealAlone'), atLeast(0.6));
	figure('of its limit with BLAKE3 alone', seen.nameOfLimit, atLeast(0.6));
	if (kubo) {
		console.log(`ipfs add of the same file: ${rate('kubo')}; with --only-hash, which keeps nothing: ${rate('kuboName')}`);
		figure('times as fast as ipfs add', seen.nameOfKubo, atLeast(3));
		console.log(`  of which the machine's limit is ${seen.sealOfKubo} times: what Kubo's disk does decides about this figure as well`);
		console.log(`  times as fast as ipfs add --only-hash: ${seen.nameOfKuboName}`);
		console.log(`  with --hash=blake3, which gives the names that ours has: ${rate('kuboBlake3')} and ${rate('kuboBlake3Name')}; ${seen.nameOfKuboBlake3} and ${seen.nameOfKuboBlake3Name} times as fast`);
	} else {
		console.log('NOT COMPARED with `ipfs add`: there is no Kubo');
	}
	// No bar for what writes to the disk: that may be slower than any of this.
	console.log(`the same into the owner's store, on disk and pinned: ${rate('put')}, ${seen.putOfLimit} of the limit, ${seen.putOfDisk} of the disk`);
	if (kubo) console.log(`  times as fast as ipfs add: ${seen.putOfKubo}`);
	console.log(`results from the store, checked and decrypted: ${rate('read')}`);
	figure('of the machine\'s limit with SHA-256 and Blake2b', seen.readMibPerSecond / withBoth('openAlone'), atLeast(0.6));
	figure('of its limit with BLAKE3 alone', seen.readOfLimit, atLeast(0.6));
	console.log(`the same into a file on disk: ${rate('fetch')}, ${seen.fetchOfLimit} of the limit, ${seen.fetchOfDisk} of the disk`);
	figure('MiB of memory to fetch 1 GiB', seen.fetchPeakMib, atMost(256), 0);
	const large = await promisify(execFile)(example, ['--mib', '8192', '--rounds', '1']);
	figure('MiB of memory to fetch 8 GiB', JSON.parse(large.stdout).fetchPeakMib, atMost(256), 0);
	const site = await Site.start('bench-owner', { alone: true });
	try {
		for (const gib of [1, 8]) await prepare(site, gib);
	} finally {
		await site.stop();
	}
}

/** How many MiB a second one core hashes, in blocks as long as ours. */
function hashRate(name) {
	const block = Buffer.alloc(256 * 1024);
	const blocks = 2048;
	const began = performance.now();
	for (let n = 0; n < blocks; n += 1) createHash(name).update(block).digest();
	return blocks * block.length / MIB / (performance.now() - began) * 1000;
}

/** The memory that `dgcs task prepare` has for so many GiB. */
async function prepare(site, gib) {
	const input = site.path('input');
	// A hole: what the bytes are makes no difference to memory, and their encryption is like no other.
	writeFileSync(input, '');
	truncateSync(input, gib * 1024 * MIB);
	const data = site.path('owner');
	const began = performance.now();
	const child = spawn(binary(), [
		'task', 'prepare', site.program('wordcount.wasm'), '--input', input, '--account', '//Eve',
		'--data', data, '--chain', site.network.node('alice').url, '--output', 'json',
		'--listen', '/ip4/127.0.0.1/tcp/0',
	], { stdio: ['ignore', 'ignore', 'inherit'] });
	let most = 0;
	const ended = new Promise((resolve) => child.once('exit', resolve));
	const look = setInterval(() => {
		// It may be gone before this process is told so.
		if (existsSync(`/proc/${child.pid}/status`)) most = Math.max(most, memory(child.pid, 'VmHWM'));
	}, 20);
	const code = await ended;
	clearInterval(look);
	if (code !== 0) throw new Error(`dgcs task prepare of ${gib} GiB ended with exit code ${code}`);
	const seconds = (performance.now() - began) / 1000;
	console.log(`dgcs task prepare of ${gib} GiB: ${seconds.toFixed(1)} s, ${Math.round(gib * 1024 / seconds)} MiB/s`);
	figure('MiB of memory at the most', most, atMost(256), 0);
	rmSync(input);
	rmSync(data, { recursive: true });
}

// Whole tasks ----------------------------------------------------------------------------------

/** Whole tasks, typed by their owner, against what their program takes at home. */
async function task() {
	// Enough frames that the seconds from the submission to the first lease and from the last vote to the
	// solution are few among all.
	await film(96, 64);
	await film(192, 32);
}

/** A film of frames of so many samples a pixel, on the terms that a task has by default, but for its time. */
async function film(frames, samples) {
	const size = ['640', '360', String(samples)];
	const cores = availableParallelism();
	// One masternode: the time of the others' processors is theirs, and not the task's.
	const site = await Site.start('bench-task', { alone: true });
	try {
		await site.hire(WORKERS);
		// Compiles it.
		site.native('pathtracer', ['0', '1', '1', '1', '1']);
		const before = sample();
		const nodes = [...site.network.nodes.values()];
		const used = () => ({
			workers: sum(site.workers.map(({ child }) => cpuTime(child.pid))),
			masternodes: sum(nodes.map(({ child }) => cpuTime(child.pid))),
			others: childrenCpuTime() + cpuTime('self'),
		});
		const [from, began] = [used(), performance.now()];
		const run = await site.owner('eve', [
			'task', 'run', site.program('pathtracer.wasm'), '--count', String(frames), '--time', '5m',
			'--out', site.path('film'), '--account', '//Eve', '--yes', '--', ...size,
		]);
		const seconds = (performance.now() - began) / 1000;
		const to = used();
		if (run.code !== 0) throw new Error(`the task failed: ${JSON.stringify(run.said.at(-1))}`);
		const native = (before + sample()) / 2;
		const computed = site.workers.flatMap(({ said }) => said.filter(({ event }) => event === 'computed'));
		const ranges = site.workers.flatMap(({ said }) => said.filter(({ event }) => event === 'started'));
		const inside = sum(computed.map(({ cpuMs }) => cpuMs)) / 1000;
		const ideal = 3 * frames * native / cores;
		const split = Object.keys(to).map((who) => `${who} ${(to[who] - from[who]).toFixed(0)} s`);
		console.log(`${frames} frames of ${native.toFixed(2)} s each, natively; three replicas, ${WORKERS} workers, ${cores} cores, ${Math.max(...ranges.map(({ subtasks }) => subtasks))} frames leased at a time`);
		console.log(`processor time: ${split.join(', ')}, of which in the sandbox ${inside.toFixed(0)} s for ${computed.length} results`);
		figure('of the native time in the sandbox', inside / (computed.length * native), atMost(1.5));
		console.log(`from the command to the solution: ${seconds.toFixed(0)} s; ideally ${ideal.toFixed(0)} s`);
		figure('of the ideal', seconds / ideal, atMost(1.5));
	} finally {
		await site.stop();
	}

	/** Processor seconds that a frame takes at home: of some, all over the film. */
	function sample() {
		const before = childrenCpuTime();
		const some = Array.from({ length: SAMPLES }, (_, i) => String(Math.floor((i + 0.5) * frames / SAMPLES)));
		some.forEach((frame) => site.native('pathtracer', [frame, String(frames), ...size]));
		return (childrenCpuTime() - before) / some.length;
	}
}

/** The smallest task, in blocks from that with its submission to that with its verdict. */
async function latency() {
	const rounds = 6;
	const site = await Site.start('bench-latency');
	try {
		await site.hire(WORKERS);
		const all = [];
		for (let round = 0; round < rounds; round++) {
			const run = await site.owner('eve', [
				'task', 'run', site.program('pi.wasm'), '--count', '1', '--out', site.path(`pi-${round}`),
				'--account', '//Eve', '--yes', '--', '1',
			]);
			if (run.code !== 0) throw new Error(`the task failed: ${JSON.stringify(run.said.at(-1))}`);
			const { task } = run.said.find(({ event }) => event === 'submitted');
			await site.log.wait('verdicts.Decided', { task });
			const last = (kind) => site.log.all(kind, { task }).at(-1).block;
			const submitted = last('tasks.Submitted');
			all.push({
				leased: last('tasks.Leased') - submitted,
				committed: last('verdicts.Committed') - submitted,
				revealed: last('verdicts.Revealed') - submitted,
				decided: last('verdicts.Decided') - submitted,
			});
		}
		console.log(`${rounds} tasks of one subtask, one after the other; four masternodes, ${WORKERS} idle workers`);
		console.log('blocks after that of the submission (least, median, most):');
		for (const stage of Object.keys(all[0])) {
			const blocks = all.map((each) => each[stage]);
			const [least, most] = [Math.min(...blocks), Math.max(...blocks)];
			console.log(`  ${stage}: ${least}, ${median(blocks)}, ${most}`);
		}
		figure('blocks to the verdict, median', median(all.map(({ decided }) => decided)), atMost(8), 0);
		figure('blocks to the verdict, most', Math.max(...all.map(({ decided }) => decided)), atMost(8), 0);
	} finally {
		await site.stop();
	}
}

/** What a worker costs that has nothing to do. */
async function idle() {
	const seconds = 60;
	const site = await Site.start('bench-idle', { alone: true });
	try {
		await site.hire(1);
		const [{ child }] = site.workers;
		// What it does at its start is over then.
		await reached(site.api, (await finalizedNumber(site.api)) + 10);
		const [from, began] = [cpuTime(child.pid), performance.now()];
		await setTimeout(seconds * 1000);
		const part = (cpuTime(child.pid) - from) / ((performance.now() - began) / 1000);
		console.log(`a worker with nothing to do for ${seconds} s, on the RPC of one masternode`);
		figure('% of a core', 100 * part, atMost(2));
		figure('MiB', memory(child.pid, 'VmRSS'), atMost(150), 0);
	} finally {
		await site.stop();
	}
}

/** @param {number[]} values */
function sum(values) {
	return values.reduce((total, value) => total + value, 0);
}
