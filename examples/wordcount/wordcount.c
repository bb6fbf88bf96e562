/*
 * Counts how often each word occurs.
 *
 *   wordcount          text in, a line for each word out: how often, and the word
 *   wordcount merge    such lines in, of any number of texts; one line for each word out
 *
 * A word is a run of ASCII letters and of bytes beyond ASCII, so that any language in UTF-8 has words.
 * Letters of ASCII count as small. The most frequent word comes first, equal ones in the order of
 * their bytes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word of more bytes is cut. */
#define LONGEST 255

/* How much text is read at once. */
#define BLOCK (1 << 16)

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "wordcount: %s: %s\n", what, errno ? strerror(errno) : "bad input");
	exit(2);
}

/* A table of words, by open addressing ----------------------------------------------------------- */

typedef struct {
	char *word;
	union {
		struct {
			uint32_t length, hash;
		};
		/* Its first letters, when all is counted: they put most words in order. */
		uint64_t start;
	};
	uint64_t count;
} entry;

static entry *table;
static size_t size, used;

/* FNV-1a, a byte at a time. */
#define HASH_START 2166136261u
static uint32_t hash_with(uint32_t hash, unsigned char byte) { return (hash ^ byte) * 16777619u; }

/* Whether two words of that length, which is not 0, are the same. memcmp of a WASI library goes byte by
 * byte, and most words are so short that a call takes as long as the comparison. */
static int same(const char *a, const char *b, size_t length) {
	if (length < 4)
		return a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1];
	if (length < 8) {
		/* The first four and the last, which overlap. */
		uint32_t x[2], y[2];
		memcpy(x, a, 4), memcpy(x + 1, a + length - 4, 4);
		memcpy(y, b, 4), memcpy(y + 1, b + length - 4, 4);
		return x[0] == y[0] && x[1] == y[1];
	}
	uint64_t x, y;
	for (size_t at = 0; at < length - 8; at += 8) {
		memcpy(&x, a + at, 8), memcpy(&y, b + at, 8);
		if (x != y) return 0;
	}
	memcpy(&x, a + length - 8, 8), memcpy(&y, b + length - 8, 8);
	return x == y;
}

static entry *place_of(const char *word, uint32_t length, uint32_t hash) {
	size_t at = hash & (size - 1);
	for (;; at = (at + 1) & (size - 1)) {
		entry *e = &table[at];
		if (!e->word) return e;
		if (e->hash == hash && e->length == length && same(e->word, word, length)) return e;
	}
}

static void grow(void) {
	entry *old = table;
	size_t old_size = size;
	size = size ? 2 * size : 1 << 12;
	table = calloc(size, sizeof *table);
	if (!table) fail("no memory for the words");
	for (size_t i = 0; i < old_size; i++)
		if (old[i].word) *place_of(old[i].word, old[i].length, old[i].hash) = old[i];
	free(old);
}

/* Apart from what is done with words that are known, since nearly all are. */
__attribute__((noinline)) static void add(entry *e, const char *word, size_t length, uint32_t hash,
                                          uint64_t times) {
	char *copy = malloc(length + 1);
	if (!copy) fail("no memory for a word");
	memcpy(copy, word, length);
	copy[length] = 0;
	*e = (entry){.word = copy, .length = (uint32_t)length, .hash = hash, .count = times};
	if (2 * ++used >= size) grow();
}

static void count(const char *word, size_t length, uint32_t hash, uint64_t times) {
	entry *e = place_of(word, (uint32_t)length, hash);
	if (e->word)
		e->count += times;
	else
		add(e, word, length, hash, times);
}

static void count_unhashed(const char *word, size_t length, uint64_t times) {
	uint32_t hash = HASH_START;
	for (size_t i = 0; i < length; i++) hash = hash_with(hash, (unsigned char)word[i]);
	count(word, length, hash, times);
}

/* Input and output ------------------------------------------------------------------------------- */

static void read_text(void) {
	/* A block of text, behind what of its last word the block before had. */
	static unsigned char text[LONGEST + BLOCK + 1];
	/* The byte as it counts in a word, or 0. */
	static unsigned char letter[256];
	for (int c = 128; c < 256; c++) letter[c] = (unsigned char)c;
	for (int c = 'a'; c <= 'z'; c++) letter[c] = letter[c - 'a' + 'A'] = (unsigned char)c;

	size_t kept = 0, got;
	while ((got = fread(text + kept, 1, BLOCK, stdin)) > 0) {
		unsigned char *at = text, *word, *end = text + kept + got;
		*end = 0; /* Not a letter, so that a word ends with the text. */
		for (;; at++) {
			uint32_t hash = HASH_START;
			/* A turn is so little that what a sandbox counts at each is a good part of it. */
#pragma clang loop unroll_count(4)
			for (word = at; letter[*at]; at++) hash = hash_with(hash, *at = letter[*at]);
			if (at == end) break;
			size_t length = (size_t)(at - word);
			if (length > LONGEST)
				count_unhashed((char *)word, LONGEST, 1);
			else if (length)
				count((char *)word, length, hash, 1);
		}
		kept = (size_t)(end - word);
		if (kept > LONGEST) kept = LONGEST;
		memmove(text, word, kept);
	}
	if (kept) count_unhashed((char *)text, kept, 1);
}

static void read_counts(void) {
	char word[LONGEST + 1];
	unsigned long long times;
	int read;
	while ((read = scanf("%llu %255s", &times, word)) == 2) count_unhashed(word, strlen(word), times);
	if (read != EOF) fail("not a line of a count and a word");
}

static int comes_before(const entry *x, const entry *y) {
	if (x->count != y->count) return x->count > y->count;
	if (x->start != y->start) return x->start < y->start;
	return strcmp(x->word, y->word) < 0;
}

/* By merging. qsort of a WASI library compares twice as often, by a call each time. */
static void sort(entry *words, entry *spare, size_t n) {
	if (n < 2) return;
	size_t half = n / 2;
	sort(words, spare, half), sort(words + half, spare, n - half);
	memcpy(spare, words, half * sizeof *words);
	for (size_t i = 0, j = half, to = 0; i < half;)
		words[to++] = j < n && comes_before(&words[j], &spare[i]) ? words[j++] : spare[i++];
}

static void write_counts(void) {
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		entry e = table[i];
		if (!e.word) continue;
		uint64_t start = 0;
		for (uint32_t at = 0; at < sizeof start; at++)
			start = start << 8 | (at < e.length ? (unsigned char)e.word[at] : 0);
		e.start = start;
		table[n++] = e;
	}
	entry *spare = malloc((n / 2 + 1) * sizeof *spare);
	if (!spare) fail("no memory to sort");
	sort(table, spare, n);
	for (size_t i = 0; i < n; i++) printf("%llu %s\n", (unsigned long long)table[i].count, table[i].word);
}

int main(int argc, char **argv) {
	grow();
	if (argc == 1) {
		read_text();
	} else if (argc == 2 && !strcmp(argv[1], "merge")) {
		read_counts();
	} else {
		fprintf(stderr, "wordcount: %s: the only argument there is, is merge\n", argv[1]);
		return 2;
	}
	if (ferror(stdin)) fail("can't read");
	write_counts();
	if (fflush(stdout) || ferror(stdout)) fail("can't write");
	return 0;
}
