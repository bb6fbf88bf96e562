// Runs the tests: all, or the files given. Two files at a time, each with its own network, since a
// test mostly waits for blocks. What `node --test` does not yet take as an option in Node.js 18.

import { readdirSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const given = process.argv.slice(2);
// The longest first, so that no single one is left at the end.
const order = ['network', 'tasks', 'bad-input', 'upgrade', 'interface', 'votes'];
const rank = (file) => order.findIndex((name) => file.startsWith(name));
// Real work is a stage of its own: it needs the machine for itself.
const all = readdirSync(here)
	.filter((file) => file.endsWith('.test.mjs') && file !== 'work.test.mjs');
const files = (given.length ? given : all.sort((a, b) => rank(a) - rank(b)))
	.map((file) => fileURLToPath(new URL(file, `file://${here}`)));

run({ files, concurrency: 2 })
	.on('test:fail', () => (process.exitCode = 1))
	.compose(new spec())
	.pipe(process.stdout);
