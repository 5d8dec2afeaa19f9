/* Opens damaged files of networks and hostile ink; the sanitizers end it at the first fault.
 *
 *     hostile COUNT SEED NETWORK.bin...
 *
 * Prints how many calls had each status. */
#include "../../engine/internal.h"

#include <stdio.h>

static uint64_t state;
static uint32_t statuses[HW_TOO_LARGE + 1], allocations, most_allocations;

static uint32_t random_below(uint32_t count) {
    state = 6364136223846793005u * state + 1442695040888963407u;
    return (uint32_t)(state >> 33) % count;
}

static void *allocate(void *context, size_t size) {
    (void)context;
    if (++allocations > most_allocations) return NULL;
    return size > 1u << 30 ? NULL : malloc(size);
}

static void release(void *context, void *memory) {
    (void)context;
    free(memory);
}

static hw_status note(hw_work *work, hw_status status) {
    statuses[status]++;
    if ((status != HW_OK) != (hw_message(work)[0] != 0)) abort(); /* a status without its message */
    return status;
}

static int stops(void *context, const hw_ink *ink) {
    (void)context;
    return ink->num_points > 100; /* networks of noise write long lines */
}

/* Points of every kind: far, equal, not finite, without an order. */
static size_t make_ink(hw_point *points, size_t room) {
    static const float SCALES[] = {1.0f, 1e-30f, 1e30f, 3e38f, 0.0f, 100.0f};
    const size_t count = random_below(8) ? random_below((uint32_t)room) : random_below(4);
    const float scale = SCALES[random_below(6)];
    const uint32_t lifts = 1 + random_below(40), kind = random_below(5);
    for (size_t i = 0; i < count; i++) {
        const float x = (float)random_below(1000) / 1000.0f;
        const float y = (float)random_below(1000) / 1000.0f;
        points[i] = (hw_point){scale * (x + (kind > 2 ? (float)i / 10.0f : 0.0f)), scale * y,
                               random_below(lifts) == 0};
        if (kind == 0 && random_below(50) == 0) points[i].x = random_below(2) ? NAN : INFINITY;
    }
    return count;
}

/* Make rows neater that no reader has read: words share strokes, rows overlap, numbers are wrong. */
static void use_neat(hw_work *work, hw_point *points, size_t count) {
    enum { ROWS = 3, WORDS = 6, STROKES = 5 };
    static const char *const TEXTS[] = {"", "a", "Qy", ".", "\xff", "Ääß5"};
    static const uint32_t WRONG[] = {0, 1, UINT32_MAX, 7};
    hw_row rows[ROWS] = {{0}};
    hw_word words[ROWS][WORDS] = {{{0}}};
    uint32_t numbers[ROWS][WORDS][STROKES], strokes = 0;
    for (size_t i = 0; i < count; i++) strokes += points[i].pen_up || i + 1 == count;
    for (int k = 0; k < ROWS; k++) {
        const uint32_t first = random_below(strokes + 1), rest = strokes - first;
        rows[k] = (hw_row){.first_stroke = first, .num_strokes = random_below(rest + 1),
                           .words = words[k], .num_words = random_below(WORDS + 1),
                           .is_drawing = random_below(8) == 0};
        if (random_below(20) == 0) rows[k].first_stroke = WRONG[random_below(4)];
        if (random_below(20) == 0) rows[k].num_strokes = WRONG[random_below(4)];
        for (int n = 0; n < WORDS; n++) {
            words[k][n].text = TEXTS[random_below(6)];
            words[k][n].strokes = numbers[k][n];
            words[k][n].num_strokes = random_below(STROKES + 1);
            for (int i = 0; i < STROKES; i++)
                numbers[k][n][i] = random_below(200) ? first + random_below(rest + 1)
                                                     : WRONG[random_below(4)];
        }
    }
    note(work, hw_neat(work, points, count, rows, random_below(ROWS + 1), points));
}

static void use_reader(hw_work *work, const hw_network *network, hw_point *points, size_t count) {
    hw_page *page = NULL;
    hw_row *row = NULL;
    if (note(work, hw_read_page(work, network, points, count, &page)) == HW_OK)
        note(work, hw_neat(work, points, count, page->rows, page->num_rows, points));
    note(work, hw_read_row(work, network, points, count, &row));
    use_neat(work, points, count);
    hw_free(page);
    hw_free(row);
}

static void use_writer(hw_work *work, const hw_network *network, hw_point *points, size_t count) {
    const hw_info *info = hw_about(network);
    static const float VALUES[] = {0.0f, 1.0f, -1.0f, 1e-30f, 3e38f, NAN, INFINITY, 90.0f};
    float vector[8];
    hw_hand mine = {.text = "ab", .points = points, .num_points = (uint32_t)count};
    for (int i = 0; i < 8; i++) vector[i] = VALUES[random_below(8)];
    if (random_below(2)) mine.x_height = mine.stretch[1] = vector[0], mine.stretch[0] = vector[1];
    if (random_below(3) == 0) mine = (hw_hand){.vector = vector, .size = random_below(9)};
    hw_style style = {.seed = random_below(1000), .bias = (float)random_below(3)};
    hw_ink *ink = NULL;
    hw_hand *hand = NULL;
    if (info->num_styles && random_below(2)) style.name = info->styles[0];
    if (random_below(4) == 0) style.hand = &mine;
    note(work, hw_write_line(work, network, "A 5 ab", &style, NULL, stops, NULL, &ink));
    hw_free(ink);
    note(work, hw_hand_of_line(work, network, "ab", points, count, &hand));
    hw_free(hand);
    note(work, hw_hand_of(work, network, NULL, 1, &hand));
    hw_free(hand);
}

static void use_descriptor(hw_work *work, const hw_network *network, hw_point *points,
                           size_t count) {
    float *description = calloc(hw_about(network)->description_size, sizeof *description);
    note(work, hw_describe(work, network, points, count, description));
    free(description);
}

/* Change a copy of a file; often its hash is right all the same, so that its content is parsed. */
static size_t damage(uint8_t *bytes, size_t size) {
    const uint8_t *end_of_line = memchr(bytes, '\n', size);
    const uint32_t header = end_of_line ? (uint32_t)(end_of_line - bytes) : (uint32_t)size;
    const uint32_t kind = random_below(6);
    if (kind == 0) return random_below((uint32_t)size);
    for (uint32_t i = 1 + random_below(8); i-- > 0;) {
        const uint32_t place = random_below(kind < 4 ? header : (uint32_t)size);
        static const char SIGNS[] = "0123456789-.eE\"{}[],:\\ntu";
        bytes[place] = kind % 2 ? (uint8_t)SIGNS[random_below(sizeof SIGNS - 1)]
                                : (uint8_t)random_below(256);
    }
    if (random_below(5)) sha256(bytes, size - 32, bytes + size - 32);
    return size;
}

static void try_network(const uint8_t *bytes, size_t size, hw_point *points, size_t room) {
    hw_work *work;
    hw_network *network = NULL;
    uint8_t *copy = malloc(size);
    if (!copy) exit(2);
    memcpy(copy, bytes, size);
    const size_t left = random_below(4) ? damage(copy, size) : size;
    uint8_t *exact = malloc(left ? left : 1); /* so that a read beyond its end is seen */
    if (!exact) exit(2);
    memcpy(exact, copy, left);
    allocations = 0;
    most_allocations = random_below(4) ? UINT32_MAX : 1 + random_below(60);
    const hw_options options = {.allocate = allocate, .release = release};
    if (hw_begin(&options, &work) == HW_OK) {
        note(work, hw_open(work, "a file", exact, left, &network));
        const size_t count = make_ink(points, room);
        if (network && hw_about(network)->role[0] == 'r') use_reader(work, network, points, count);
        if (network && hw_about(network)->role[0] == 'w') use_writer(work, network, points, count);
        if (network && hw_about(network)->role[0] == 'd')
            use_descriptor(work, network, points, count);
        hw_close(network);
        hw_end(work);
    }
    free(exact);
    free(copy);
}

int main(int argc, char **argv) {
    enum { ROOM = 3000 };
    hw_point *points = calloc(ROOM, sizeof *points);
    if (argc < 4 || !points) return 2;
    for (int n = 3; n < argc; n++) {
        FILE *file = fopen(argv[n], "rb");
        uint8_t *bytes = malloc(1 << 24);
        if (!file || !bytes) return 2;
        const size_t size = fread(bytes, 1, 1 << 24, file);
        fclose(file);
        state = strtoull(argv[2], NULL, 10) + (uint64_t)n;
        for (int i = atoi(argv[1]); i-- > 0;) try_network(bytes, size, points, ROOM);
        free(bytes);
    }
    free(points);
    for (int status = 0; status <= HW_TOO_LARGE; status++) printf("%u ", statuses[status]);
    printf("\n");
    return 0;
}
