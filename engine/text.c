/* Texts: UTF-8, the kinds of characters, and misread words. */

#include "internal.h"
#include "unicode.h"

/* Groups of signs that look the same. */
#define ALIKE {"'’‘`", "\"“”„", "-–—", "lI|", "Bß"}
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

size_t put_code(char *target, uint32_t code) {
    static const uint8_t FIRST[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    const size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code >>= 6) target[i] = (char)(0x80 | (code & 0x3F));
    target[0] = (char)(FIRST[size] | code);
    return size;
}

/* Decode the next character; return its bytes, 0 at the end, -1 if the text is no UTF-8. */
static int decode(const char *text, uint32_t *code) {
    static const uint32_t LEAST[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    *code = bytes[0];
    if (bytes[0] < 0x80) return bytes[0] ? 1 : 0;
    const int size = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4) return -1;
    *code = bytes[0] & (0xFFu >> (size + 1));
    for (int i = 1; i < size; i++) {
        if ((bytes[i] & 0xC0) != 0x80) return -1;
        *code = *code << 6 | (bytes[i] & 0x3F);
    }
    if (*code < LEAST[size] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) return -1;
    return size;
}

int decode_text(Arena *arena, const char *text, Text *decoded) {
    *decoded = (Text){TAKE(arena, uint32_t, strlen(text) + 1), 0};
    if (!decoded->codes) return 0;
    for (int size; (size = decode(text, decoded->codes + decoded->count)); text += size) {
        if (size < 0) return -1;
        decoded->count++;
    }
    return 1;
}

char *encode_text(Arena *arena, const uint32_t *codes, size_t count) {
    char *text = take(arena, 4 * count + 1, 1), *target = text;
    for (size_t i = 0; text && i < count; i++) target += put_code(target, codes[i]);
    return text;
}

uint32_t code_at(const Text *text, uint32_t index) {
    return index < text->count ? text->codes[index] : 0;
}

int is_space(uint32_t code) {
    return (code >= 9 && code <= 13) || code == ' ' || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
           code == 0x202F || code == 0x205F || code == 0x3000 || code == 0xFEFF;
}

/* The last pair of a table whose first number is not above a code; null if there is none. */
static const uint16_t *pair_before(const uint16_t table[][2], size_t count, uint32_t code) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (table[middle][0] <= code) low = middle + 1;
        else high = middle;
    }
    return low ? table[low - 1] : NULL;
}

static int is_in(const uint16_t table[][2], size_t count, uint32_t code) {
    const uint16_t *range = pair_before(table, count, code);
    return range && code <= range[1];
}

int is_letter(uint32_t code) { return is_in(LETTERS, COUNT(LETTERS), code); }
int is_small_letter(uint32_t code) { return is_in(SMALL_LETTERS, COUNT(SMALL_LETTERS), code); }
static int is_mark(uint32_t code) { return is_in(MARKS, COUNT(MARKS), code); }

static uint32_t without_accents(uint32_t code) {
    const uint16_t *pair = pair_before(BASES, COUNT(BASES), code);
    return pair && pair[0] == code ? pair[1] : code;
}

int is_one_of(uint32_t code, const char *signs) {
    uint32_t sign;
    for (int size; (size = decode(signs, &sign)) > 0; signs += size)
        if (sign == code) return 1;
    return 0;
}

/* Messages ------------------------------------------------------------------------------------- */

static int is_invisible(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || is_mark(code) ||
           (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || (code >= 0xE000 && code < 0xF900) ||
           code == 0xFEFF || code >= 0xE0000;
}

static const char *replacement_of(const hw_info *info, const char *sign) {
    for (uint32_t k = 0; k < info->num_replacements; k++)
        if (strcmp(info->replacements[2 * k], sign) == 0) return info->replacements[2 * k + 1];
    return "";
}

static int is_break(uint32_t code) {
    return code == '\n' || code == '\r' || code == 0x2028 || code == 0x2029;
}

/* Write how a message names a character, at most 13 bytes. */
static void name_character(char *name, uint32_t code) {
    static const char BREAK[] = "a line break", DIGITS[] = "0123456789ABCDEF";
    if (is_break(code)) {
        memcpy(name, BREAK, sizeof BREAK);
    } else if (is_invisible(code)) {
        *name++ = 'U', *name++ = '+';
        for (int digit = code > 0xFFFFF ? 5 : code > 0xFFFF ? 4 : 3; digit >= 0; digit--)
            *name++ = DIGITS[code >> 4 * digit & 15];
    } else {
        put_code(name, code);
    }
}

void name_characters(char *message, size_t size, const Text *characters, const hw_info *info) {
    enum { MOST = 60 }; /* bytes of a character, its replacement and what is around them */
    size_t end = 0;
    for (uint32_t i = 0; i < characters->count && end + MOST < size; i++) {
        const uint32_t code = characters->codes[i];
        uint32_t first = 0; /* the first one with this name */
        while (characters->codes[first] != code &&
               !(is_break(code) && is_break(characters->codes[first]))) first++;
        if (first < i) continue;
        char sign[8] = {0}, name[16] = {0};
        put_code(sign, code);
        name_character(name, code);
        const char *instead = replacement_of(info, sign);
        const char *parts[] = {end ? ", " : "", name, " (", instead, " instead)"};
        const int count = *instead && strlen(instead) < MOST / 2 ? 5 : 2;
        for (int part = 0; part < count; part++) {
            memcpy(message + end, parts[part], strlen(parts[part]));
            end += strlen(parts[part]);
        }
    }
    message[end] = 0;
}

/* Words ---------------------------------------------------------------------------------------- */

typedef struct Words { /* word k has the codes from begins[k] up to ends[k] */
    uint32_t *begins, *ends, count;
} Words;

/* The characters of a text as they are compared: one for each group of signs that look the same. */
static hw_status fold(hw_work *work, const Text *text, int with_accents, Text *folded) {
    static const char *const GROUPS[] = ALIKE;
    *folded = (Text){TAKE(&work->scratch, uint32_t, text->count + 1), 0};
    NEED(work, folded->codes);
    for (uint32_t i = 0; i < text->count; i++) {
        uint32_t code = text->codes[i];
        const uint32_t next = code_at(text, i + 1);
        /* Readers learned from lines that have blanks before apostrophes. */
        if (code == ' ' && (next == '\'' || next == 0x2019)) continue;
        for (size_t group = 0; group < COUNT(GROUPS); group++)
            if (is_one_of(code, GROUPS[group])) decode(GROUPS[group], &code);
        if (!with_accents && is_mark(code)) continue;
        folded->codes[folded->count++] = with_accents ? code : without_accents(code);
    }
    return HW_OK;
}

/* The words of a text: between blanks, perhaps empty; or with `is_solid` between any spaces. */
static hw_status split(hw_work *work, const Text *text, int is_solid, Words *words) {
    *words = (Words){.begins = TAKE(&work->scratch, uint32_t, text->count + 1),
                     .ends = TAKE(&work->scratch, uint32_t, text->count + 1)};
    NEED(work, words->begins && words->ends);
    for (uint32_t begin = 0, end = 0; end <= text->count; end++) {
        const uint32_t code = code_at(text, end);
        if (end < text->count && (is_solid ? !is_space(code) : code != ' ')) continue;
        if (!is_solid || end > begin) {
            words->begins[words->count] = begin;
            words->ends[words->count++] = end;
        }
        begin = end + 1;
    }
    return HW_OK;
}

/* Find the words of a text that its reading lacks, in their order. */
static hw_status find_lacking(hw_work *work, const Text *text, const Words *places,
                              const Text *reading, int with_accents, uint8_t *is_lacking,
                              uint32_t *surplus) {
    Text shown, word;
    Words read;
    TRY(fold(work, reading, with_accents, &shown));
    TRY(split(work, &shown, 0, &read));
    *surplus = read.count > places->count ? read.count - places->count : 0;
    uint32_t next = 0; /* the first word of the reading that no word of the text has matched */
    for (uint32_t k = 0; k < places->count; k++) {
        const Text part = {text->codes + places->begins[k], places->ends[k] - places->begins[k]};
        TRY(fold(work, &part, with_accents, &word));
        uint32_t index = next;
        for (; index < read.count; index++) {
            const uint32_t length = read.ends[index] - read.begins[index];
            const uint32_t *codes = shown.codes + read.begins[index];
            if (length == word.count && !memcmp(codes, word.codes, length * sizeof *codes)) break;
        }
        is_lacking[k] = index == read.count;
        if (index < read.count) next = index + 1;
    }
    return HW_OK;
}

hw_status misread(hw_work *work, Arena *arena, const Text *text, const Text *reading,
                  Misread *result) {
    Words places;
    uint32_t surplus;
    TRY(split(work, text, 1, &places));
    uint8_t *is_lacking = TAKE(&work->scratch, uint8_t, places.count + 1);
    *result = (Misread){.doubtful = TAKE(arena, uint32_t, 2 * (size_t)places.count + 1)};
    NEED(work, is_lacking && result->doubtful);
    TRY(find_lacking(work, text, &places, reading, 1, is_lacking, &result->errors));
    for (uint32_t k = 0; k < places.count; k++) result->errors += is_lacking[k];
    TRY(find_lacking(work, text, &places, reading, 0, is_lacking, &surplus));
    for (uint32_t k = 0; k < places.count; k++) {
        if (!is_lacking[k]) continue;
        uint32_t *pair = result->doubtful + 2 * result->num_doubtful++;
        pair[0] = places.begins[k];
        pair[1] = places.ends[k];
    }
    return HW_OK;
}
