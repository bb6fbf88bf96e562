// The demo, started as anybody starts it: its own network, its own ports, and a film that opens.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { decodeApng } from 'fast-png';

import { deadline, MINUTE } from './lib/time.mjs';

const script = fileURLToPath(new URL('../../scripts/demo.sh', import.meta.url));

describe('demo', () => {
	const state = mkdtempSync(path.join(tmpdir(), 'dgcs-demo-'));
	after(() => rmSync(state, { recursive: true, force: true }));

	it('renders a film and shows who made it', async () => {
		const said = await run(['--once'], { XDG_STATE_HOME: state });
		// The command that it prints, and what came of it.
		assert.match(said, /dgcs task run .*pathtracer\.wasm --count 12 /);
		assert.match(said, /Task 0 is settled\./);
		const film = path.join(state, 'dgcs/demo/film.png');
		assert.ok(said.includes(`file://${film}`), said);

		// Somebody else's decoder, which checks every checksum.
		const { width, height, frames } = decodeApng(readFileSync(film), { checkCrc: true });
		assert.deepEqual([width, height, frames.length], [320, 180, 12]);
		const pictures = new Set(frames.map(({ data }) => Buffer.from(data).toString('base64')));
		assert.equal(pictures.size, 12, 'the picture moves');
	});

	it('refuses what it does not know', async () => {
		await assert.rejects(run(['--twice']), /--twice is no option; there is only --once/);
	});
});

/** Runs the script to its end, and gives what it said. */
async function run(args, env = {}) {
	const child = spawn(script, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
	const closed = new Promise((resolve) => child.once('close', resolve));
	const code = await deadline(closed, 20 * MINUTE, () => `the end of the demo, which has said:\n${said}`)
		// Its last breath ends what it started.
		.catch((late) => (child.kill('SIGTERM'), Promise.reject(late)));
	if (code !== 0) throw new Error(`the demo ended with exit code ${code}:\n${said}`);
	return said;
}
