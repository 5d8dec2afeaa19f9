/* The files of networks; apps/web/flat_file.py has the format. */

#include "internal.h"

#define FORMAT "online-handwriting/3"
#define DIGEST_BYTES 32
#define MAX_HEADER 1048576 /* bytes */
#define MAX_PARTS 64       /* of the path between two points of a reader (assumed) */
#define MAX_INTEGER 9007199254740991.0

static const size_t BYTES[] = {[FLOAT32] = 4, [FLOAT16] = 2, [INT8] = 1};

/* What a value of the header has to be --------------------------------------------------------- */

static int is_text(const Json *value) { return value && value->kind == JSON_TEXT; }
static int is_number(const Json *value) {
    return value && value->kind == JSON_NUMBER && isfinite(value->number);
}
static int is_size(const Json *value) {
    return is_number(value) && value->number >= 1 && value->number <= MAX_INTEGER &&
           value->number == floor(value->number);
}
static int is_limit(const Json *value) {
    return value && (value->kind == JSON_NULL || is_size(value));
}
static int is_parts(const Json *value) { return is_size(value) && value->number <= MAX_PARTS; }
static int is_object(const Json *value) { return value && value->kind == JSON_OBJECT; }

static int all_are(const Json *value, Kind kind, int (*fits)(const Json *)) {
    if (!value || value->kind != kind) return 0;
    for (const Json *item = value->child; item; item = item->next)
        if (!fits(item)) return 0;
    return 1;
}
static int are_numbers(const Json *value) { return all_are(value, JSON_LIST, is_number); }
static int are_pair(const Json *value) { return are_numbers(value) && value->count == 2; }
static int are_pair_if_any(const Json *value) { return !value || are_pair(value); }
static int are_points(const Json *value) { return are_numbers(value) && value->count % 3 == 0; }
static int are_hands(const Json *value) { return all_are(value, JSON_OBJECT, are_numbers); }
static int are_biases(const Json *value) { return all_are(value, JSON_OBJECT, is_number); }
static int are_texts(const Json *value) { return all_are(value, JSON_OBJECT, is_text); }

static int is_role(const Json *value) {
    return is_text(value) && (!strcmp(value->text, "reader") || !strcmp(value->text, "writer") ||
                              !strcmp(value->text, "descriptor"));
}

static int type_of(const char *name) {
    if (!strcmp(name, "float32")) return FLOAT32;
    if (!strcmp(name, "float16")) return FLOAT16;
    return strcmp(name, "int8") ? -1 : INT8;
}

static int is_tensor(const Json *value) {
    if (!value || value->kind != JSON_LIST || value->count < 3 || value->count > 5) return 0;
    const Json *name = value->child, *type = name->next;
    if (!is_text(name) || !is_text(type) || type_of(type->text) < 0) return 0;
    for (const Json *size = type->next; size; size = size->next)
        if (!is_size(size)) return 0;
    return 1;
}
static int are_tensors(const Json *value) { return all_are(value, JSON_LIST, is_tensor); }

enum { WRITER = 1, READER = 2, DESCRIPTOR = 4, ANY = 7, OPTIONAL = 8 };

/* The keys of a header: for which roles, and what their values have to be. */
static const struct Key {
    const char *block, *key;
    int roles;
    int (*fits)(const Json *);
} KEYS[] = {
    {NULL, "role", ANY, is_role},
    {NULL, "styles", ANY | OPTIONAL, is_object},
    {NULL, "name", ANY, is_text},
    {NULL, "licence", WRITER | READER, is_text},
    {NULL, "alphabet", WRITER | READER, is_text},
    {"architecture", "type", WRITER | READER, is_text},
    {"normalisation", "mean", WRITER | READER, are_pair},
    {"normalisation", "std", WRITER | READER, are_pair},
    {"sampling", "min_scales", WRITER, are_pair},
    {"sampling", "bias", WRITER, is_number},
    {"sampling", "pen_sharpness", WRITER, is_number},
    {"sampling", "stretch", WRITER, is_number},
    {"sampling", "max_correlation", WRITER, is_number},
    {"sampling", "x_height", WRITER, is_number},
    {"sampling", "baseline", WRITER, is_number},
    {"sampling", "longest", WRITER, is_limit},
    {"features", "spacing", READER | DESCRIPTOR, is_number},
    {"features", "parts", READER | DESCRIPTOR, is_parts},
    {NULL, "hands", ANY | OPTIONAL, are_hands},
    {NULL, "biases", ANY | OPTIONAL, are_biases},
    {NULL, "replacements", ANY | OPTIONAL, are_texts},
    {NULL, "tensors", ANY, are_tensors},
};

/* The keys of a style. */
static const struct StyleKey {
    const char *key;
    int (*fits)(const Json *);
} STYLE_KEYS[] = {
    {"text", is_text}, {"x_height", is_number}, {"ink", are_points}, {"stretch", are_pair_if_any}};

static int role_of(const Json *header) {
    const Json *role = member(header, "role");
    if (!is_role(role)) return ANY;
    return role->text[0] == 'w' ? WRITER : role->text[0] == 'r' ? READER : DESCRIPTOR;
}

static hw_status check_header(hw_work *work, const char *title, const Json *header) {
    const int role = role_of(header);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const struct Key *key = KEYS + i;
        const Json *parent = key->block ? member(header, key->block) : header;
        const Json *value = member(parent, key->key);
        if (!(key->roles & role) || (key->roles & OPTIONAL && !value) || key->fits(value)) continue;
        return fail(work, HW_BAD_FILE, "%s: %s%s%s is missing or wrong; export it again.", title,
                    key->block ? key->block : "", key->block ? "." : "", key->key);
    }
    const Json *styles = member(header, "styles");
    for (const Json *style = styles ? styles->child : NULL; style; style = style->next)
        for (size_t i = 0; i < sizeof STYLE_KEYS / sizeof *STYLE_KEYS; i++) {
            const struct StyleKey *key = STYLE_KEYS + i;
            if (!key->fits(member(style, key->key)))
                return fail(work, HW_BAD_FILE,
                            "%s: styles.%s.%s is missing or wrong; export it again.", title,
                            style->key, key->key);
        }
    return HW_OK;
}

/* The file ------------------------------------------------------------------------------------- */

/* Set `*product` to a product that fits into memory; return whether it does. */
static int multiplied(size_t a, double b, size_t *product) {
    const size_t limit = (size_t)-1 >> 2;
    if (b > (double)(limit / (a ? a : 1))) return 0;
    *product = a * (size_t)b;
    return 1;
}

/* Find the tensors in the file from `*end` on; return 0 if the file is too short. */
static int find_tensors(const Json *list, const uint8_t *bytes, size_t size, size_t *end,
                        Tensor *tensor) {
    for (const Json *entry = list->child; entry; entry = entry->next, tensor++) {
        const Json *name = entry->child, *type = name->next, *count = type->next;
        size_t columns = 1, row, all;
        for (const Json *other = count->next; other; other = other->next)
            if (!multiplied(columns, other->number, &columns)) return 0;
        *tensor = (Tensor){.name = name->text, .columns = columns, .content = bytes + *end};
        tensor->type = type_of(type->text);
        if (!multiplied(columns, (double)BYTES[tensor->type], &row)) return 0;
        row += tensor->type == INT8 ? 4 : 0;
        if (!multiplied(row, count->number, &all) || all > size - *end) return 0;
        tensor->count = (size_t)count->number;
        *end += all;
    }
    return 1;
}

/* Parse the first line; `*header` stays null if it is no JSON. */
static hw_status parse_header(hw_work *work, const uint8_t *bytes, size_t length,
                              const Json **header) {
    char *line = take_text(&work->scratch, (const char *)bytes, length);
    Text decoded;
    int no_room = 0;
    *header = NULL;
    NEED(work, line);
    if (strlen(line) < length) return HW_OK;
    const int is_utf8 = decode_text(&work->scratch, line, &decoded);
    if (is_utf8 > 0) *header = parse_json(&work->scratch, line, length, &no_room);
    NEED(work, is_utf8 && !no_room);
    return HW_OK;
}

hw_status parse_file(hw_work *work, const char *title, const uint8_t *bytes, size_t size,
                     File *file) {
    const Json *header = NULL;
    size_t length = 0;
    while (length < size && length < MAX_HEADER && bytes[length] != '\n') length++;
    if (length < size && length < MAX_HEADER) TRY(parse_header(work, bytes, length, &header));
    const Json *format = member(header, "format");
    if (!format) return fail(work, HW_BAD_FILE, "%s: this is no file of a network.", title);
    if (!is_text(format) || strcmp(format->text, FORMAT))
        return fail(work, HW_BAD_FILE,
                    "%s: written by another version of the program; export it again.", title);
    TRY(check_header(work, title, header));
    const Json *list = member(header, "tensors");
    *file = (File){title, header, TAKE(&work->scratch, Tensor, list->count + 1), list->count};
    NEED(work, file->tensors);
    size_t end = length + 1;
    uint8_t digest[DIGEST_BYTES];
    int is_whole = size - end >= DIGEST_BYTES &&
                   find_tensors(list, bytes, size - DIGEST_BYTES, &end, file->tensors) &&
                   size == end + DIGEST_BYTES;
    if (is_whole) {
        sha256(bytes, end, digest);
        is_whole = memcmp(digest, bytes + end, DIGEST_BYTES) == 0;
    }
    if (is_whole) return HW_OK;
    return fail(work, HW_BAD_FILE, "%s: damaged or incomplete; export it again.", title);
}

const Tensor *tensor_of(const File *file, const char *name) {
    const Tensor *found = NULL; /* the last one, if a name is there twice */
    for (size_t i = 0; i < file->num_tensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0) found = file->tensors + i;
    return found;
}

static uint32_t bits_at(const uint8_t *bytes, size_t size) {
    uint32_t bits = 0;
    for (size_t i = size; i-- > 0;) bits = bits << 8 | bytes[i];
    return bits;
}

static float float_at(const uint8_t *bytes) {
    const uint32_t bits = bits_at(bytes, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number that 16 bits encode as a float16; NaN also for an infinite one. */
static float half_at(const uint8_t *bytes) {
    const uint32_t bits = bits_at(bytes, 2), exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return NAN;
    const float unit = (float)(1u << (exponent ? exponent - 1 : 0)) / 16777216.0f; /* 2^-24 */
    const float size = (float)(exponent ? 1024 + fraction : fraction) * unit;
    return bits >> 15 ? -size : size;
}

hw_status rows_of(hw_work *work, Arena *arena, const File *file, const char *name, size_t count,
                  size_t columns, float **rows) {
    const Tensor *tensor = tensor_of(file, name);
    if (!tensor || !count || tensor->count != count || tensor->columns != columns)
        return fail(work, HW_BAD_FILE,
                    "The network's %s is missing or has another shape; export it again.", name);
    *rows = TAKE(arena, float, count * columns);
    NEED(work, *rows);
    const uint8_t *numbers = tensor->content + (tensor->type == INT8 ? 4 * count : 0);
    int are_finite = 1;
    for (size_t row = 0; row < count; row++) {
        const float scale = tensor->type == INT8 ? float_at(tensor->content + 4 * row) : 1.0f;
        float *target = *rows + row * columns;
        for (size_t i = 0; i < columns; i++) {
            const size_t index = row * columns + i;
            target[i] = tensor->type == FLOAT32   ? float_at(numbers + 4 * index)
                        : tensor->type == FLOAT16 ? half_at(numbers + 2 * index)
                                                  : (float)(int8_t)numbers[index] * scale;
            are_finite &= isfinite(target[i]) != 0;
        }
    }
    if (are_finite) return HW_OK;
    return fail(work, HW_BAD_FILE,
                "The network's %s has a value that is not a number; export it again.", name);
}

double number_of(const Json *header, const char *block, const char *key) {
    return member(member(header, block), key)->number;
}

void pair_of(const Json *header, const char *block, const char *key, double pair[2]) {
    const Json *list = member(member(header, block), key);
    pair[0] = list->child->number;
    pair[1] = list->child->next->number;
}
