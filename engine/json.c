/* JSON (RFC 8259), for the headers of files. */

#include "internal.h"

enum { MAX_DEPTH = 64 };

typedef struct Parser {
    Arena *arena;
    const uint8_t *next, *end;
    int depth, no_room;
} Parser;

static void skip_blanks(Parser *parser) {
    while (parser->next < parser->end && strchr(" \t\n\r", *parser->next) && *parser->next)
        parser->next++;
}

static int accept(Parser *parser, char wanted) {
    if (parser->next == parser->end || *parser->next != (uint8_t)wanted) return 0;
    parser->next++;
    return 1;
}

static int accept_word(Parser *parser, const char *word) {
    const size_t length = strlen(word);
    if ((size_t)(parser->end - parser->next) < length) return 0;
    for (size_t i = 0; i < length; i++)
        if (parser->next[i] != (uint8_t)word[i]) return 0;
    parser->next += length;
    return 1;
}

static int is_digit(const Parser *parser) {
    return parser->next < parser->end && *parser->next >= '0' && *parser->next <= '9';
}

/* Parse the four digits after \u; return -1 if there are none. */
static int32_t parse_unit(Parser *parser) {
    int32_t unit = 0;
    if (parser->end - parser->next < 4) return -1;
    for (int i = 0; i < 4; i++) {
        const uint8_t digit = *parser->next++, lower = digit | 0x20;
        if (digit >= '0' && digit <= '9') unit = 16 * unit + digit - '0';
        else if (lower >= 'a' && lower <= 'f') unit = 16 * unit + lower - 'a' + 10;
        else return -1;
    }
    return unit;
}

/* Parse what follows a backslash. */
static char *parse_escape(Parser *parser, char *target) {
    static const char NAMES[] = "\"\\/bfnrt", SIGNS[] = "\"\\/\b\f\n\r\t";
    if (parser->next == parser->end) return NULL;
    const char name = (char)*parser->next++;
    if (name != 'u') {
        const char *place = name ? strchr(NAMES, name) : NULL;
        if (!place) return NULL;
        *target = SIGNS[place - NAMES];
        return target + 1;
    }
    int32_t code = parse_unit(parser);
    if (code <= 0) return NULL; /* also refuses a 0, which would end the text */
    if (code >= 0xD800 && code < 0xE000) {
        int32_t low = -1;
        if (code < 0xDC00 && accept_word(parser, "\\u")) low = parse_unit(parser);
        if (low < 0xDC00 || low >= 0xE000) return NULL; /* half a character */
        code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00;
    }
    return target + put_code(target, (uint32_t)code);
}

/* Parse a text after its first quotation mark. */
static const char *parse_text(Parser *parser) {
    const uint8_t *last = parser->next;
    while (last < parser->end && *last != '"')
        last += *last == '\\' && last + 1 < parser->end ? 2 : 1;
    if (last >= parser->end) return NULL;
    char *text = take(parser->arena, (size_t)(last - parser->next) + 1, 1), *target = text;
    if (!text) parser->no_room = 1;
    while (text && !accept(parser, '"')) {
        if (parser->next == parser->end || *parser->next < 0x20) return NULL;
        if (accept(parser, '\\')) {
            target = parse_escape(parser, target);
            if (!target) return NULL;
        } else *target++ = (char)*parser->next++;
    }
    return text;
}

/* Ten to a power. Powers up to 22 are exact. */
static double power_of_ten(int exponent) {
    double power = 1.0, base = 10.0;
    for (unsigned rest = (unsigned)(exponent < 0 ? -exponent : exponent); rest; rest >>= 1) {
        if (rest & 1) power *= base;
        base *= base;
    }
    return power;
}

static int parse_number(Parser *parser, double *number) {
    const int is_negative = accept(parser, '-');
    uint64_t digits = 0;
    int exponent = 0, count = 0, given = 0, is_given_negative = 0;
    const int begins_with_zero = parser->next < parser->end && *parser->next == '0';
    if (!is_digit(parser)) return 0;
    for (int part = 0; part < 2; part++) {
        if (part && !accept(parser, '.')) break;
        if (!is_digit(parser)) return 0;
        for (int place = 0; is_digit(parser); parser->next++, place++) {
            if (!part && place && begins_with_zero) return 0;
            const int is_kept = count < 18; /* digits that count */
            if (is_kept) digits = 10 * digits + (*parser->next - '0');
            count += is_kept && digits;
            exponent += !is_kept - part;
        }
    }
    if (accept(parser, 'e') || accept(parser, 'E')) {
        is_given_negative = accept(parser, '-');
        if (!is_given_negative) accept(parser, '+');
        if (!is_digit(parser)) return 0;
        for (; is_digit(parser); parser->next++)
            if (given < 100000) given = 10 * given + (*parser->next - '0');
    }
    exponent += is_given_negative ? -given : given;
    *number = (double)digits; /* in two steps, so that 1 with 350 zeros, e-350, is 1 */
    if (digits && exponent < 0) {
        const int first = exponent < -300 ? -300 : exponent;
        *number = *number / power_of_ten(first) / power_of_ten(exponent - first);
    } else if (digits) *number *= power_of_ten(exponent);
    if (is_negative) *number = -*number;
    return 1;
}

static Json *parse_value(Parser *parser);

/* Parse the items of a list, or of an object, after its first bracket. */
static int parse_items(Parser *parser, Json *parent) {
    const char close = parent->kind == JSON_LIST ? ']' : '}';
    const Json **next = &parent->child;
    skip_blanks(parser);
    if (accept(parser, close)) return 1;
    for (;;) {
        const char *key = NULL;
        skip_blanks(parser);
        if (parent->kind == JSON_OBJECT) {
            if (!accept(parser, '"') || !(key = parse_text(parser))) return 0;
            skip_blanks(parser);
            if (!accept(parser, ':')) return 0;
        }
        Json *item = parse_value(parser);
        if (!item) return 0;
        item->key = key;
        *next = item;
        next = &item->next;
        parent->count++;
        skip_blanks(parser);
        if (accept(parser, close)) return 1;
        if (!accept(parser, ',')) return 0;
    }
}

/* Return null if there is no value, or no memory. */
static Json *parse_value(Parser *parser) {
    Json *value = TAKE(parser->arena, Json, 1);
    if (!value) parser->no_room = 1;
    skip_blanks(parser);
    if (!value || parser->next == parser->end) return NULL;
    if (accept_word(parser, "null")) return value;
    if (accept_word(parser, "false")) {
        value->kind = JSON_FALSE;
        return value;
    }
    if (accept_word(parser, "true")) {
        value->kind = JSON_TRUE;
        return value;
    }
    if (accept(parser, '"')) {
        value->kind = JSON_TEXT;
        value->text = parse_text(parser);
        return value->text ? value : NULL;
    }
    if (*parser->next == '[' || *parser->next == '{') {
        value->kind = *parser->next++ == '[' ? JSON_LIST : JSON_OBJECT;
        if (++parser->depth > MAX_DEPTH || !parse_items(parser, value)) return NULL;
        parser->depth--;
        return value;
    }
    value->kind = JSON_NUMBER;
    return parse_number(parser, &value->number) ? value : NULL;
}

const Json *parse_json(Arena *arena, const char *text, size_t size, int *no_room) {
    const uint8_t *bytes = (const uint8_t *)text;
    Parser parser = {.arena = arena, .next = bytes, .end = bytes + size};
    const Json *value = parse_value(&parser);
    skip_blanks(&parser);
    *no_room = parser.no_room;
    return parser.next == parser.end ? value : NULL;
}

const Json *member(const Json *object, const char *key) {
    const Json *found = NULL; /* the last one, if a key is there twice */
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (const Json *item = object->child; item; item = item->next)
        if (strcmp(item->key, key) == 0) found = item;
    return found;
}
