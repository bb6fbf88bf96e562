/*
 * A path tracer: renders one frame of a short film, and joins frames into an animated PNG.
 *
 *   pathtracer FRAME FRAMES [WIDTH HEIGHT SAMPLES]    the frame, as a PPM picture
 *   pathtracer join                                   PPM pictures in, one APNG out
 *
 * Without FRAME and FRAMES it takes DGCS_SUBTASK and DGCS_SUBTASKS from the environment. Nothing but
 * IEEE arithmetic and square roots: every machine renders the same bytes.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *value) {
	fprintf(stderr, "pathtracer: %s: %s\n", what, value);
	exit(2);
}

/* Vectors ------------------------------------------------------------------------------------ */

typedef struct {
	double x, y, z;
} vec;

static vec v(double x, double y, double z) { return (vec){x, y, z}; }
static vec add(vec a, vec b) { return v(a.x + b.x, a.y + b.y, a.z + b.z); }
static vec sub(vec a, vec b) { return v(a.x - b.x, a.y - b.y, a.z - b.z); }
static vec mul(vec a, vec b) { return v(a.x * b.x, a.y * b.y, a.z * b.z); }
static vec scale(vec a, double s) { return v(a.x * s, a.y * s, a.z * s); }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return scale(a, 1 / sqrt(dot(a, a))); }
static vec cross(vec a, vec b) {
	return v(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

/* Cosine of a number of turns. Of its own, because libraries differ in the last bit. */
static double cos_turns(double turns) {
	double x = turns - floor(turns);
	if (x > 0.5) x = 1 - x;
	double sign = 1;
	if (x > 0.25) x = 0.5 - x, sign = -1;
	double a = x * 6.283185307179586, square = a * a, term = 1, sum = 1;
	for (int i = 1; i <= 9; i++) {
		term *= -square / ((2 * i - 1) * (2 * i));
		sum += term;
	}
	return sign * sum;
}
static double sin_turns(double turns) { return cos_turns(turns - 0.25); }

/* Random numbers (PCG32, O'Neill 2014) --------------------------------------------------------- */

static uint64_t state;

static double uniform(void) {
	uint64_t old = state;
	state = old * 6364136223846793005u + 1442695040888963407u;
	uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
	return ((shifted >> turn) | (shifted << (-turn & 31))) * 0x1p-32;
}

static vec in_sphere(void) {
	for (;;) {
		/* One after the other: C leaves it to the compiler in which order arguments are computed. */
		double x = 2 * uniform() - 1, y = 2 * uniform() - 1, z = 2 * uniform() - 1;
		vec p = v(x, y, z);
		double length = dot(p, p);
		if (length < 1 && length > 1e-6) return p;
	}
}

/* The scene ------------------------------------------------------------------------------------ */

enum material { MATT, MIRROR, GLASS };

typedef struct {
	vec centre;
	double radius;
	vec colour;
	enum material material;
} sphere;

#define SPHERES 9
static sphere scene[SPHERES];

static double bounce(double turns) { return fabs(sin_turns(turns)); }

static void build_scene(double time) {
	int n = 0;
	scene[n++] = (sphere){v(0, 1, 0), 1, v(0.98, 0.98, 0.98), GLASS};
	scene[n++] = (sphere){v(0, -2000, 0), 2000, v(0.75, 0.75, 0.78), MATT};
	for (int i = 0; i < SPHERES - 2; i++) {
		double turn = (double)i / (SPHERES - 2) + time;
		double height = 0.45 + 0.9 * bounce(time + i * 0.5 / (SPHERES - 2));
		vec colour = v(0.55 + 0.4 * cos_turns(turn - time), 0.55 + 0.4 * cos_turns(turn - time + 0.33),
		               0.55 + 0.4 * cos_turns(turn - time + 0.67));
		vec centre = v(2.4 * cos_turns(turn), height, 2.4 * sin_turns(turn));
		scene[n++] = (sphere){centre, 0.45, colour, i % 3 == 1 ? MIRROR : MATT};
	}
}

static vec sky(vec direction) {
	vec sun = unit(v(-1, 1.3, 0.8));
	double up = 0.5 * (direction.y + 1), towards = dot(direction, sun);
	vec light = add(scale(v(1, 0.82, 0.66), 1 - up), scale(v(0.25, 0.45, 0.95), up));
	if (towards > 0.985) light = add(light, scale(v(1, 0.85, 0.6), 14));
	return light;
}

/* The distance along a ray to a sphere, or 0. */
static double hit(const sphere *s, vec from, vec direction) {
	vec to = sub(s->centre, from);
	double along = dot(to, direction);
	double root = along * along - dot(to, to) + s->radius * s->radius;
	if (root < 0) return 0;
	root = sqrt(root);
	if (along - root > 1e-4) return along - root;
	return along + root > 1e-4 ? along + root : 0;
}

static vec reflect(vec d, vec n) { return sub(d, scale(n, 2 * dot(d, n))); }

/* Through glass, or off it, as Schlick's approximation has it. */
static vec refract(vec d, vec n) {
	double cosine = -dot(d, n), ratio = 1 / 1.5;
	if (cosine < 0) n = scale(n, -1), cosine = -cosine, ratio = 1.5;
	double root = 1 - ratio * ratio * (1 - cosine * cosine);
	if (root < 0) return reflect(d, n);
	double c = 1 - (ratio > 1 ? sqrt(root) : cosine), base = 0.04;
	if (uniform() < base + (1 - base) * c * c * c * c * c) return reflect(d, n);
	return unit(add(scale(d, ratio), scale(n, ratio * cosine - sqrt(root))));
}

static vec trace(vec from, vec direction) {
	vec light = v(1, 1, 1);
	for (int depth = 0; depth < 12; depth++) {
		const sphere *nearest = NULL;
		double distance = 1e30;
		for (int i = 0; i < SPHERES; i++) {
			double d = hit(&scene[i], from, direction);
			if (d > 0 && d < distance) distance = d, nearest = &scene[i];
		}
		if (!nearest) return mul(light, sky(direction));

		from = add(from, scale(direction, distance));
		vec normal = unit(sub(from, nearest->centre));
		vec colour = nearest->colour;
		if (nearest->radius > 1000) {
			/* The floor is a chessboard. */
			int odd = ((int)floor(from.x) + (int)floor(from.z)) & 1;
			colour = odd ? colour : scale(colour, 0.35);
		}
		light = mul(light, colour);
		switch (nearest->material) {
		case MATT: direction = unit(add(normal, unit(in_sphere()))); break;
		case MIRROR: direction = reflect(direction, normal); break;
		case GLASS: direction = refract(direction, normal); break;
		}
	}
	return v(0, 0, 0);
}

/* A frame -------------------------------------------------------------------------------------- */

static unsigned char to_byte(double light) {
	double shown = sqrt(light / (1 + light)) * 255 + 0.5;
	return shown > 255 ? 255 : (unsigned char)shown;
}

static void render(long frame, long frames, long width, long height, long samples) {
	double time = (double)frame / (double)frames;
	build_scene(time);
	vec eye = v(5.6 * sin_turns(time * 0.5 + 0.08), 2.1 + 0.5 * sin_turns(time), 5.6 * cos_turns(time * 0.5 + 0.08));
	vec ahead = unit(sub(v(0, 0.75, 0), eye));
	vec right = unit(cross(ahead, v(0, 1, 0))), up = cross(right, ahead);
	double aspect = (double)width / (double)height;

	printf("P6\n%ld %ld\n255\n", width, height);
	for (long y = 0; y < height; y++) {
		for (long x = 0; x < width; x++) {
			state = ((uint64_t)frame << 40) ^ ((uint64_t)y << 20) ^ (uint64_t)x;
			uniform(), uniform();
			vec light = v(0, 0, 0);
			for (long s = 0; s < samples; s++) {
				double u = (2 * ((double)x + uniform()) / (double)width - 1) * aspect * 0.5;
				double w = (1 - 2 * ((double)y + uniform()) / (double)height) * 0.5;
				light = add(light, trace(eye, unit(add(ahead, add(scale(right, u), scale(up, w))))));
			}
			light = scale(light, 1 / (double)samples);
			putchar(to_byte(light.x)), putchar(to_byte(light.y)), putchar(to_byte(light.z));
		}
	}
}

/* Joining frames (PNG 1.2 and APNG 1.0) -------------------------------------------------------- */

typedef struct {
	unsigned char *bytes;
	size_t length, room;
} buffer;

static void put(buffer *b, const void *bytes, size_t length) {
	if (b->length + length > b->room) {
		b->room = 2 * (b->length + length);
		b->bytes = realloc(b->bytes, b->room);
		if (!b->bytes) fail("no memory", strerror(errno));
	}
	memcpy(b->bytes + b->length, bytes, length);
	b->length += length;
}
static void put32(buffer *b, uint32_t n) {
	put(b, (unsigned char[]){n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255}, 4);
}
static void put16(buffer *b, uint32_t n) { put(b, (unsigned char[]){n >> 8 & 255, n & 255}, 2); }

static uint32_t crc_table[256];

static uint32_t crc(uint32_t crc, const unsigned char *bytes, size_t length) {
	if (!crc_table[1]) {
		for (uint32_t n = 0; n < 256; n++) {
			uint32_t c = n;
			for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
			crc_table[n] = c;
		}
	}
	crc = ~crc;
	for (size_t i = 0; i < length; i++) crc = crc_table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
	return ~crc;
}

static void write_chunk(const char *type, const buffer *content) {
	buffer head = {0}, tail = {0};
	put32(&head, (uint32_t)content->length);
	put(&head, type, 4);
	put32(&tail, crc(crc(0, (const unsigned char *)type, 4), content->bytes, content->length));
	fwrite(head.bytes, 1, head.length, stdout);
	fwrite(content->bytes, 1, content->length, stdout);
	fwrite(tail.bytes, 1, tail.length, stdout);
	free(head.bytes), free(tail.bytes);
}

/* Rows of pixels as a zlib stream of stored blocks. */
static void put_pixels(buffer *b, const unsigned char *pixels, size_t row, size_t rows) {
	uint32_t low = 1, high = 0;
	put(b, "\x78\x01", 2);
	for (size_t y = 0; y < rows; y++) {
		size_t length = row + 1;
		unsigned char stored[] = {y + 1 == rows, length & 255, length >> 8, ~length & 255,
		                          (~length >> 8) & 255, 0};
		put(b, stored, sizeof stored);
		put(b, pixels + y * row, row);
		/* Adler-32, over the row's filter byte (0) and the row. */
		high = (high + low) % 65521;
		for (size_t x = 0; x < row; x++) {
			low = (low + pixels[y * row + x]) % 65521;
			high = (high + low) % 65521;
		}
	}
	put32(b, high << 16 | low);
}

/* Reads one PPM from standard input into `pixels`. 0 at the end of the input. */
static int read_frame(buffer *pixels, unsigned *width, unsigned *height) {
	unsigned w, h, most;
	int read = scanf("P6 %u %u %u", &w, &h, &most);
	if (read == EOF) return 0;
	if (read != 3 || most != 255 || getchar() == EOF || w < 1 || w > 21844 || h < 1 || h > 65535)
		fail("not a PPM picture of at most 21844 x 65535 pixels", "standard input");
	if (*width && (w != *width || h != *height)) fail("a frame has another size", "standard input");
	*width = w, *height = h;
	size_t frame = (size_t)w * h * 3;
	unsigned char *bytes = malloc(frame);
	if (!bytes) fail("no memory", strerror(errno));
	if (fread(bytes, 1, frame, stdin) != frame) fail("a frame is cut short", "standard input");
	put(pixels, bytes, frame);
	free(bytes);
	return 1;
}

static void join(void) {
	buffer frames = {0};
	unsigned width = 0, height = 0;
	uint32_t count = 0, sequence = 0;
	while (read_frame(&frames, &width, &height)) count++;
	if (!count) fail("no frames", "standard input");

	buffer chunk = {0};
	fwrite("\x89PNG\r\n\x1a\n", 1, 8, stdout);
	put32(&chunk, width), put32(&chunk, height), put(&chunk, "\x08\x02\0\0\0", 5);
	write_chunk("IHDR", &chunk);
	chunk.length = 0;
	put32(&chunk, count), put32(&chunk, 0);
	write_chunk("acTL", &chunk);
	for (uint32_t i = 0; i < count; i++) {
		chunk.length = 0;
		put32(&chunk, sequence++), put32(&chunk, width), put32(&chunk, height);
		put32(&chunk, 0), put32(&chunk, 0), put16(&chunk, 1), put16(&chunk, 24), put(&chunk, "\0\0", 2);
		write_chunk("fcTL", &chunk);
		chunk.length = 0;
		if (i) put32(&chunk, sequence++);
		put_pixels(&chunk, frames.bytes + (size_t)i * width * height * 3, (size_t)width * 3, height);
		write_chunk(i ? "fdAT" : "IDAT", &chunk);
	}
	chunk.length = 0;
	write_chunk("IEND", &chunk);
	free(chunk.bytes), free(frames.bytes);
}

static long number(const char *text, long least, long most) {
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;
	if (!text) fail("give FRAME and FRAMES, or DGCS_SUBTASK and DGCS_SUBTASKS", "missing");
	if (*text == 0 || *end || n < least || n > most) fail("a number is out of range", text);
	return n;
}

int main(int argc, char **argv) {
	if (argc == 2 && !strcmp(argv[1], "join")) {
		join();
	} else {
		int given = argc == 3 || argc == 6;
		if (!given && argc != 1 && argc != 4) fail("FRAME FRAMES [WIDTH HEIGHT SAMPLES], or join", argv[1]);
		long frames = number(given ? argv[2] : getenv("DGCS_SUBTASKS"), 1, 1 << 20);
		long frame = number(given ? argv[1] : getenv("DGCS_SUBTASK"), 0, frames - 1);
		char **size = argv + (given ? 3 : 1);
		int sized = argc > 3;
		render(frame, frames, sized ? number(size[0], 1, 7680) : 320, sized ? number(size[1], 1, 4320) : 180,
		       sized ? number(size[2], 1, 100000) : 48);
	}
	if (fflush(stdout) || ferror(stdout)) fail("can't write", strerror(errno));
	return 0;
}
